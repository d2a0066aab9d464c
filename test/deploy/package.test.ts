import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { unzipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildLayer } from '../../layers/build-layer.ts';
import { type S3Server, startS3Server } from '../../local/s3/s3-server.ts';
import type { BatchRef, BatchSummary } from '../../src/core/job.ts';
import type { PlanSummary } from '../../src/core/plan.ts';
import type { ReportSummary } from '../../src/report/report-job.ts';
import { type LoadedFunction, loadFunction } from '../support/lambda-runner.ts';
import { type PackagedService, packageService } from '../support/package-service.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const FUNCTIONS = ['start-job', 'plan-job', 'compress-batch', 'report-job', 'recompress-upload'];
const PHOTO = path.join(ROOT, 'node_modules/exif-js/example/DSCN0614_small.jpg');
/** Lambda's limit for layer and function together is 262,144,000 bytes. This project stays far below it. */
const MAX_UNZIPPED_BYTES = 80_000_000;

const folder = mkdtempSync(path.join(os.tmpdir(), 'image-press-packaged-'));
const pictures = path.join(folder, 'pictures');
let service: PackagedService;
let s3: S3Server;

beforeAll(async () => {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x86_64';
  mkdirSync(pictures);
  const buckets = {
    pictures: { folder: pictures, state: path.join(folder, 'pictures-state') },
    work: { folder: path.join(folder, 'work'), state: path.join(folder, 'work-state') },
  };
  [service, s3] = await Promise.all([packageService({ architecture, taskImage: 'none' }), startS3Server({ buckets })]);
});

afterAll(async () => {
  await s3?.close();
  await service?.remove();
  rmSync(folder, { recursive: true, force: true });
});

function load(name: string, layers: readonly string[] = [], environment: Record<string, string> = {}) {
  const { Properties } = Object.values(service.template.Resources).find(
    (resource) => resource.Properties?.FunctionName === `image-press-dev-${name}`,
  )!;
  return loadFunction({
    zip: path.join(service.folder, `${name}.zip`),
    layers: layers.map((layer) => path.join(service.folder, layer)),
    handler: Properties.Handler,
    memoryMb: Properties.MemorySize,
    environment: {
      AWS_ENDPOINT_URL_S3: s3.endpoint,
      NODE_OPTIONS: Properties.Environment.Variables.NODE_OPTIONS,
      WORK_BUCKET: 'work',
      OUTPUT_BUCKET: 'work',
      ...environment,
    },
  });
}

async function using<T>(loading: Promise<LoadedFunction>, run: (lambda: LoadedFunction) => Promise<T>) {
  const lambda = await loading;
  try {
    return await run(lambda);
  } finally {
    lambda.close();
  }
}

async function plan(jobId: string, input: object): Promise<PlanSummary> {
  const event = { jobId, startedAt: '2026-01-01T00:00:00.000Z', input };
  return (await using(load('plan-job'), (lambda) => lambda.invoke(event))) as PlanSummary;
}

