import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makePhotos } from './photos.ts';

/**
 * The whole local pipeline (S3 server, state machine, handlers, checks, report) against a bare sharp loop with the
 * same encoder settings over the same files, in turn. Whole processes, start-up included.
 * Run: node bench/pipeline.ts [rounds]
 */
const rounds = Number(process.argv[2] ?? 3);
const here = import.meta.dirname;
const CLASSES = [
  { name: '12 MP', width: 4000, height: 3000, count: 24 },
  { name: '1 MP', width: 1152, height: 864, count: 120 },
] as const;

const home = await mkdtemp(path.join(tmpdir(), 'image-press-bench-'));
try {
  for (const { name, width, height, count } of CLASSES) {
    const input = path.join(home, name);
    console.error(`making ${count} photos of ${name} …`);
    await makePhotos(input, count, width, height);
    for (const effort of ['best', 'fast']) {
      const bare: number[] = [];
      const whole: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const out = path.join(home, `${name}-${effort}-${round}`);
        bare.push(await seconds('bare-loop.ts', input, `${out}-bare`, effort));
        whole.push(await seconds('../local/main.ts', input, '--out', `${out}/whole`, '--effort', effort));
        await rm(out, { recursive: true, force: true });
        await rm(`${out}-bare`, { recursive: true, force: true });
      }
      report({
        name,
        effort,
        count,
        megapixels: (width * height * count) / 1e6,
        bare: median(bare),
        whole: median(whole),
      });
    }
  }
} finally {
  await rm(home, { recursive: true, force: true });
}

function report(row: {
  name: string;
  effort: string;
  count: number;
  megapixels: number;
  bare: number;
  whole: number;
}) {
  const { name, effort, count, megapixels, bare, whole } = row;
  const pace = (time: number) =>
    `${(count / time).toFixed(1)} images/s, ${(megapixels / time).toFixed(1)} MP/s`;
  console.log(`${name} ${effort}, ${count} photos, median of ${rounds}:`);
  console.log(`  bare sharp loop  ${bare.toFixed(2)} s  ${pace(bare)}`);
  console.log(`  image-press      ${whole.toFixed(2)} s  ${pace(whole)}`);
  console.log(`  throughput ratio ${(bare / whole).toFixed(2)}`);
}

function seconds(script: string, ...args: string[]): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [path.join(here, script), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (chunk) => {
    told += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (code === 0) resolve((performance.now() - start) / 1000);
      else reject(new Error(`${script} ended with ${code}: ${told}`));
    });
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
