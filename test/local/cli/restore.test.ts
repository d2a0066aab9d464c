import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startS3Server } from '../../../local/s3/s3-server.ts';
import type { UndoEntry } from '../../../src/core/undo.ts';
import { createS3Client, createS3Store } from '../../../src/store/s3-store.ts';
import { IN_PLACE, runImage } from '../../support/image-jobs.ts';
import { temporaryFolder } from '../../support/served-bucket.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function restore(args: readonly string[], endpoint: string): Promise<Ended> {
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL_S3: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  };
  const script = path.resolve('local/cli/restore.ts');
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });
}

const OUTPUT = 'image-press-dev-output-1-eu';

async function compressedImages() {
  const root = await temporaryFolder();
  const server = await startS3Server({
    buckets: {
      photos: { folder: path.join(root, 'photos'), state: path.join(root, 'state'), versioned: true },
      [OUTPUT]: { folder: path.join(root, 'output'), state: path.join(root, 'output-state') },
      'image-press-prod-output-1-eu': { folder: path.join(root, 'prod'), state: path.join(root, 'prod-state') },
    },
  });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = createS3Client({ endpoint: server.endpoint, region: 'us-east-1', credentials });
  onTestFinished(async () => {
    client.destroy();
    await server.close();
  });
  const store = createS3Store(client);
  const undone: UndoEntry[] = [];
  for (const key of ['a.jpg', 'b c.jpg']) {
    await store.put({ bucket: 'photos', key }, Buffer.from('original '.repeat(100)));
    const onUndo = (entry: UndoEntry) => void undone.push(entry);
    await runImage(store, `s3://photos/${key}`, { job: IN_PLACE, onUndo });
  }
  const lines = undone.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const file = path.join(root, 'undo.jsonl');
  await writeFile(file, lines);
  await store.put({ bucket: 'photos', key: 'jobs/undo.jsonl' }, Buffer.from(lines));
  await store.put({ bucket: OUTPUT, key: 'jobs/monday/undo.jsonl' }, Buffer.from(lines));
  return { server, store, file };
}

test('restores what the list names, names what it must not touch, and sets the exit code', async () => {
  const { server, store, file } = await compressedImages();
  await store.put({ bucket: 'photos', key: 'a.jpg' }, Buffer.from('newer'));
  const first = await restore([file], server.endpoint);
  expect(first.code).toBe(1);
  expect(first.stdout).toMatch(/^restored s3:\/\/photos\/b c\.jpg from version \S+\n$/);
  expect(first.stderr).toContain('refused s3://photos/a.jpg: it has changed since it was compressed');
  expect(first.stderr).toContain('1 restored, 0 are already the original, 1 refused, 0 failed');
  expect((await store.head({ bucket: 'photos', key: 'b c.jpg' }))?.size).toBe(900);
});

test('reads the list from S3, and in a dry run writes nothing', async () => {
  const { server, store } = await compressedImages();
  const ended = await restore(['s3://photos/jobs/undo.jsonl', '--dry-run'], server.endpoint);
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('2 can be restored') });
  expect(ended.stdout).toMatch(/^(would restore s3:\/\/photos\/\S+.* from version \S+\n){2}$/);
  expect((await store.head({ bucket: 'photos', key: 'a.jpg' }))?.size).toBe(450);
});

test('finds the list of a job by its name', async () => {
  const { server, store } = await compressedImages();
  const ended = await restore(['monday'], server.endpoint);
  expect(ended).toMatchObject({ code: 0, stderr: expect.stringContaining('2 restored') });
  expect((await store.head({ bucket: 'photos', key: 'a.jpg' }))?.size).toBe(900);

  const none = await restore(['tuesday'], server.endpoint);
  expect(none.code).toBe(2);
  expect(none.stderr).toMatch(
    /^Expected one undo\.jsonl of the job tuesday but found none in image-press-\S+, image-press-\S+\. /,
  );
  const twice = { bucket: 'image-press-prod-output-1-eu', key: 'jobs/monday/undo.jsonl' };
  await store.put(twice, Buffer.from(''));
  const several = await restore(['monday', '--dry-run'], server.endpoint);
  expect(several).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('name the one to restore') });
});

test('refuses wrong usage and a file that is not an undo.jsonl, naming the line', async () => {
  const { server, file } = await compressedImages();
  await writeFile(file, '{"bucket":"photos","key":"a.jpg"}\n');
  const [noKey, noFile, noList, unknownOption, notUndo] = await Promise.all([
    restore(['s3://photos/'], server.endpoint),
    restore(['gone.jsonl'], server.endpoint),
    restore([], server.endpoint),
    restore(['--forse', file], server.endpoint),
    restore([file], server.endpoint),
  ]);
  expect([noKey.code, noFile.code]).toEqual([2, 2]);
  expect(noKey.stderr).toMatch(/^Expected s3:\/\/bucket\/key of an undo\.jsonl but received s3:\/\/photos\/\n/);
  expect(noFile.stderr).toMatch(/^Expected an undo\.jsonl but there is no \/.*gone\.jsonl\n$/);
  expect([noList.code, unknownOption.code, notUndo.code]).toEqual([2, 2, 3]);
  expect(notUndo.stderr).toContain(`${file}:1 but received {"bucket":"photos","key":"a.jpg"}`);
});
