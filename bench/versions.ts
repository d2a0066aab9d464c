/**
 * CPU of compressing photographs of 1 MP by this checkout, over that of another one, such as a git worktree of an earlier
 * commit with its own node_modules: `node bench/versions.ts OTHER [rounds] [words to find in the names]`. Both run
 * alternately, each in a process of its own; medians of the rounds.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { median } from './median.ts';
import { makePhotos } from './photos.ts';
import type { Sample, VersionTask } from './versions/compress-samples.ts';

const [other, roundCount = '9', ...words] = process.argv.slice(2);

const PHOTOS = 12;

const KINDS: Readonly<Record<string, (photo: Sharp) => Sharp>> = {
  '4:2:0 JPEG': (photo) => photo.jpeg({ quality: 92 }),
  '4:4:4 JPEG': (photo) => photo.jpeg({ quality: 92, chromaSubsampling: '4:4:4' }),
  'progressive JPEG': (photo) => photo.jpeg({ quality: 92, progressive: true }),
  PNG: (photo) => photo.png({ compressionLevel: 6 }),
};

/** How many photographs: slow settings need fewer. */
const SETTINGS: Readonly<Record<string, VersionTask>> = {
  fast: { settings: { effort: 'fast' }, photos: PHOTOS },
  best: { settings: { effort: 'best' }, photos: 6 },
  lossless: { settings: { mode: 'lossless' }, photos: 3 },
  auto: { settings: { mode: 'auto' }, photos: 3 },
  'to WebP': { settings: { format: 'webp' }, photos: 3 },
  'to AVIF': { settings: { format: 'avif' }, photos: 2 },
};

if (other) await compare(path.resolve(other));
else console.log('  left out: give it the folder of another checkout');

async function compare(otherRoot: string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-versions-'));
  const versions = [startVersion(path.resolve(import.meta.dirname, '..')), startVersion(otherRoot)] as const;
  try {
    for (const [kind, files] of Object.entries(await makeSamples(folder)))
      for (const [setting, task] of Object.entries(SETTINGS)) {
        const name = `${kind}, ${setting}`;
        if (words.every((word) => name.includes(word))) await report(name, files, task, versions);
      }
  } finally {
    for (const version of versions) version.kill();
    await rm(folder, { recursive: true });
  }
}

async function makeSamples(folder: string): Promise<Record<string, string[]>> {
  const photos = path.join(folder, 'photos');
  await makePhotos(photos, PHOTOS, 1152, 864);
  const samples: Record<string, string[]> = {};
  for (const name of (await readdir(photos)).sort())
    for (const [kind, encode] of Object.entries(KINDS)) {
      const file = path.join(folder, `${kind.replaceAll(/\W/g, '')}-${name}`);
      await writeFile(file, await encode(sharp(path.join(photos, name))).toBuffer());
      samples[kind] = [...(samples[kind] ?? []), file];
    }
  return samples;
}

async function report(
  name: string,
  files: readonly string[],
  task: VersionTask,
  [mine, theirs]: readonly [ChildProcess, ChildProcess],
): Promise<void> {
  // A PNG takes seconds.
  const sample = { files: files.slice(0, name.startsWith('PNG') ? 1 : task.photos), settings: task.settings };
  const ratios: number[] = [];
  const [own, others]: [number[], number[]] = [[], []];
  for (let round = -1; round < Number(roundCount); round++) {
    const order = round % 2 === 0 ? [mine, theirs] : [theirs, mine];
    const cpu = new Map<ChildProcess, number>();
    for (const version of order) cpu.set(version, await cpuOf(version, sample));
    // The first round compiles.
    if (round < 0) continue;
    own.push(cpu.get(mine) ?? 0);
    others.push(cpu.get(theirs) ?? 0);
    ratios.push((cpu.get(mine) ?? 0) / (cpu.get(theirs) ?? 0));
  }
  const each = (values: readonly number[]) => (median(values) / sample.files.length).toFixed(1).padStart(7);
  console.log(
    `  ${name.padEnd(28)}${each(own)} ms an image against ${each(others)}`,
    `  ratio of medians ${(median(own) / median(others)).toFixed(3)}, median of ratios ${median(ratios).toFixed(3)}`,
  );
}

function startVersion(root: string): ChildProcess {
  return fork(path.join(import.meta.dirname, 'versions', 'compress-samples.ts'), [root]);
}

function cpuOf(version: ChildProcess, sample: Sample): Promise<number> {
  const answer = new Promise<number>((resolve, reject) => {
    version.once('message', (milliseconds) => resolve(Number(milliseconds)));
    version.once('exit', (code) => reject(new Error(`Expected an answer but the process ended with ${code}`)));
  });
  version.send(sample);
  return answer.finally(() => version.removeAllListeners('exit'));
}
