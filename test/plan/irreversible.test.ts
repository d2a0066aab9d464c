import { describe, expect, test } from 'vitest';
import type { Job } from '../../src/core/job.ts';
import { type ObjectStore, ObjectStoreError } from '../../src/core/object-store.ts';
import { PlanError } from '../../src/core/plan.ts';
import { refuseIrreversible } from '../../src/plan/irreversible.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { A_JOB } from '../support/a-job.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { type Fault, injectFaults } from '../support/s3-faults.ts';
import { serveBucket, temporaryFolder } from '../support/served-bucket.ts';

const IN_PLACE: Job = { ...A_JOB, output: 'in-place' };
const LOSSLESS: Job = { ...IN_PLACE, compression: { ...IN_PLACE.compression, mode: 'lossless' } };

/** A store over HTTP with the bucket `photos`. */
async function storeOver({ versioned = false, fault }: { versioned?: boolean; fault?: Fault } = {}) {
  const [folder, state] = [await temporaryFolder(), await temporaryFolder()];
  const { server } = await serveBucket({
    buckets: { photos: { folder, state, versioned } },
    ...(fault && { beforeRequest: injectFaults(() => fault) }),
  });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = createS3Client({ endpoint: server.endpoint, region: 'us-east-1', credentials, attempts: 1 });
  return createS3Store(client);
}

async function errorOf(job: Job, store: ObjectStore): Promise<unknown> {
  return refuseIrreversible(job, ['photos'], store).catch((reason: unknown) => reason);
}

async function refusalOf(job: Job, store: ObjectStore): Promise<string> {
  const error = await errorOf(job, store);
  expect(error).toBeInstanceOf(PlanError);
  return (error as PlanError).message;
}

test('a lossy job in place is refused by name where nothing keeps the originals, with the ways out', async () => {
  const message = await refusalOf(IN_PLACE, await storeOver());
  expect(message).toContain('s3://photos/ has no versions');
  expect(message).toMatch(/switch on versioning.*set 'backup'.*"irreversible": true/);
});

test('it runs where the bucket has versions', async () => {
  expect(await errorOf(IN_PLACE, await storeOver({ versioned: true }))).toBeUndefined();
});

test.each<[string, Job]>([
  ['a backup', { ...IN_PLACE, backup: 's3://originals/' }],
  ["the user's word", { ...IN_PLACE, irreversible: true }],
  ['identical pixels', LOSSLESS],
  ['a dry run', { ...IN_PLACE, dryRun: true }],
  ['outputs elsewhere', A_JOB],
])('with %s it runs, and versions are not asked for', async (_, job) => {
  const store = createMemoryStore({ versioning: () => 'Off' });
  expect(await errorOf(job, store)).toBeUndefined();
  expect(store.calls).toEqual([]);
});

describe('a bucket in doubt', () => {
  test('whose versioning is suspended counts as one without versions', async () => {
    const store = createMemoryStore({ versioning: () => 'Suspended' });
    expect(await refusalOf(IN_PLACE, store)).toContain('s3://photos/ has suspended versioning');
  });

  test('that denies an answer, too, and the permission is named', async () => {
    const message = await refusalOf(IN_PLACE, await storeOver({ fault: { status: 403, code: 'AccessDenied' } }));
    expect(message).toMatch(/does not say whether it keeps versions .*the role needs s3:GetBucketVersioning/);
  });

  test('and one of a server that does not know versions', async () => {
    const message = await refusalOf(IN_PLACE, await storeOver({ fault: { status: 501, code: 'NotImplemented' } }));
    expect(message).toContain('does not say whether it keeps versions');
  });

  test.each([503, 500])('but a server that fails with %i is asked again by the state machine', async (status) => {
    const error = await errorOf(IN_PLACE, await storeOver({ fault: { status, code: 'InternalError' } }));
    expect(error).toBeInstanceOf(ObjectStoreError);
  });
});
