import type { KillPoint, KillWhen } from './run-crash-test.ts';

/** Kills at these points, each once and in this order. */
export function killAtEach(...points: readonly ((point: KillPoint) => boolean)[]): KillWhen {
  const left = [...points];
  return (point) => {
    const isNext = left[0]?.(point) ?? false;
    if (isNext) left.shift();
    return isNext;
  };
}

/** How often the host of each part of a job is killed; PlanJob is tried three times, ReportJob five times. */
export interface Kills {
  readonly plan?: number;
  readonly compress: number;
  readonly report?: number;
}

/** Kills at random points: before a request, after a write, or in between. */
export function killAtRandom(
  random: () => number,
  kills: Kills,
  /** The maximum of requests between two kills while images are compressed. */
  gap: number,
): KillWhen {
  const left = { plan: 0, report: 0, ...kills };
  const drawGap = (part: keyof Kills) => 1 + Math.floor(random() * (part === 'compress' ? gap : FEW_REQUESTS));
  const gaps = { plan: drawGap('plan'), compress: drawGap('compress'), report: drawGap('report') };
  let stage: KillPoint['stage'] | 'between' = 'requested';
  return (point) => {
    const part = PARTS[point.phase] ?? 'compress';
    if (left[part] === 0 || --gaps[part] > 0) return false;
    if (stage === 'written' && point.stage !== 'written') return false;
    left[part] -= 1;
    gaps[part] = drawGap(part);
    const decision = stage === 'between' ? random() * 25 : true;
    stage = (['requested', 'written', 'between'] as const)[Math.floor(random() * 3)] ?? 'requested';
    return decision;
  };
}

const PARTS: Readonly<Record<string, keyof Kills>> = { PlanJob: 'plan', ReportJob: 'report' };

/** About as many as planning or reporting a small job takes. */
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
