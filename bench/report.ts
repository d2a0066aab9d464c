/**
 * The report over a million results in 5,000 batches on disk: wall time, CPU and peak memory, against a bare loop
 * that only reads and parses the same lines. `node bench/report.ts [images] [batches]`
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { jobKeys } from '../src/core/job-keys.ts';
import type { ObjectStore } from '../src/core/object-store.ts';
import { reportJob } from '../src/report/report-job.ts';
import { DEFAULT_COMPRESSION } from '../src/settings/job-input.ts';

const JOB_ID = 'million';
const LINES_PER_PART = 100;

export interface ReportBench {
  readonly images: number;
  readonly batches: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly bareCpuSeconds: number;
  readonly peakMegabytes: number;
}

export async function benchReport(images = 1_000_000, batches = 5_000): Promise<ReportBench> {
  const root = await mkdtemp(path.join(tmpdir(), 'bench-report-'));
  try {
    const bytes = await writeJobFiles(root, images, batches);
    const bare = process.cpuUsage();
    await parseEverything(path.join(root, jobKeys.results(JOB_ID)));
    const bareCpuSeconds = cpuSecondsSince(bare);
    const memory = watchMemory();
    const cpu = process.cpuUsage();
    const start = performance.now();
    const host = { store: folderStore(root), workBucket: 'work', jobFiles: root, now: () => new Date() };
    const { compressed, kept, failed, lost } = await reportJob({ jobId: JOB_ID }, host);
    const seconds = (performance.now() - start) / 1000;
    const cpuSeconds = cpuSecondsSince(cpu);
    if (lost !== 0 || compressed + kept + failed !== images) throw new Error('The report missed images');
    return { images, batches, bytes, seconds, cpuSeconds, bareCpuSeconds, peakMegabytes: memory.stop() };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function writeJobFiles(root: string, images: number, batches: number): Promise<number> {
  const perBatch = Math.ceil(images / batches);
  const refs: string[] = [];
  let bytes = 0;
  for (let batch = 0; batch < batches; batch++) {
    const first = batch * perBatch;
    const count = Math.min(perBatch, images - first);
    const batchId = `batch-${String(batch + 1).padStart(6, '0')}`;
    refs.push(JSON.stringify({ jobId: JOB_ID, batchId, bucket: 'work', start: 0, end: 0, count, host: 'lambda' }));
    const folder = path.join(root, jobKeys.batchResults(JOB_ID, batchId));
    await mkdir(folder, { recursive: true });
    for (let from = 0; from < count; from += LINES_PER_PART) {
      const lines = Array.from({ length: Math.min(LINES_PER_PART, count - from) }, (_, n) =>
        resultLine(batchId, first + from + n),
      );
      const text = lines.join('');
      bytes += text.length;
      await writeFile(path.join(folder, `001-aaaaaaaa-${String(from / LINES_PER_PART).padStart(5, '0')}.jsonl`), text);
    }
  }
  await writeFile(path.join(root, jobKeys.batches(JOB_ID)), `${refs.join('\n')}\n`);
  const job = { jobId: JOB_ID, compression: DEFAULT_COMPRESSION, toleratedFailurePercentage: 10 };
  await writeFile(path.join(root, jobKeys.job(JOB_ID)), JSON.stringify(job));
  return bytes;
}

function resultLine(batchId: string, index: number): string {
  const key = `archive/2026/11/camera-${index % 7}/IMG_${String(index).padStart(8, '0')}.JPG`;
  const identity = { index, batchId, source: `s3://pictures-in/${key}` };
  const bytesIn = 1_500_000 + ((index * 7919) % 3_000_000);
  const encoding = { format: 'jpeg', lossless: false, quality: 78, effort: 'best', progressive: true };
  const outcome =
    index % 50 === 0
      ? { status: 'failed', code: 'CorruptImage', message: 'VipsJpeg: premature end of JPEG image' }
      : index % 9 === 0
        ? { status: 'kept', reason: 'no-gain', bytesIn, output: `s3://pictures-out/${key}` }
        : {
            status: 'compressed',
            output: `s3://pictures-out/${key}`,
            bytesIn,
            bytesOut: bytesIn >> 1,
            encoding,
          };
  return `${JSON.stringify({ ...identity, ...outcome })}\n`;
}

/** The baseline: reads and parses every results file, and does nothing else. */
async function parseEverything(folder: string): Promise<void> {
  for (const name of await readdir(folder, { recursive: true })) {
    if (!name.endsWith('.jsonl')) continue;
    const text = await readFile(path.join(folder, name), 'utf8');
    for (const line of text.split('\n')) if (line) JSON.parse(line);
  }
}

/** The calls of an object store that a report needs, on plain files. */
function folderStore(root: string): ObjectStore {
  const refuse = (): never => {
    throw new Error('Not needed by the report');
  };
  return {
    head: async ({ key }) => {
      const found = await stat(path.join(root, key)).catch(() => undefined);
      return found && { etag: '', size: found.size, metadata: {}, tagCount: 0, archived: false };
    },
    get: async ({ key }) => {
      const body = await readFile(path.join(root, key));
      return { etag: '', size: body.length, metadata: {}, tagCount: 0, archived: false, body };
    },
    read: async function* ({ key }) {
      yield await readFile(path.join(root, key));
    },
    put: async ({ key }, body) => {
      await writeFile(path.join(root, key), body);
      return { etag: '' };
    },
    upload: async ({ key }, chunks) => {
      await writeFile(path.join(root, key), chunks);
    },
    list: async function* (_bucket, prefix) {
      const folder = path.join(root, prefix);
      const names = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
      for (const name of names.sort()) {
        const found = await stat(path.join(folder, name));
        if (found.isFile()) yield { key: prefix + name, size: found.size, etag: '' };
      }
    },
    versioning: refuse,
    tags: refuse,
  };
}

function cpuSecondsSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function watchMemory() {
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const timer = setInterval(look, 50);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return Math.round(peak / 1e6);
    },
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [images, batches] = process.argv.slice(2).map(Number);
  const { bytes, seconds, cpuSeconds, bareCpuSeconds, peakMegabytes } = await benchReport(images, batches);
  console.log(`${Math.round(bytes / 1e6)} MB of results, ${seconds.toFixed(1)} s, peak ${peakMegabytes} MB`);
  console.log(`CPU ${cpuSeconds.toFixed(1)} s, ${(cpuSeconds / bareCpuSeconds).toFixed(2)} × bare read and parse`);
}
