import { expect, test } from 'vitest';
import type { Job } from '../../src/core/job.ts';
import { ObjectStoreError } from '../../src/core/object-store.ts';
import { refuseUnsafeEndpoint } from '../../src/plan/endpoint.ts';

const JOB = { output: 'in-place', dryRun: false } as Job;

test('a job in place is refused where the endpoint is unsafe', async () => {
  const refused = refuseUnsafeEndpoint(JOB, ['photos'], async () => 'ignores If-Match');
  await expect(refused).rejects.toMatchObject({ name: 'PlanError' });
});

test('a job in place is left to its conditions where PlanJob may not write a probe', async () => {
  const denied = async () => Promise.reject(new ObjectStoreError('AccessDenied', 'the role needs s3:PutObject'));
  await expect(refuseUnsafeEndpoint(JOB, ['photos'], denied)).resolves.toBeUndefined();
  const throttled = async () => Promise.reject(new ObjectStoreError('Throttled', 'slow down'));
  await expect(refuseUnsafeEndpoint(JOB, ['photos'], throttled)).rejects.toThrow('slow down');
});
