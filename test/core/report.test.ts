import { expect, test } from 'vitest';
import { buildReport } from '../../src/core/report.ts';
import { newTally } from '../../src/core/tally.ts';

const circumstances = {
  jobId: 'job-1',
  startedAt: '2026-11-25T10:00:00Z',
  finishedAt: '2026-11-25T10:01:00Z',
  planned: 1000,
  batches: { planned: 5, failed: 0 },
  failures: [],
  failedBatches: [],
};

test('reckons a GET and a PUT for each image, and the papers and states of each batch', () => {
  const tally = { ...newTally(), compressed: 1000 };
  const { estimatedCost } = buildReport(tally, { ...circumstances, papers: 's3://work/' });
  // 1,000 x 0.0000004 + 1,035 x 0.000005, and 25 x 0.000025, to a hundredth of a cent.
  expect(estimatedCost).toEqual({ s3Requests: 0.0056, stateTransitions: 0.0006 });
});

test('charges nothing for a job whose papers lie in a folder', () => {
  expect(buildReport(newTally(), { ...circumstances, papers: '/home/me/papers' })).not.toHaveProperty(
    'estimatedCost',
  );
});
