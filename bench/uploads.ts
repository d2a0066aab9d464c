import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { createQueue } from '../local/cloud/queue.ts';
import { startS3Server } from '../local/s3/s3-server.ts';
import { compressBytes } from '../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../src/codec/memory-budget.ts';
import type { BytesOutcome } from '../src/codec/outcome.ts';
import type { CompressionSettings } from '../src/core/job.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';
import { recompressUploads } from '../src/uploads/recompress-upload.ts';
import { parseUploadSettings } from '../src/uploads/upload-settings.ts';
import { createWriteRateLimit } from '../src/uploads/write-rate-limit.ts';
import { makePhotos } from './photos.ts';

/**
 * Photos of about 200 KB dropped into the upload bucket at once (S3 server, events, queue, function, all in this
 * process) until the queue is idle, compared with the lossless codec alone over the same files.
 * Run: node bench/uploads.ts [uploads]
 */
const uploads = Number(process.argv[2] ?? 1000);
const DIFFERENT = 40;
const CORES = availableParallelism();

const home = await mkdtemp(path.join(tmpdir(), 'image-press-bench-'));
try {
  const photos = await readPhotos(path.join(home, 'photos'));
  const names = Array.from({ length: uploads }, (_, n) => `burst/${n}.jpg`);
  const photoOf = (n: number) => photos[n % photos.length]!;
  const bytes = names.reduce((sum, _, n) => sum + photoOf(n).length, 0);
  console.log(`${uploads} uploads, ${Math.round(bytes / uploads / 1000)} KB on average, ${CORES} cores`);

  const alone = await measured(() => codecAlone(names.map((_, n) => photoOf(n))));
  const whole = await measured(() => dropAll(names, photoOf));
  const { writes, secondWrites, lost, saved } = whole.result;
  printTimes('codec alone', alone);
  printTimes('uploads until idle', whole);
  const [time, cpu] = [alone.seconds / whole.seconds, alone.cpuSeconds / whole.cpuSeconds];
  console.log(`  throughput ratio ${time.toFixed(2)} by the clock, ${cpu.toFixed(2)} by CPU time`);
  console.log(`  ${writes} written smaller, saved ${((100 * saved) / bytes).toFixed(1)} % of all bytes`);
  console.log(`  lost ${lost}, second writes ${secondWrites}`);
  if (lost > 0 || secondWrites > 0) process.exitCode = 1;
} finally {
  await rm(home, { recursive: true, force: true });
}

interface Measured<T> {
  readonly result: T;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function measured<T>(work: () => Promise<T>): Promise<Measured<T>> {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { result, seconds: (performance.now() - start) / 1000, cpuSeconds: (user + system) / 1e6 };
}

function printTimes(what: string, { seconds, cpuSeconds }: Measured<unknown>): void {
  const pace = (uploads / seconds).toFixed(1);
  console.log(`  ${what.padEnd(16)} ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU, ${pace} images/s`);
}

async function readPhotos(folder: string): Promise<Buffer[]> {
  await makePhotos(folder, DIFFERENT, 1024, 768);
  const names = await readdir(folder);
  return Promise.all(names.map((name) => readFile(path.join(folder, name))));
}

function codec(): (bytes: Uint8Array, settings: CompressionSettings) => Promise<BytesOutcome> {
  const budget = createMemoryBudget(2e9);
  return (bytes, settings) => compressBytes(bytes, settings, { budget });
}

async function codecAlone(files: readonly Buffer[]): Promise<void> {
  const compress = codec();
  const { compression } = parseUploadSettings(undefined);
  const queue = files.values();
  const work = async () => {
    for (const file of queue) await compress(file, compression);
  };
  await Promise.all(Array.from({ length: CORES }, work));
}

async function dropAll(names: readonly string[], photoOf: (n: number) => Buffer) {
  const written = new Map<string, number>();
  const server = await startS3Server({
    buckets: { uploads: { folder: path.join(home, 'uploads'), state: path.join(home, 'state') } },
    onEvent: (record) => {
      const { key } = record.s3.object;
      written.set(key, (written.get(key) ?? 0) + 1);
      queue.send(JSON.stringify({ Records: [record] }));
    },
  });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = createS3Client({ endpoint: server.endpoint, region: 'us-east-1', credentials });
  const store = createS3Store(client);
  let writes = 0;
  let saved = 0;
  const silent = () => {};
  const host = {
    store,
    compress: codec(),
    settings: parseUploadSettings(undefined),
    writeRateLimit: createWriteRateLimit(60),
    concurrency: CORES,
    closing: new AbortController().signal,
    ending: new AbortController().signal,
    log: { info: silent, warn: silent, error: silent },
    count: (metric: string, value: number) => {
      if (metric === 'UploadsCompressed') writes += value;
      if (metric === 'BytesIn') saved += value;
      if (metric === 'BytesOut') saved -= value;
    },
  };
  const queue = createQueue({
    name: 'uploads',
    invoke: (event) => recompressUploads(event, host),
    batchSize: 10,
    concurrency: 2,
    maxReceiveCount: 5,
    retryDelayMs: 1000,
    onDeadLetter: ({ body }) => console.error(`dead-letter: ${body}`),
  });
  const pending = names.entries();
  const put = async () => {
    for (const [n, key] of pending)
      await store.put({ bucket: 'uploads', key }, photoOf(n), { attributes: { contentType: 'image/jpeg' } });
  };
  await Promise.all(Array.from({ length: 8 }, put));
  await queue.idle();
  let found = 0;
  for await (const _ of store.list('uploads', '')) found += 1;
  await queue.close();
  client.destroy();
  await server.close();
  // The upload itself and one write of ours are what may happen to a key.
  const secondWrites = [...written.values()].filter((times) => times > 2).length;
  return { writes, secondWrites, saved, lost: names.length - found };
}
