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

test('estimates a GET and a PUT for each image, and the requests and transitions of each batch', () => {
  const tally = { ...newTally(), compressed: 1000 };
  const { estimatedCost } = buildReport(tally, { ...circumstances, jobFiles: 's3://work/' });
  // 1,000 x 0.0000004 + 1,035 x 0.000005, and 25 x 0.000025, to a hundredth of a cent.
  expect(estimatedCost).toEqual({ s3Requests: 0.0056, stateTransitions: 0.0006 });
});

test('names where the job files are, for one release under the old key too', () => {
  const report = buildReport(newTally(), { ...circumstances, jobFiles: '/home/me/job-files' });
  expect(report).toMatchObject({ jobFiles: '/home/me/job-files', papers: '/home/me/job-files' });
});

test('charges nothing for a job whose files are in a folder', () => {
  expect(buildReport(newTally(), { ...circumstances, jobFiles: '/home/me/job-files' })).not.toHaveProperty(
    'estimatedCost',
  );
});
