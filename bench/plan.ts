import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startS3Server } from '../local/s3/s3-server.ts';
import { planJob } from '../src/plan/plan-job.ts';
import { createS3Client, createS3Store } from '../src/store/s3-store.ts';
import { median } from './median.ts';

/**
 * Planning through real S3 calls to a local server, against a bare read-parse-write of the same lines from disk;
 * alternating, each run in a process of its own:
 * `node bench/plan.ts [entries] [rounds]`
 */
async function main(entries: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'image-press-bench-'));
  const bucket = (name: string) => ({ folder: join(folder, name), state: join(folder, 'state', name) });
  const server = await startS3Server({ buckets: { lists: bucket('lists'), work: bucket('work') } });
  try {
    await bundle(folder);
    await writeLists(folder, entries);
    const runs = { bare: [] as Run[], plan: [] as Run[], map: [] as Run[] };
    for (let round = 0; round < rounds; round++)
      for (const side of ['bare', 'plan', 'map'] as const)
        runs[side].push(await measure(side, folder, server.endpoint));
    await show(folder, entries, runs);
  } finally {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const PROGRAM = 'plan.mjs';

/** Both sides run from a bundle, as deployed: loading TypeScript alone takes 30 MB. */
async function bundle(folder: string): Promise<void> {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [fileURLToPath(import.meta.url)],
    outfile: join(folder, PROGRAM),
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['esbuild'],
    // Parts of the SDK are CommonJS and ask for node's modules by require.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}

interface Run {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly peakMb: number;
}

type Side = 'bare' | 'plan' | 'map';

const LISTS: Readonly<Record<Side, string>> = { bare: 'list.jsonl', plan: 'list.jsonl', map: 'map.json' };

async function measure(side: Side, folder: string, endpoint: string): Promise<Run> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(folder, PROGRAM),
    '--side',
    side,
    folder,
    endpoint,
  ]);
  return JSON.parse(stdout) as Run;
}

async function runSide(side: Side, folder: string, endpoint: string): Promise<void> {
  const start = performance.now();
  if (side === 'bare') await readParseWrite(join(folder, 'lists', LISTS.bare), join(folder, 'bare.jsonl'));
  else await plan(endpoint, LISTS[side]);
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const run: Run = {
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
    wallMs: performance.now() - start,
    peakMb: maxRSS / 1024,
  };
  process.stdout.write(JSON.stringify(run));
}

async function plan(endpoint: string, list: string): Promise<void> {
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const client = createS3Client({ endpoint, region: 'us-east-1', credentials, forcePathStyle: true });
  await planJob(
    { jobId: list, startedAt: '2026-01-01T00:00:00Z', input: { fileList: `s3://lists/${list}` } },
    { store: createS3Store(client), workBucket: 'work', defaultOutput: 's3://work/compressed/' },
  );
}

/** The minimum that planning could do: it reads, parses, serialises and writes each line. */
async function readParseWrite(from: string, to: string): Promise<void> {
  async function* rewritten(): AsyncIterable<string> {
    let carry = '';
    let ordinal = 0;
    for await (const chunk of createReadStream(from, 'utf8')) {
      const lines = (carry + chunk).split('\n');
      carry = lines.pop() ?? '';
      let text = '';
      for (const line of lines) text += `${JSON.stringify({ n: ordinal++, ...JSON.parse(line) })}\n`;
      yield text;
    }
  }
  await pipeline(Readable.from(rewritten()), createWriteStream(to));
}

async function writeLists(folder: string, entries: number): Promise<void> {
  await mkdir(join(folder, 'lists'), { recursive: true });
  const write = (name: string, text: () => Iterable<string>) =>
    pipeline(Readable.from(text()), createWriteStream(join(folder, 'lists', name)));
  await write(LISTS.plan, function* () {
    for (let i = 0; i < entries; i++)
      yield `{"bucket":"customer-photos","key":"${keyOf(i)}","size":${1_000_000 + i}}\n`;
  });
  await write(LISTS.map, function* () {
    for (let i = 0; i < entries; i++) {
      const opening = i === 0 ? '{' : i % 200 === 0 ? '],' : ',';
      yield i % 200 === 0 ? `${opening}"batch_${i / 200 + 1}":["${uriOf(i)}"` : `${opening}"${uriOf(i)}"`;
    }
    yield ']}';
  });
}

function keyOf(i: number): string {
  return `archive/2024/vehicle-${i % 97}/camera_${String(i).padStart(9, '0')}_left.jpg`;
}

function uriOf(i: number): string {
  return `s3://customer-photos/${keyOf(i)}`;
}

async function show(folder: string, entries: number, runs: Readonly<Record<Side, Run[]>>): Promise<void> {
  const cpu = (side: Side) => median(runs[side].map(({ cpuMs }) => cpuMs));
  for (const side of ['bare', 'plan', 'map'] as const) {
    const { size } = await stat(join(folder, 'lists', LISTS[side]));
    const peak = Math.max(...runs[side].map(({ peakMb }) => peakMb));
    const wall = median(runs[side].map(({ wallMs }) => wallMs));
    console.log(
      `${NAMES[side].padEnd(44)} ${(size / 1e6).toFixed(0).padStart(5)} MB  CPU ${(cpu(side) / 1000).toFixed(2)} s  ${Math.round(entries / (wall / 1000)).toLocaleString('en')} entries/s  peak ${peak.toFixed(0)} MB`,
    );
  }
  console.log(`CPU of planning ÷ bare: ${(cpu('plan') / cpu('bare')).toFixed(2)} (at most 3)`);
}

const NAMES: Readonly<Record<Side, string>> = {
  bare: 'bare read-parse-write of JSON Lines',
  plan: 'plan of JSON Lines (peak below 200 MB)',
  map: 'plan of a one-line batch map (below 250 MB)',
};

const [first, second, folder = '', endpoint = ''] = process.argv.slice(2);
if (first === '--side') await runSide(second as Side, folder, endpoint);
else await main(Number(first ?? 1_000_000), Number(second ?? 3));
