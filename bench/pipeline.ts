import { spawn } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { median } from './median.ts';
import { makePhotos } from './photos.ts';

/**
 * The complete local pipeline (S3 server, state machine, handlers, checks, report) against a bare sharp loop with the
 * same encoder settings over the same files, alternating. Times are of processes as npm starts them, and also without
 * start-up, which is the time of a run over a single photo. Run: node bench/pipeline.ts [rounds]
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
    if (first) await copyFile(path.join(input, first), path.join(one, first));
    for (const effort of ['best', 'fast']) {
      const runs: Runs = { bare: [], pipeline: [], bareOne: [], pipelineOne: [] };
      for (let round = 0; round < rounds; round++) {
        // Outputs stay until the end: deleting files slows down the writes that follow.
        const out = (kind: string) => path.join(home, `${name}-${effort}-${round}-${kind}`, 'out');
        runs.bare.push(await seconds('bench/bare-loop.ts', input, out('bare'), effort));
        runs.pipeline.push(await seconds(...start, input, '--out', out('pipeline'), '--effort', effort));
        runs.bareOne.push(await seconds('bench/bare-loop.ts', one, out('bare one'), effort));
        runs.pipelineOne.push(await seconds(...start, one, '--out', out('pipeline one'), '--effort', effort));
      }
      report(`${name} ${effort}`, count, (width * height * count) / 1e6, runs);
    }
  }
} finally {
  await rm(home, { recursive: true, force: true });
}

type Runs = Record<'bare' | 'pipeline' | 'bareOne' | 'pipelineOne', number[]>;

function report(name: string, count: number, megapixels: number, runs: Runs): void {
  const [bare, pipeline] = [median(runs.bare), median(runs.pipeline)];
  const [bareOne, pipelineOne] = [median(runs.bareOne), median(runs.pipelineOne)];
  const pace = (time: number) =>
    `${time.toFixed(2)} s  ${(count / time).toFixed(1)} images/s, ${(megapixels / time).toFixed(1)} MP/s`;
  console.log(`${name}, ${count} photos, median of ${rounds}:`);
  console.log(`  bare sharp loop   ${pace(bare)}`);
  console.log(`  image-press       ${pace(pipeline)}`);
  console.log(
    `  throughput ratio  ${(bare / pipeline).toFixed(2)}, without start-up (${pipelineOne.toFixed(2)} s) ${((bare - bareOne) / (pipeline - pipelineOne)).toFixed(2)}`,
  );
}

function seconds(...args: string[]): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve((performance.now() - began) / 1000);
      else reject(new Error(`${args.join(' ')} ended with ${code}: ${stderr}`));
    });
  });
}
