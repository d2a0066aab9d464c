import { execFile } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DescribeExecutionCommand, ListExecutionsCommand, SFNClient } from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobReport } from '../../src/core/report.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';
import { deleteRun, INPUT_BUCKET, OUTPUT_BUCKET, put, RUN, region, STATE_MACHINE_ARN, store } from './stack.ts';

const jobs: string[] = [];
afterAll(async () => {
  await deleteRun(INPUT_BUCKET);
  await deleteRun(INPUT_BUCKET, `lists/${RUN}`);
  await deleteRun(OUTPUT_BUCKET);
  for (const jobId of jobs) await deleteRun(OUTPUT_BUCKET, `jobs/${jobId}/`);
});

/** `npm run job` or `npm run restore`, as a user calls it. */
function run(command: 'job' | 'restore', ...args: string[]) {
  const file = path.join(import.meta.dirname, `../../local/cli/${command}.ts`);
  return new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(process.execPath, [file, ...args], (_error, stdout, stderr) =>
      resolve({ exitCode: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

async function runJob(list: string, settings: object) {
  const ended = await run(
    'job',
    `s3://${INPUT_BUCKET}/${RUN}${list}`,
    ...['--state-machine', STATE_MACHINE_ARN, '--json', '--settings', JSON.stringify(settings)],
  );
  const report = JSON.parse(ended.stdout || '{}') as JobReport;
  jobs.push(report.jobId);
  return { ...ended, report };
}

const bytesOf = async (bucket: string, key: string) => {
  const object = await store.get({ bucket, key: RUN + key });
  return object === undefined || object === 'not-modified' ? undefined : object.body;
};

const FAULTY = { 'broken.jpg': 'CorruptImage', 'missing.jpg': 'NotFound' };
const sources = Array.from({ length: Number(process.env.IMAGES ?? 40) }, (_, at) => `photos/a b+${at}.jpg`);
let photo: Uint8Array;

beforeAll(async () => {
  photo = await makeJpeg({ width: 640, height: 480, quality: 92 });
  const list = [...sources, ...Object.keys(FAULTY)].map((key) => `s3://${INPUT_BUCKET}/${RUN}${key}`);
  await Promise.all([
    ...sources.map((key) => put(INPUT_BUCKET, key, photo)),
    put(INPUT_BUCKET, 'broken.jpg', photo.subarray(0, photo.length / 2)),
  ]);
  await put(INPUT_BUCKET, 'list.json', JSON.stringify(list));
  await put(INPUT_BUCKET, 'good.json', JSON.stringify(list.slice(0, sources.length)));
});

describe('a job', () => {
  const settings = {
    output: `s3://${OUTPUT_BUCKET}/${RUN}`,
    toleratedFailurePercentage: 50,
  };

  test('accounts for every image over Lambda and Fargate, and names those that failed', async () => {
    // Every batch is "large": it runs on Fargate if the stack has it.
    const images = { perBatch: 10, fargateAbove: 5 };
    const { exitCode, report } = await runJob('list.json', { ...settings, images });
    expect(exitCode).toBe(1);
    expect(report).toMatchObject({
      status: 'SUCCEEDED',
      planned: sources.length + 2,
      compressed: sources.length,
      failed: 2,
      lost: 0,
    });
    const failures = report.failures.map(({ source, code }) => [source.split('/').at(-1), code]);
    expect(Object.fromEntries(failures)).toEqual(FAULTY);
  });

  test('does nothing twice', async () => {
    const { report } = await runJob('list.json', { ...settings, images: { perBatch: 10 } });
    expect(report).toMatchObject({ compressed: 0, skipped: sources.length, failed: 2, lost: 0 });
  });
});

describe('an in-place job', () => {
  test('replaces the images, and restore brings back every original', async () => {
    const { exitCode, report } = await runJob('good.json', { output: 'in-place' });
    expect(exitCode).toBe(0);
    expect(report).toMatchObject({ compressed: sources.length, lost: 0 });
    for (const key of sources) {
      expect((await bytesOf(INPUT_BUCKET, key))!.length).toBeLessThan(photo.length);
    }
    const restored = await run('restore', `s3://${OUTPUT_BUCKET}/jobs/${report.jobId}/undo.jsonl`);
    expect(restored).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining(`${sources.length} restored`),
    });
    for (const key of sources) expect(Buffer.from(photo).equals((await bytesOf(INPUT_BUCKET, key))!)).toBe(true);
  });
});

describe('a file list put under lists/', () => {
  test('starts a job', async () => {
    const name = `dropped-${RUN.split('/')[1]}`;
    await store.put({ bucket: INPUT_BUCKET, key: `lists/${RUN}${name}.json` }, Buffer.from('["http://x"]'));
    const execution = await executionNamed(name);
    expect(execution).toMatchObject({ status: 'FAILED', error: 'FileListError' });
    expect(execution.cause).toContain('"http://x"');
  });
});

async function executionNamed(name: string) {
  const client = new SFNClient({ region });
  for (;;) {
    await sleep(1000);
    const { executions } = await client.send(new ListExecutionsCommand({ stateMachineArn: STATE_MACHINE_ARN }));
    const found = executions?.find((execution) => execution.name!.startsWith(name));
    if (!found || found.status === 'RUNNING') continue;
    jobs.push(found.name!);
    return client.send(new DescribeExecutionCommand({ executionArn: found.executionArn }));
  }
}