function batchesOf(jobId: string): BatchRef[] {
  const lines = readFileSync(path.join(folder, 'work/jobs', jobId, 'batches.jsonl'), 'utf8');
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('the packaged functions, outside the repository, with only their layer', () => {
  it('plan, compress and report a job of a real picture', async () => {
    copyFileSync(PHOTO, path.join(pictures, 'photo.jpg'));
    const input = { fileList: 's3://pictures/', encoding: { mode: 'quality', quality: 60 } };

    const planned = await plan('job-1', input);
    const [batch] = batchesOf('job-1');
    const compress = load('compress-batch', ['sharp.zip']);
    const summary = (await using(compress, (lambda) => lambda.invoke(batch))) as BatchSummary;
    const executionState = { plan: planned };
    const report = (await using(load('report-job'), (lambda) =>
      lambda.invoke({ jobId: 'job-1', startedAt: '2026-01-01T00:00:00.000Z', executionState }),
    )) as ReportSummary;

    expect(planned).toMatchObject({ images: 1, batches: 1 });
    expect(summary).toMatchObject({ compressed: 1, failed: 0, remaining: 0 });
    expect(report).toMatchObject({
      status: 'SUCCEEDED',
      compressed: 1,
      lost: 0,
      report: 's3://work/jobs/job-1/report.json',
    });
    const output = path.join(folder, 'work/photo.jpg');
    expect(statSync(output).size).toBeLessThan(statSync(PHOTO).size);
    expect(statSync(output).size).toBe(summary.bytesOut);
    const [before, after] = await Promise.all([sharp(PHOTO).metadata(), sharp(output).metadata()]);
    expect([after.format, after.width, after.height]).toEqual(['jpeg', before.width, before.height]);
  });

  it('find the lossless codecs in the layer too', async () => {
    mkdirSync(path.join(pictures, 'lossless'), { recursive: true });
    copyFileSync(PHOTO, path.join(pictures, 'lossless/photo.jpg'));
    await sharp(PHOTO).png({ compressionLevel: 1 }).toFile(path.join(pictures, 'lossless/drawing.png'));
    await plan('job-2', { fileList: 's3://pictures/lossless/', encoding: { mode: 'lossless' } });

    const compress = load('compress-batch', ['sharp.zip']);
    const summary = await using(compress, (lambda) => lambda.invoke(batchesOf('job-2')[0]));

    expect(summary).toMatchObject({ failed: 0, remaining: 0 });
    expect((summary as BatchSummary).compressed).toBeGreaterThan(0);
  });

  it('report a user’s mistake with an error name that the state machine catches', async () => {
    await expect(plan('job-3', { fileList: 's3://pictures/no-such-list.json' })).rejects.toMatchObject({
      name: 'FileListError',
      message: expect.stringContaining('no-such-list.json'),
    });
    await expect(plan('job-4', { fileList: 's3://pictures/', qualty: 3 })).rejects.toMatchObject({
      name: 'JobInputError',
      message: expect.stringContaining('qualty'),
    });
  });

  it('log one JSON line per event, with job and batch', async () => {
    copyFileSync(PHOTO, path.join(pictures, 'photo.jpg'));
    await plan('job-5', { fileList: 's3://pictures/' });
    const lambda = await load('compress-batch', ['sharp.zip']);
    try {
      await lambda.invoke(batchesOf('job-5')[0]);
      const lines = lambda.log
        .join('')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(lines).toContainEqual(
        expect.objectContaining({ message: 'batch done', jobId: 'job-5', batchId: 'batch-000001' }),
      );
    } finally {
      lambda.close();
    }
  });

  it('recompress an upload in place, once', async () => {
    const upload = path.join(pictures, 'a b+c.jpg');
    await sharp(PHOTO).jpeg({ quality: 95, optimiseCoding: false }).toFile(upload);
    const before = statSync(upload).size;
    const notification = {
      Records: [
        {
          eventName: 'ObjectCreated:Put',
          s3: { bucket: { name: 'pictures' }, object: { key: 'a+b%2Bc.jpg' } },
        },
      ],
    };
    const message = {
      messageId: '1',
      body: JSON.stringify(notification),
      attributes: { ApproximateReceiveCount: '1' },
    };
    const lambda = await load('recompress-upload', ['sharp.zip']);
    try {
      expect(await lambda.invoke({ Records: [message] })).toEqual({ batchItemFailures: [] });
      const { size, mtimeMs } = statSync(upload);
      expect(size).toBeLessThan(before);
      expect(await lambda.invoke({ Records: [message] })).toEqual({ batchItemFailures: [] });
      expect(statSync(upload)).toMatchObject({ size, mtimeMs });
    } finally {
      lambda.close();
    }
  });

  it('start one execution for a list, however often its event is delivered', async () => {
    const started: Record<string, string>[] = [];
    const stepFunctions = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const input = JSON.parse(Buffer.concat(chunks).toString());
      const known = started.some(({ name }) => name === input.name);
      if (!known) started.push(input);
      const answer = known
        ? { __type: 'ExecutionAlreadyExists', message: 'Execution Already Exists' }
        : { executionArn: `arn:${input.name}`, startDate: 1 };
      response.writeHead(known ? 400 : 200, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(answer));
    }).listen(0, '127.0.0.1');
    await once(stepFunctions, 'listening');
    const endpoint = `http://127.0.0.1:${(stepFunctions.address() as AddressInfo).port}`;
    const lambda = await load('start-job', [], {
      AWS_ENDPOINT_URL_SFN: endpoint,
      STATE_MACHINE_ARN: 'arn:machine',
    });
    const object = { key: 'lists/my+holiday%2B1.json', sequencer: '0055AED6DCD90281E5' };
    const event = { Records: [{ s3: { bucket: { name: 'pictures' }, object } }] };
    try {
      expect(await lambda.invoke(event)).toMatchObject([{ outcome: 'started' }]);
      expect(await lambda.invoke(event)).toMatchObject([{ outcome: 'already-started' }]);
    } finally {
      lambda.close();
      stepFunctions.close();
    }
    expect(started).toHaveLength(1);
    expect(JSON.parse(started[0]!.input!)).toEqual({ fileList: 's3://pictures/lists/my holiday+1.json' });
    expect(started[0]!.name).toMatch(/^my-holiday-1-json-[0-9a-f]{20}$/);
  });
});

