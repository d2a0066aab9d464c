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

/** Kills at most this often, at moments that a seed decides: before a request, behind a write, or in between. */
export function killAtRandom(random: () => number, kills: number, gap: number): KillPlan {
  let left = kills;
  let leftInReport = Math.min(3, kills);
  const draw = () => 1 + Math.floor(random() * gap);
  let countdown = draw();
  let stage: Moment['stage'] | 'between' = 'asked';
  return (moment) => {
    if (left === 0 || (moment.phase === 'ReportJob' && leftInReport === 0)) return false;
    if (--countdown > 0) return false;
    if (stage === 'written' && moment.stage !== 'written') return false;
    left -= 1;
    if (moment.phase === 'ReportJob') leftInReport -= 1;
    countdown = draw();
    const decision = stage === 'between' ? random() * 25 : true;
    stage = (['asked', 'written', 'between'] as const)[Math.floor(random() * 3)]!;
    return decision;
  };
}

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
