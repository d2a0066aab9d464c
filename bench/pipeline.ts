import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makePhotos } from './photos.ts';

/**
 * The whole local pipeline (S3 server, state machine, handlers, checks, report) against a bare sharp loop with the
 * same encoder settings over the same files, in turn. Whole processes as npm starts them; and once more without
 * what a run over a single photo takes, which is start-up. Run: node bench/pipeline.ts [rounds]
 */
const rounds = Number(process.argv[2] ?? 3);
const CLASSES = [
  { name: '12 MP', width: 4000, height: 3000, count: 100 },
  { name: '1 MP', width: 1152, height: 864, count: 400 },
] as const;

const root = path.resolve(import.meta.dirname, '..');
const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
const [, ...start] = scripts.start.split(' ');

const home = await mkdtemp(path.join(tmpdir(), 'image-press-bench-'));
try {
  for (const { name, width, height, count } of CLASSES) {
    const input = path.join(home, name);
    console.error(`making ${count} photos of ${name} …`);
    await makePhotos(input, count, width, height);
    const one = path.join(home, `one of ${name}`);
    await mkdir(one);
    const [first] = await readdir(input);
    await copyFile(path.join(input, first!), path.join(one, first!));
    for (const effort of ['best', 'fast']) {
      const runs = { bare: [], whole: [], bareOne: [], wholeOne: [] } as Record<string, number[]>;
      for (let round = 0; round < rounds; round++) {
        // Outputs stay till the end: what a file system has just deleted slows down what is written next.
        const out = (kind: string) => path.join(home, `${name}-${effort}-${round}-${kind}`, 'out');
        runs.bare!.push(await seconds('bench/bare-loop.ts', input, out('bare'), effort));
        runs.whole!.push(await seconds(...start, input, '--out', out('whole'), '--effort', effort));
        runs.bareOne!.push(await seconds('bench/bare-loop.ts', one, out('bare one'), effort));
        runs.wholeOne!.push(await seconds(...start, one, '--out', out('whole one'), '--effort', effort));
      }
      report(`${name} ${effort}`, count, (width * height * count) / 1e6, runs);
    }
  }
} finally {
  await rm(home, { recursive: true, force: true });
}

function report(name: string, count: number, megapixels: number, runs: Record<string, number[]>): void {
  const [bare, whole, bareOne, wholeOne] = ['bare', 'whole', 'bareOne', 'wholeOne'].map((kind) =>
    median(runs[kind]!),
  ) as [number, number, number, number];
  const pace = (time: number) =>
    `${time.toFixed(2)} s  ${(count / time).toFixed(1)} images/s, ${(megapixels / time).toFixed(1)} MP/s`;
  console.log(`${name}, ${count} photos, median of ${rounds}:`);
  console.log(`  bare sharp loop   ${pace(bare)}`);
  console.log(`  image-press       ${pace(whole)}`);
  console.log(
    `  throughput ratio  ${(bare / whole).toFixed(2)}, without start-up (${wholeOne.toFixed(2)} s) ${((bare - bareOne) / (whole - wholeOne)).toFixed(2)}`,
  );
}

function seconds(...args: string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  let told = '';
  child.stderr.on('data', (chunk) => {
    told += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve((performance.now() - began) / 1000);
      else reject(new Error(`${args.join(' ')} ended with ${code}: ${told}`));
    });
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
