import type { KillPlan, Moment } from './run-mortal-job.ts';

/** Kills at these moments, each once and one after the other. */
export function killAtEach(...moments: readonly ((moment: Moment) => boolean)[]): KillPlan {
  const left = [...moments];
  return (moment) => {
    if (left.length === 0 || !left[0]!(moment)) return false;
    left.shift();
    return true;
  };
}

/**
 * Kills at moments that a seed decides: before a request, behind a write, or in between; so often while batches are
 * compressed, with `gap` requests between two kills at the most, and so often while the job is reported.
 */
export function killAtRandom(
  random: () => number,
  { kills, gap, inReport = 0 }: { kills: number; gap: number; inReport?: number },
): KillPlan {
  const left = { compress: kills, report: inReport };
  const drawGap = (most: number) => 1 + Math.floor(random() * most);
  const gaps = { compress: drawGap(gap), report: drawGap(REPORT_REQUESTS) };
  let stage: Moment['stage'] | 'between' = 'asked';
  return (moment) => {
    const kind = moment.phase === 'ReportJob' ? 'report' : 'compress';
    if (left[kind] === 0 || --gaps[kind] > 0) return false;
    if (stage === 'written' && moment.stage !== 'written') return false;
    left[kind] -= 1;
    gaps[kind] = drawGap(kind === 'report' ? REPORT_REQUESTS : gap);
    const decision = stage === 'between' ? random() * 25 : true;
    stage = (['asked', 'written', 'between'] as const)[Math.floor(random() * 3)]!;
    return decision;
  };
}

/** About as many as a small job's report takes. */
const REPORT_REQUESTS = 12;

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
