import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { GetObjectCommand, PutObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { expect, onTestFinished, test } from 'vitest';
import { moveEarlierJobFiles, triggerBuckets } from '../../../local/cloud/local-buckets.ts';
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

test('a job that would destroy originals is refused, from the console as anywhere, unless that is asked for', async () => {
  const photo = await makeJpeg({ width: 200, height: 150 });
  const { cloud, client } = await serveOnePhoto(photo);
  const stored = { Bucket: 'local-output', Key: 'photos/one.jpg' };
  await client.send(new PutObjectCommand({ ...stored, Body: photo }));
  const input = { fileList: 's3://local-output/photos/', output: 'in-place' };
  const refused = await cloud.execute('thursday', input, {});
  expect(refused).toMatchObject({ status: 'FAILED', error: 'PlanError' });
  expect(JSON.stringify(refused)).toMatch(/versioning .*backup.*irreversible.*s3:\/\/local-output\/ has no versions/);
  expect(await bytesOf(client, stored.Bucket, stored.Key)).toEqual(Buffer.from(photo));

  const ended = await cloud.execute('friday', { ...input, irreversible: true }, {});
  expect(ended).toMatchObject({ status: 'SUCCEEDED', output: { compressed: 1 } });
  const page = await readFile(path.join(cloud.jobFiles, 'jobs/friday/report.html'), 'utf8');
  const alarm = page.slice(page.indexOf('class="alarm'), page.indexOf('</section>', page.indexOf('class="alarm')));
  expect(alarm).toContain(
    '1 original cannot be restored: the bucket has no versions, and &#39;backup&#39; was not set',
  );
});

test('job files of an earlier version are moved once, and still found where they were', async () => {
  const home = await temporaryFolder();
  const early = path.join(home, 'papers/jobs/monday');
  await mkdir(early, { recursive: true });
  await mkdir(path.join(home, 'state/papers'), { recursive: true });
  await writeFile(path.join(early, 'job.json'), '{}');
  moveEarlierJobFiles(home);
  moveEarlierJobFiles(home);
  expect(await readdir(path.join(home, 'job-files/jobs/monday'))).toEqual(['job.json']);
  expect(await readdir(path.join(home, 'state'))).toEqual(['job-files']);
  expect(await readdir(early)).toEqual(['job.json']);
});

test('job files of an earlier version stay where they are when there are newer ones', async () => {
  const home = await temporaryFolder();
  for (const name of ['papers', 'job-files']) {
    await mkdir(path.join(home, name));
    await writeFile(path.join(home, name, name), '');
  }
  moveEarlierJobFiles(home);
  expect(await readdir(path.join(home, 'papers'))).toEqual(['papers']);
  expect(await readdir(path.join(home, 'job-files'))).toEqual(['job-files']);
});
