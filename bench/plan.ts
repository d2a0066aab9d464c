import { spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { ObjectStore } from '../src/core/object-store.ts';
import type { S3Location } from '../src/core/s3-uri.ts';
import { planJob } from '../src/plan-job.ts';

/**
 * Planning beside a bare read-parse-write of the same lines, in turns, each run in a process of its own:
 * `node bench/plan.ts [entries] [rounds]`
 */
async function main(entries: number, rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'image-press-bench-'));
  try {
    await writeLists(folder, entries);
    const runs = { bare: [] as Run[], plan: [] as Run[], map: [] as Run[] };
    for (let round = 0; round < rounds; round++)
      for (const side of ['bare', 'plan', 'map'] as const) runs[side].push(measure(side, folder));
    await show(folder, entries, runs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Run {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly peakMb: number;
}

type Side = 'bare' | 'plan' | 'map';

const LISTS: Readonly<Record<Side, string>> = { bare: 'list.jsonl', plan: 'list.jsonl', map: 'map.json' };

function measure(side: Side, folder: string): Run {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), '--side', side, folder],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`The run '${side}' failed: ${stderr}`);
  return JSON.parse(stdout) as Run;
}

async function runSide(side: Side, folder: string): Promise<void> {
  const start = performance.now();
  if (side === 'bare') await readParseWrite(join(folder, 'lists', LISTS.bare), join(folder, 'bare.jsonl'));
  else await plan(folder, LISTS[side]);
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const run: Run = {
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
    wallMs: performance.now() - start,
    peakMb: maxRSS / 1024,
  };
  process.stdout.write(JSON.stringify(run));
}

async function plan(folder: string, list: string): Promise<void> {
  await planJob(
    { jobId: list, startedAt: '2026-01-01T00:00:00Z', input: { fileList: `s3://lists/${list}` } },
    { store: folderStore(folder), workBucket: 'work', defaultOutput: 's3://work/compressed/' },
  );
}

/** The least that planning could do: each line read, parsed, made anew and written. */
async function readParseWrite(from: string, to: string): Promise<void> {
  async function* remade(): AsyncIterable<string> {
    let carry = '';
    let ordinal = 0;
    for await (const chunk of createReadStream(from, 'utf8')) {
      const lines = (carry + chunk).split('\n');
      carry = lines.pop()!;
      let text = '';
      for (const line of lines) text += `${JSON.stringify({ n: ordinal++, ...JSON.parse(line) })}\n`;
      yield text;
    }
  }
  await pipeline(Readable.from(remade()), createWriteStream(to));
}

/** Objects as plain files: the same disk for both sides. */
function folderStore(folder: string): ObjectStore {
  const pathOf = ({ bucket, key }: S3Location) => join(folder, bucket, key);
  const unused = () => Promise.reject(new Error('Planning does not call this'));
  const upload: ObjectStore['upload'] = async (location, chunks) => {
    await mkdir(dirname(pathOf(location)), { recursive: true });
    await pipeline(Readable.from(chunks), createWriteStream(pathOf(location)));
  };
  return {
    read: (location) => createReadStream(pathOf(location)),
    upload,
    async put(location, body) {
      async function* once() {
        yield body;
      }
      await upload(location, once(), '');
      return { etag: '' };
    },
    async *list() {},
    head: unused,
    get: unused,
    tags: unused,
  } as ObjectStore;
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

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const [first, ...rest] = process.argv.slice(2);
if (first === '--side') await runSide(rest[0] as Side, rest[1]!);
else await main(Number(first ?? 1_000_000), Number(rest[0] ?? 3));
