import type { KillPlan, Moment } from './run-crash-test.ts';

/** Kills at these moments, each once and one after the other. */
export function killAtEach(...moments: readonly ((moment: Moment) => boolean)[]): KillPlan {
  const left = [...moments];
  return (moment) => {
    if (left.length === 0 || !left[0]!(moment)) return false;
    left.shift();
    return true;
  };
}

/** How often each part of a job loses its host; PlanJob is tried three times, ReportJob five times. */
export interface Deaths {
  readonly plan?: number;
  readonly compress: number;
  readonly report?: number;
}

/** Kills at moments that a seed decides: before a request, behind a write, or in between. */
export function killAtRandom(
  random: () => number,
  deaths: Deaths,
  /** Requests between two kills while images are compressed, at the most. */
  gap: number,
): KillPlan {
  const left = { plan: 0, report: 0, ...deaths };
  const drawGap = (part: keyof Deaths) =>
    1 + Math.floor(random() * (part === 'compress' ? gap : FEW_REQUESTS));
  const gaps = { plan: drawGap('plan'), compress: drawGap('compress'), report: drawGap('report') };
  let stage: Moment['stage'] | 'between' = 'asked';
  return (moment) => {
    const part = PARTS[moment.phase] ?? 'compress';
    if (left[part] === 0 || --gaps[part] > 0) return false;
    if (stage === 'written' && moment.stage !== 'written') return false;
    left[part] -= 1;
    gaps[part] = drawGap(part);
    const decision = stage === 'between' ? random() * 25 : true;
    stage = (['asked', 'written', 'between'] as const)[Math.floor(random() * 3)]!;
    return decision;
  };
}

const PARTS: Readonly<Record<string, keyof Deaths>> = { PlanJob: 'plan', ReportJob: 'report' };

/** About as many as the plan or the report of a small job takes. */
const FEW_REQUESTS = 8;

/** mulberry32: the same numbers for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
