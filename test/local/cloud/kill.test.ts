import { describe, expect, it } from 'vitest';
import { killAtEach, killAtRandom, randomFrom } from '../../support/crash/kill-points.ts';
import { type Moment, type MortalJob, runMortalJob } from '../../support/crash/run-crash-test.ts';

const JOB: MortalJob = { output: 'elsewhere', host: 'lambda', images: 12, perBatch: 12 };

const asked = (method: string, key: RegExp) => (moment: Moment) =>
  moment.stage === 'asked' && moment.method === method && key.test(moment.key);
const written = (key: RegExp) => (moment: Moment) => moment.stage === 'written' && key.test(moment.key);

/** The whole job through the real state machine, with real processes: what is killed is killed with SIGKILL. */
describe('a job whose hosts are killed', () => {
  it.each([
    ['elsewhere', 'out'],
    ['in-place', 'pictures'],
  ] as const)('is whole when they die at its most delicate moments (output %s)', async (output, bucket) => {
    const wrote = (moment: Moment) => moment.stage === 'written' && moment.bucket === bucket;
    const killWhen = killAtEach(
      (moment) => moment.phase === 'PlanJob' && written(/images\.jsonl$/)(moment),
      // The output is there, its result is not; then between a note and the image that it is for.
      wrote,
      written(/journal\.json$/),
      asked('PUT', /results\/.*jsonl$/),
      (moment) => moment.phase === 'ReportJob' && written(/failed\.jsonl$/)(moment),
    );
    const end = await runMortalJob({ ...JOB, output, fargate: false, killWhen });
    expect(end.problems).toEqual([]);
    expect(end.kills).toHaveLength(5);
    expect(end.report).toMatchObject({ status: 'SUCCEEDED', compressed: 12, failed: 0, lost: 0 });
  });

  it('is whole when tasks die, workers and supervisors alike', async () => {
    for (const kill of ['worker', 'supervisor'] as const) {
      const killWhen = killAtEach((moment) => moment.stage === 'written' && moment.bucket === 'out');
      const end = await runMortalJob({ ...JOB, host: 'fargate', kill, killWhen });
      expect(end.problems).toEqual([]);
      expect(end.kills.map(({ phase }) => phase)).toEqual(['CompressBatchOnFargate']);
      expect(end.report).toMatchObject({ status: 'SUCCEEDED', compressed: 12, failed: 0, lost: 0 });
    }
  });

  it.each([
    [1, 'elsewhere'],
    [2, 'in-place'],
  ] as const)('is whole when they die at random moments (seed %i, output %s)', async (seed, output) => {
    const killWhen = killAtRandom(randomFrom(seed), { compress: 3 }, 25);
    const end = await runMortalJob({ ...JOB, output, perBatch: 6, fargate: seed === 1, killWhen });
    expect(end.problems).toEqual([]);
    // How many of the three moments come about depends on how the hosts interleave.
    expect(end.kills.length).toBeGreaterThanOrEqual(2);
  });

  it('names the images that take their process down, and does the rest of their batch', async () => {
    const end = await runMortalJob({ ...JOB, fargate: false, poison: [3, 4] });
    expect(end.problems).toEqual([]);
    expect(end.report).toMatchObject({ compressed: 10, failed: 2, failureCodes: { EncoderCrash: 2 } });
    expect(end.calls).toHaveLength(6);
  });

  it('names them also when a task has to find them', async () => {
    const end = await runMortalJob({ ...JOB, poison: [0] });
    expect(end.problems).toEqual([]);
    expect(end.report).toMatchObject({ compressed: 11, failed: 1, failureCodes: { EncoderCrash: 1 } });
    expect(end.calls).toEqual(['CompressBatchOnLambda', 'CompressBatchOnFargate']);
  });
});
