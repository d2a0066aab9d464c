import { describe, expect, it } from 'vitest';
import { unexpectedErrorIn } from '../../../local/cli/unexpected-errors.ts';
import { killAtEach, killAtRandom, randomFrom } from '../../support/crash/kill-points.ts';
import { type CrashTestJob, type KillPoint, runCrashTest } from '../../support/crash/run-crash-test.ts';

const JOB: CrashTestJob = { output: 'elsewhere', host: 'lambda', images: 12, perBatch: 12 };

const requested = (method: string, key: RegExp) => (point: KillPoint) =>
  point.stage === 'requested' && point.method === method && key.test(point.key);
const written = (key: RegExp) => (point: KillPoint) => point.stage === 'written' && key.test(point.key);

/** The whole job through the real state machine, with real processes that are killed with SIGKILL. */
describe('a job whose hosts are killed', () => {
  it.each([
    ['elsewhere', 'out'],
    ['in-place', 'pictures'],
  ] as const)('is complete when they are killed at its most critical points (output %s)', async (output, bucket) => {
    const wrote = (point: KillPoint) => point.stage === 'written' && point.bucket === bucket;
    const killWhen = killAtEach(
      (point) => point.phase === 'PlanJob' && written(/images\.jsonl$/)(point),
      // After an output and before its result; then between a checkpoint and its image.
      wrote,
      written(/journal\.json$/),
      requested('PUT', /results\/.*jsonl$/),
      (point) => point.phase === 'ReportJob' && written(/failed\.jsonl$/)(point),
    );
    const end = await runCrashTest({ ...JOB, output, fargate: false, killWhen });
    expect(end.problems).toEqual([]);
    expect(end.kills).toHaveLength(5);
    expect(end.report).toMatchObject({ status: 'SUCCEEDED', compressed: 12, failed: 0, lost: 0 });
  });

  it('is complete when workers and supervisors of tasks are killed', async () => {
    for (const kill of ['worker', 'supervisor'] as const) {
      const killWhen = killAtEach((point) => point.stage === 'written' && point.bucket === 'out');
      const end = await runCrashTest({ ...JOB, host: 'fargate', kill, killWhen });
      expect(end.problems).toEqual([]);
      expect(end.kills.map(({ phase }) => phase)).toEqual(['CompressBatchOnFargate']);
      expect(end.report).toMatchObject({ status: 'SUCCEEDED', compressed: 12, failed: 0, lost: 0 });
    }
  });

  it.each([
    [1, 'elsewhere'],
    [2, 'in-place'],
  ] as const)('is complete when they are killed at random points (seed %i, output %s)', async (seed, output) => {
    const killWhen = killAtRandom(randomFrom(seed), { compress: 3 }, 25);
    const end = await runCrashTest({ ...JOB, output, perBatch: 6, fargate: seed === 1, killWhen });
    expect(end.problems).toEqual([]);
    // How many of the three points are reached depends on how the hosts interleave.
    expect(end.kills.length).toBeGreaterThanOrEqual(2);
  });

  it('names the images that crash their process, and compresses the rest of their batch', async () => {
    const end = await runCrashTest({ ...JOB, fargate: false, poison: [3, 4] });
    expect(end.problems).toEqual([]);
    expect(end.report).toMatchObject({ compressed: 10, failed: 2, failureCodes: { EncoderCrash: 2 } });
    expect(end.calls).toHaveLength(6);
  });

  it('names them also when a Fargate task has to find them', async () => {
    const end = await runCrashTest({ ...JOB, poison: [0] });
    expect(end.problems).toEqual([]);
    expect(end.report).toMatchObject({ compressed: 11, failed: 1, failureCodes: { EncoderCrash: 1 } });
    expect(end.calls).toEqual(['CompressBatchOnLambda', 'CompressBatchOnFargate']);
  });

  it('logs the stack of a bug of ours once, with image, job and batch, and compresses the rest', async () => {
    const end = await runCrashTest({ ...JOB, fargate: false, bugs: [5] });
    expect(end.problems).toEqual([]);
    expect(end.report).toMatchObject({ compressed: 11, failed: 1, failureCodes: { Unexpected: 1 } });
    expect(JSON.stringify(end.results)).not.toContain('poisoned-codec.ts');
    const withStack = end.logs.filter((line) => line.includes('"stack"'));
    expect(withStack.map((line) => JSON.parse(line))).toMatchObject([
      { jobId: 'crash-test', batchId: expect.any(String), key: '0005.jpg', error: { name: 'TypeError' } },
    ]);
    const [shown = ''] = withStack.map(unexpectedErrorIn);
    expect(shown).toMatch(
      /^Unexpected error with s3:\/\/pictures\/0005\.jpg\nTypeError: .*\n +at .*poisoned-codec\.ts/,
    );
  });
});
