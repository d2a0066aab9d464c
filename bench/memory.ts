/**
 * Whether the memory of a local run grows with the number of images: the peaks of the main process and of its hosts
 * over 500 and over 5,000 small photos, and the live heap of the main process after its last garbage collection. (A
 * peak includes garbage.) Linux only, because it reads /proc. `node bench/memory.ts [fewer] [more]`
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { makePhotos } from './photos.ts';

const counts = [Number(process.argv[2] ?? 500), Number(process.argv[3] ?? 5_000)];
const root = path.resolve(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const [, ...start] = scripts.start.split(' ');

const DIFFERENT_PHOTOS = 40;

const home = await mkdtemp(path.join(tmpdir(), 'bench-memory-'));
try {
  const different = path.join(home, 'photos');
  await makePhotos(different, DIFFERENT_PHOTOS, 640, 512);
  for (const count of counts) {
    const input = path.join(home, `in-${count}`);
    await spread(different, input, count);
    const peaks = await run(input, path.join(home, `out-${count}`, 'compressed'));
    const shown = Object.entries(peaks).map(([name, megabytes]) => `${name} ${megabytes.toFixed(0)} MB`);
    console.log(`${count} photos: ${shown.join(', ')}`);
  }
} finally {
  await rm(home, { recursive: true, force: true });
}

async function spread(from: string, to: string, count: number): Promise<void> {
  await mkdir(to);
  const names = readdirSync(from);
  for (let n = 0; n < count; n++)
    await copyFile(path.join(from, names[n % names.length] ?? ''), path.join(to, `${n}.jpg`));
}

/** Runs the command. @returns the peak memory of the main process and of any process that it started, in MB */
async function run(input: string, out: string): Promise<Record<'main' | 'hosts' | 'alive', number>> {
  const child = spawn(process.execPath, ['--trace-gc', ...start, input, '--out', out, '--effort', 'fast'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const peaks = { main: 0, hosts: 0, alive: 0 };
  createInterface(child.stdout).on('line', (line) => {
    const alive = /Mark-Compact .* -> ([\d.]+)/.exec(line)?.[1];
    if (alive) peaks.alive = Number(alive);
  });
  const { pid: main = 0 } = child;
  const sample = () => {
    peaks.main = Math.max(peaks.main, peakOf(main));
    for (const pid of childrenOf(main)) peaks.hosts = Math.max(peaks.hosts, peakOf(pid));
  };
  const timer = setInterval(sample, 50);
  const code = await new Promise((resolve) => child.once('exit', resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`The run ended with exit code ${code}`);
  return peaks;
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => statusOf(pid, 'PPid') === parent);
}

/** The kernel keeps the high-water mark, in kB: a late sample is enough. */
function peakOf(pid: number): number {
  return statusOf(pid, 'VmHWM') / 1024;
}

function statusOf(pid: number, field: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
