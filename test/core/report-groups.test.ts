import { expect, it } from 'vitest';
import { keptMeaning } from '../../src/core/report-groups.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { A_JOB } from '../support/a-job.ts';

const withMinSavings = (percent: number, bytes: number) => ({
  settings: { ...A_JOB, compression: { ...DEFAULT_COMPRESSION, minSavings: { percent, bytes } } },
});

it.each([
  ['saves less than 3 % (minSavings)', withMinSavings(3, 512)],
  ['saves less than 12.5 % (minSavings)', withMinSavings(12.5, 0)],
  ['saves less than 512 bytes (minSavings)', withMinSavings(0, 512)],
  ['saves less than 1 byte (minSavings)', withMinSavings(0, 0)],
  ['saves less than minSavings (3 % by default)', {}],
])('names the minSavings of the job: %s', (meaning, report) => {
  expect(keptMeaning('no-gain', report)).toBe(meaning);
});
