import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serveBucket } from './served-bucket.ts';

const root = path.resolve(import.meta.dirname, '../..');

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm start -- …args` in an empty folder, with AWS settings that lead to `endpoint`. */
function start(cwd: string, endpoint: string, ...args: string[]): Promise<Run> {
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'user',
    AWS_SECRET_ACCESS_KEY: 'user',
  };
  const child = spawn(process.execPath, [path.join(root, 'local/main.ts'), ...args], { cwd, env });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
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
    const run = await start(cwd, server.endpoint, 's3://photos/in/', '--json');
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({ planned: 1, compressed: 1 });
    expect(await readdir(path.join(cwd, 'compressed/in'))).toEqual(['a.jpg']);
    expect(events).toHaveLength(1);
    const log = await readFile(path.join(cwd, '.image-press/log.jsonl'), 'utf8');
    expect(log).not.toMatch(/Credential=|AWS_ACCESS_KEY_ID/);
  });
});
