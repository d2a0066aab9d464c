import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Run, start } from '../../support/run-command.ts';
import { serveBucket } from '../../support/served-bucket.ts';

/** `npm start -- …args` with AWS settings that lead to `endpoint`; `interruptAt` presses Ctrl-C at these words. */
function startOn(
  cwd: string,
  endpoint: string,
  args: readonly string[],
  { credentials = true, interruptAt }: { credentials?: boolean; interruptAt?: RegExp } = {},
): Promise<Run> {
  const { AWS_PROFILE: _profile, ...own } = process.env;
  const keys = { AWS_ACCESS_KEY_ID: 'user', AWS_SECRET_ACCESS_KEY: 'user' };
  const env = {
    ...own,
    HOME: cwd,
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    ...(credentials ? keys : { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }),
  };
  return start(cwd, args, { env, interruptAt });
}

/** An S3 that takes every request and answers only those that ask whether anybody is there. */
async function startSilentS3(): Promise<string> {
  const server = createServer((request, response) => {
    if (request.method === 'HEAD') response.writeHead(200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'image-press-on-s3-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
const photo = () =>
  sharp({ create: { width: 320, height: 240, channels: 3, background: '#888', noise } })
    .jpeg({ quality: 95 })
    .toBuffer();

describe('npm start on s3://', () => {
  it('reads the images of the S3 that the AWS settings name, and writes to the folder alone', async () => {
    const { server, client, events } = await serveBucket();
    await client.send(new PutObjectCommand({ Bucket: 'photos', Key: 'in/a.jpg', Body: await photo() }));
    const cwd = await emptyFolder();
    const run = await startOn(cwd, server.endpoint, ['s3://photos/in/', '--json']);
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ planned: 1, compressed: 1 });
    expect(await readdir(path.join(cwd, 'compressed/in'))).toEqual(['a.jpg']);
    expect(events).toHaveLength(1);
    const log = await readFile(path.join(cwd, '.image-press/log.jsonl'), 'utf8');
    expect(log).not.toMatch(/Credential=|AWS_ACCESS_KEY_ID/);
  });

  it('says that nobody answers, where, and what to check', async () => {
    const run = await startOn(await emptyFolder(), 'http://127.0.0.1:9', ['s3://photos/in/']);
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(
      /^Expected an answer for s3:\/\/photos\/ from http:\/\/127\.0\.0\.1:9 but none came: .*ECONNREFUSED.*AWS_ENDPOINT_URL/,
    );
  });

  it('says that there are no credentials', async () => {
    const run = await startOn(await emptyFolder(), 'http://127.0.0.1:9', ['s3://photos/list.json'], {
      credentials: false,
    });
    expect(run.code).toBe(2);
    expect(run.stderr).toMatch(/^Expected AWS credentials for s3:\/\/photos\/ but found none.*AWS_PROFILE/);
  });

  it('shows that it is planning, and ends soon at Ctrl-C though S3 keeps it waiting', async () => {
    const run = await startOn(await emptyFolder(), await startSilentS3(), ['s3://photos/in/'], {
      interruptAt: /planning … 5 s\n$/,
    });
    expect(run.code).toBe(130);
    expect(run.stderr).toMatch(/Stopped while planning: nothing was compressed\.\n$/);
  }, 60_000);
});

describe('npm start on a list of s3:// URIs', () => {
  it('fails each image with the reason when nobody answers', async () => {
    const cwd = await emptyFolder();
    await writeFile(path.join(cwd, 'list.txt'), 's3://photos/a.jpg\ns3://photos/b.jpg\n');
    const run = await startOn(cwd, 'http://127.0.0.1:9', ['list.txt']);
    const report = JSON.parse(await readFile(/^data +(.*)$/m.exec(run.stdout)![1]!, 'utf8'));
    expect(report).toMatchObject({ planned: 2, failed: 2, lost: 0, failureCodes: { Unexpected: 2 } });
    expect(report.failures[0].message).toMatch(/S3Unreachable.*ECONNREFUSED/);
    expect(run.stdout).toContain(`log    ${path.join(await realpath(cwd), '.image-press/log.jsonl')}\n`);
  });
});