describe('a package that lacks a module', () => {
  it.each([
    'sharp',
    '@napi-rs/image',
    `@img/sharp-libvips-linux-${process.arch}`,
  ])('fails to load without %s in the layer', async (module) => {
    const lambda = await load('compress-batch', ['sharp.zip']);
    rmSync(path.join(lambda.opt, 'nodejs/node_modules', module), { recursive: true });
    try {
      await expect(lambda.invoke({})).rejects.toMatchObject({ name: 'Runtime.ImportModuleError' });
    } finally {
      lambda.close();
    }
  });

  it('fails to load without its layer, and without its own file', async () => {
    await using(load('compress-batch'), async (lambda) => {
      await expect(lambda.invoke({})).rejects.toMatchObject({
        name: 'Runtime.ImportModuleError',
        message: expect.stringContaining('Cannot find module'),
      });
    });
    await using(load('report-job'), async (lambda) => {
      rmSync(path.join(lambda.task, 'functions'), { recursive: true });
      await expect(lambda.invoke({})).rejects.toMatchObject({ name: 'Runtime.ImportModuleError' });
    });
  });
});

describe('the zips', () => {
  it('contain only the bundle, which includes the SDK, and its source map; native modules are in the layer', () => {
    for (const name of FUNCTIONS) {
      const files = Object.keys(unzipSync(readFileSync(path.join(service.folder, `${name}.zip`)))).sort();
      expect(files).toEqual([`functions/${name}.js`, `functions/${name}.js.map`]);
    }
  });

  it('stay far below Lambda’s limit for unzipped code', () => {
    const layer = unzippedBytes(path.join(service.folder, 'sharp.zip'));
    const largest = Math.max(...FUNCTIONS.map((name) => unzippedBytes(path.join(service.folder, `${name}.zip`))));
    expect(layer + largest).toBeLessThan(MAX_UNZIPPED_BYTES);
  });
});

describe('the layer for an architecture that may not be this machine’s', () => {
  const layers = { arm64: '', x64: '' };
  beforeAll(async () => {
    layers.arm64 = await buildLayer(ROOT, 'arm64');
    layers.x64 = await buildLayer(ROOT, 'x64');
  });

  it('has the same files for arm64 as for x86_64, except for the name of the architecture', () => {
    const neutral = (files: string[]) => files.map((file) => file.replaceAll(/arm64|x64/g, 'CPU')).sort();
    expect(neutral(filesBelow(layers.arm64))).toEqual(neutral(filesBelow(layers.x64)));
  });

  it('contains machine code of its own architecture only', () => {
    const machines = { arm64: 0xb7, x64: 0x3e };
    for (const cpu of ['arm64', 'x64'] as const) {
      const binaries = filesBelow(layers[cpu]).filter((file) => /\.node$|\.so[.\d]*$/.test(file));
      expect(binaries).toHaveLength(3);
      for (const file of binaries) {
        const elf = readFileSync(path.join(layers[cpu], file)).subarray(0, 20);
        expect(elf.toString('latin1', 0, 4)).toBe('\x7fELF');
        expect(elf.readUInt16LE(18)).toBe(machines[cpu]);
      }
    }
  });

  it('is reproducible: a second build has the same bytes', async () => {
    expect(digest(await buildLayer(folder, 'arm64'))).toBe(digest(layers.arm64));
  });

  it('has the versions that the project is tested with', () => {
    const root = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    const layer = JSON.parse(readFileSync(path.join(ROOT, 'layers/sharp/nodejs/package.json'), 'utf8'));
    for (const [name, version] of Object.entries(layer.dependencies)) {
      expect([name, version]).toEqual([name, root.dependencies[name]]);
      const installed = (at: string) =>
        JSON.parse(readFileSync(path.join(at, 'node_modules', name, 'package.json'), 'utf8')).version;
      expect(installed(path.join(layers.arm64, 'nodejs'))).toBe(installed(ROOT));
    }
  });
});

function unzippedBytes(zip: string): number {
  return Object.values(unzipSync(readFileSync(zip))).reduce((sum, bytes) => sum + bytes.length, 0);
}

function filesBelow(at: string): string[] {
  return readdirSync(at, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(at, path.join(entry.parentPath, entry.name)));
}

function digest(at: string): string {
  const hash = createHash('sha256');
  for (const file of filesBelow(at).sort()) hash.update(file).update(readFileSync(path.join(at, file)));
  return hash.digest('hex');
}
