import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { triggerBuckets } from '../../../local/cloud/local-buckets.ts';
import { type LocalCloud, startLocalCloud } from '../../../local/cloud/local-cloud.ts';
import { makeJpeg } from '../../support/fixtures/jpeg.ts';
import { clientOf, temporaryFolder } from '../../support/served-bucket.ts';

interface Served {
  readonly cloud: LocalCloud;
  readonly client: S3Client;
  readonly out: string;
}

/** The local cloud with an output and an input bucket, and one photo in the latter. */
async function serveOnePhoto(photo: Uint8Array): Promise<Served> {
  const root = await temporaryFolder();
  const [home, out] = [path.join(root, '.image-press'), path.join(root, 'compressed')];
  const moreBuckets = triggerBuckets(home);
  const cloud = await startLocalCloud({ home, out, source: undefined, reachesS3: false, moreBuckets });
  const client = clientOf(cloud.endpoint);
  onTestFinished(async () => {
    client.destroy();
    await cloud.close();
  });
  await client.send(new PutObjectCommand({ Bucket: 'local-input', Key: 'photos/one.jpg', Body: photo }));
  return { cloud, client, out };
}

async function keysOf(client: S3Client, Bucket: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket }))
    for (const { Key } of page.Contents ?? []) keys.push(Key ?? '');
  return keys;
}

async function bytesOf(client: S3Client, Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

function restore(list: string, endpoint: string): Promise<{ stdout: string; stderr: string }> {
  const credentials = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
  const env = { ...process.env, AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: 'us-east-1', ...credentials };
  return new Promise((resolve) => {
    execFile(process.execPath, [path.resolve('local/cli/restore.ts'), list], { env }, (_, stdout, stderr) =>
      resolve({ stdout, stderr }),
    );
  });
}

test('one bucket has outputs and job files, as deployed; the folder of the outputs has outputs only', async () => {
  const photo = await makeJpeg({ width: 200, height: 150 });
  const { cloud, client, out } = await serveOnePhoto(photo);
  const ended = await cloud.execute('monday', { fileList: 's3://local-input/photos/' }, {});
  expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { compressed: 1 } });
  const keys = await keysOf(client, 'local-output');
  expect(keys).toEqual(keys.toSorted());
  expect(keys).toContain('photos/one.jpg');
  expect(keys).toContain('jobs/monday/job.json');
  expect(await readdir(out, { recursive: true })).toEqual(['photos', 'photos/one.jpg']);
  const report = await bytesOf(client, 'local-output', 'jobs/monday/report.json');
  expect(await readFile(path.join(cloud.jobFiles, 'jobs/monday/report.json'))).toEqual(report);
});

test('outputs below jobs/ are refused, as deployed', async () => {
  const photo = await makeJpeg({ width: 200, height: 150 });
  const { cloud, client } = await serveOnePhoto(photo);
  await client.send(new PutObjectCommand({ Bucket: 'local-input', Key: 'jobs/two.jpg', Body: photo }));
  const ended = await cloud.execute('tuesday', { fileList: 's3://local-input/' }, {});
  expect(ended).toMatchObject({ status: 'FAILED', error: 'PlanError' });
});

test('a job in place on the input bucket is undone by version id', async () => {
  const photo = await makeJpeg({ width: 200, height: 150 });
  const { cloud, client } = await serveOnePhoto(photo);
  const input = { fileList: 's3://local-input/photos/', output: 'in-place' };
  const ended = await cloud.execute('wednesday', input, {});
  expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { compressed: 1 } });
  expect((await bytesOf(client, 'local-input', 'photos/one.jpg')).length).toBeLessThan(photo.length);
  const undone = await restore('s3://local-output/jobs/wednesday/undo.jsonl', cloud.endpoint);
  expect(undone.stdout).toMatch(/^restored s3:\/\/local-input\/photos\/one\.jpg from version \S+\n$/);
  expect(await bytesOf(client, 'local-input', 'photos/one.jpg')).toEqual(Buffer.from(photo));
});
