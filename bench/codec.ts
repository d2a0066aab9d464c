/**
 * The figures of the codec and of its peers in one run: `node bench/codec.ts [folder of pictures] [folder of
 * photographs]`. Without folders it works on photographs that npm packages ship and on enlarged ones with grain.
 * Peers (Pillow, jpegtran, jpegoptim) are compared where they are installed, and skipped where they are not.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { compressBytes } from '../src/codec/compress-bytes.ts';
import { encodeImage } from '../src/codec/encode-image.ts';
import { ImageFile } from '../src/codec/image-file.ts';
import { inspectImage } from '../src/codec/inspect-image.ts';
import { createMemoryBudget } from '../src/codec/memory-budget.ts';
import type { BytesOutcome } from '../src/codec/outcome.ts';
import type { CompressionSettings } from '../src/core/job.ts';
import type { EncodeRecipe } from '../src/core/recipe.ts';
import { DEFAULT_COMPRESSION } from '../src/settings/job-input.ts';
import { compareAtEqualScore, ENCODERS, mean, readPhotos } from './equal-appearance.ts';
import { makePhotos } from './photos.ts';
import { isOrdinaryJpeg, megapixelsOf, type Picture, readPicture, readPictures } from './pictures.ts';

const ROUNDS = 3;
const budget = createMemoryBudget(8e9);

async function main(): Promise<void> {
  const own = mkdtempSync(join(tmpdir(), 'codec-bench-'));
  try {
    const [pictureFolder, photoFolder] = process.argv.slice(2);
    if (!pictureFolder) await makePhotos(own, 6, 4000, 3000);
    const pictures = readPictures(pictureFolder ?? own);
    const jpegs = pictures.filter(isOrdinaryJpeg);
    await reportAppearance(photoFolder);
    await reportCost(jpegs);
    reportPillow(jpegs);
    await reportLosslessJpeg(jpegs, own);
    await reportLosslessPng(pictures.filter(({ facts }) => facts.format === 'png'));
    await reportDamage(pictures);
    await reportMemory(own);
  } finally {
    rmSync(own, { recursive: true });
  }
}

async function reportAppearance(folder: string | undefined): Promise<void> {
  const photos = await readPhotos(folder);
  console.log(`\nBytes at equal SSIMULACRA2 against libjpeg at quality 70, ${photos.length} photographs`);
  for (const [name, encode] of Object.entries(ENCODERS)) {
    const { quality, bytes } = await compareAtEqualScore(photos, encode, [70]);
    row(name, mean(bytes[0]!).toFixed(3), `at its quality ${mean(quality[0]!).toFixed(1)}`);
  }
}

/** CPU of each way through the codec, and of the same encoder without any check around it. */
async function reportCost(jpegs: readonly Picture[]): Promise<void> {
  const megapixels = megapixelsOf(jpegs);
  console.log(
    `\nCPU seconds per megapixel, ${jpegs.length} JPEGs of ${megapixels.toFixed(1)} MP, least of ${ROUNDS} rounds`,
  );
  const runs: readonly (readonly [string, Partial<CompressionSettings>])[] = [
    ['fast', { effort: 'fast' }],
    ['best', {}],
    ['lossless', { mode: 'lossless' }],
    ['auto', { mode: 'auto' }],
    ['webp', { format: 'webp' }],
    ['avif', { format: 'avif' }],
  ];
  for (const [name, changes] of runs) {
    const settings = { ...EAGER, ...changes };
    const bare = changes.mode ? undefined : () => encodeAll(jpegs, settings);
    const [whole, encoder] = await leastCpu([() => compressAll(jpegs, settings), bare ?? (async () => {})]);
    const share = bare
      ? `bare encoder ${(encoder! / megapixels).toFixed(4)}, ratio ${(encoder! / whole!).toFixed(2)}`
      : '';
    row(name, (whole! / megapixels).toFixed(4), share);
  }
}

async function compressAll(pictures: readonly Picture[], settings: CompressionSettings): Promise<BytesOutcome[]> {
  const outcomes = [];
  for (const { bytes } of pictures) outcomes.push(await compressBytes(bytes, settings, { budget }));
  return outcomes;
}

async function encodeAll(pictures: readonly Picture[], settings: CompressionSettings): Promise<void> {
  const format = settings.format === 'keep' || settings.format === 'smallest' ? 'jpeg' : settings.format;
  const recipe: EncodeRecipe = { action: 'encode', format, lossless: false, quality: settings.quality };
  for (const { bytes: source, facts } of pictures) {
    await encodeImage({ source: new ImageFile(source), facts, recipe, settings, timeLimitMs: 300_000 });
  }
}

/** 70, as the Pillow loop that many archives were written with. */
const EAGER: CompressionSettings = {
  ...DEFAULT_COMPRESSION,
  quality: 70,
  minSavings: { percent: 0, bytes: 1 },
};

const PILLOW = `
import io, os, sys, time
from PIL import Image
files = [open(f, 'rb').read() for f in sys.argv[2:]]
least, size = 1e9, 0
for _ in range(int(sys.argv[1])):
    start, size = time.process_time(), 0
    for data in files:
        out = io.BytesIO()
        Image.open(io.BytesIO(data)).save(out, 'JPEG', quality=70)
        size += out.tell()
    least = min(least, time.process_time() - start)
print(least, size)
`;

function reportPillow(jpegs: readonly Picture[]): void {
  console.log('\nThe fast preset against the Pillow loop, quality 70, the same files in turn');
  const files = jpegs.filter(({ facts }) => facts.colour === 'rgb').map(({ file }) => file);
  const python = ['/usr/bin/python3', 'python3'].find((name) => spawnSync(name, ['-c', 'import PIL']).status === 0);
  if (!python) {
    row('Pillow', 'not installed');
    return;
  }
  const [ours, pillow] = [[] as number[][], [] as number[][]];
  for (let round = 0; round < ROUNDS; round++) {
    pillow.push(numbersFrom(spawnSync(python, ['-c', PILLOW, '2', ...files])));
    ours.push(numbersFrom(spawnSync(process.execPath, [process.argv[1]!, '--fast', ...files])));
  }
  const least = (runs: number[][]) => Math.min(...runs.map(([cpu]) => cpu!));
  row('CPU over Pillow', (least(ours) / least(pillow)).toFixed(3), 'all checks included');
  row('bytes over Pillow', (ours[0]![1]! / pillow[0]![1]!).toFixed(3), 'at 71 for 70');
}

/** The child of reportPillow: CPU and bytes of the fast preset over the files. */
async function runFast(files: readonly string[]): Promise<void> {
  const pictures = files.flatMap((file) => readPicture(file) ?? []);
  const settings = { ...EAGER, effort: 'fast' } as const;
  const outcomes = await compressAll(pictures, settings);
  const [cpu] = await leastCpu([() => compressAll(pictures, settings)]);
  console.log(cpu, sizeOf(outcomes, pictures));
}

async function reportLosslessJpeg(jpegs: readonly Picture[], folder: string): Promise<void> {
  console.log(`\nLossless JPEG with all metadata, ${jpegs.length} files`);
  const outcomes = await compressAll(jpegs, { ...EAGER, mode: 'lossless' });
  const before = jpegs.reduce((sum, { bytes }) => sum + bytes.length, 0);
  row('bytes of source', (sizeOf(outcomes, jpegs) / before).toFixed(3));
  for (const [name, peer] of Object.entries(LOSSLESS_PEERS)) {
    const sizes = jpegs.map(({ file, bytes }) => Math.min(peer(file, folder) ?? Number.NaN, bytes.length));
    if (sizes.some(Number.isNaN)) {
      row(name, 'not installed');
      continue;
    }
    const ours = outcomes.map((outcome, index) => sizeAfter(outcome, jpegs[index]!));
    const fewer = ours.filter((size, index) => size < sizes[index]!).length;
    const total = sizes.reduce((sum, size) => sum + size, 0);
    row(name, (total / before).toFixed(3), `ours has fewer bytes on ${fewer} of ${jpegs.length} files`);
  }
}

const LOSSLESS_PEERS: Readonly<Record<string, (file: string, folder: string) => number | undefined>> = {
  'jpegtran -optimize -copy all': (file) => stdoutLength('jpegtran', ['-optimize', '-copy', 'all', file]),
  'jpegtran -progressive -copy all': (file) =>
    stdoutLength('jpegtran', ['-progressive', '-optimize', '-copy', 'all', file]),
  jpegoptim: (file, folder) => {
    const copy = join(folder, 'copy.jpg');
    writeFileSync(copy, readFileSync(file));
    return spawnSync('jpegoptim', ['-q', copy]).error ? undefined : readFileSync(copy).length;
  },
};

function stdoutLength(command: string, options: readonly string[]): number | undefined {
  const { stdout, error } = spawnSync(command, options, { maxBuffer: 2 ** 28 });
  return error ? undefined : stdout.length || Number.POSITIVE_INFINITY;
}

async function reportLosslessPng(pngs: readonly Picture[]): Promise<void> {
  const large = pngs.filter(({ facts }) => facts.width * facts.height > 100_000);
  console.log(`\nPNG, ${large.length} files over 0.1 MP`);
  if (large.length === 0) return;
  const before = large.reduce((sum, { bytes }) => sum + bytes.length, 0);
  for (const [name, changes] of [
    ['lossless', { mode: 'lossless' }],
    ['quality, palettes too', {}],
  ] as const) {
    const outcomes = await compressAll(large, { ...EAGER, ...changes });
    row(name, (sizeOf(outcomes, large) / before).toFixed(3), 'bytes of source');
  }
}

async function reportDamage(pictures: readonly Picture[]): Promise<void> {
  console.log(`\nDamage done to ${pictures.length} pictures, lossless and at quality 70`);
  const counts = new Map(DAMAGE.map((name) => [name, 0]));
  for (const mode of ['lossless', 'quality'] as const) {
    const outcomes = await compressAll(pictures, { ...EAGER, mode });
    for (const [index, picture] of pictures.entries()) {
      const damage = await damageDone(picture, outcomes[index]);
      for (const name of damage) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  for (const [name, count] of counts) row(name, String(count));
}

const DAMAGE = ['pixels changed', 'grown', 'orientations lost', 'profiles lost', 'damaged sources compressed'] as const;

type Damage = (typeof DAMAGE)[number];

async function damageDone({ bytes, facts }: Picture, outcome?: BytesOutcome): Promise<Damage[]> {
  if (outcome?.status !== 'compressed') return [];
  const after = inspectImage(new ImageFile(outcome.bytes));
  const [one, other] = [await strictPixels(bytes), await strictPixels(outcome.bytes)];
  const isSame = one !== undefined && other?.equals(one) === true;
  const found: Readonly<Record<Damage, boolean>> = {
    'pixels changed': outcome.encoding.lossless && !isSame,
    grown: outcome.bytes.length >= bytes.length,
    'orientations lost': after?.orientation !== facts.orientation,
    'profiles lost': facts.icc && !after?.icc,
    'damaged sources compressed': one === undefined,
  };
  return DAMAGE.filter((name) => found[name]);
}

function strictPixels(bytes: Uint8Array): Promise<Buffer | undefined> {
  const image = sharp(bytes, { failOn: 'warning', animated: true, ignoreIcc: true });
  return image
    .toColourspace('rgb16')
    .ensureAlpha()
    .raw({ depth: 'ushort' })
    .toBuffer()
    .catch(() => undefined);
}

async function reportMemory(folder: string): Promise<void> {
  console.log('\nOne JPEG of 100 MP through the fast preset, in its own process');
  const file = join(folder, 'large.jpg');
  const [photo] = readPictures(folder).filter(isOrdinaryJpeg);
  const image = photo
    ? sharp(photo.bytes)
    : sharp({ create: { width: 100, height: 100, channels: 3, background: '#963' } });
  await image.resize(10_000, 10_000, { fit: 'fill' }).jpeg({ quality: 80, optimiseCoding: false }).toFile(file);
  const child = spawnSync(process.execPath, [process.argv[1]!, '--memory', file]);
  const [before, peak] = numbersFrom(child);
  row(
    'peak RSS, MB',
    String(peak),
    `${before} before the picture, a file of ${(readFileSync(file).length / 1e6).toFixed(1)} MB`,
  );
}

/** The child of reportMemory. */
async function runMemory(file: string): Promise<void> {
  const before = process.memoryUsage.rss();
  const bytes = readFileSync(file);
  const outcome = await compressBytes(bytes, { ...EAGER, effort: 'fast' }, { budget });
  if (outcome.status !== 'compressed') throw new Error(`Expected compressed but it is ${JSON.stringify(outcome)}`);
  console.log(Math.round(before / 1e6), Math.round(peakRss() / 1e6));
}

/** On Linux a child's maxRSS includes the peak of its parent, so the kernel's VmHWM is read first. */
function peakRss(): number {
  try {
    const mark = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
    if (mark) return Number(mark[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** The least CPU seconds of each; they run alternately. */
async function leastCpu(acts: readonly (() => Promise<unknown>)[]): Promise<number[]> {
  const least = acts.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, act] of acts.entries()) {
      const from = process.cpuUsage();
      await act();
      const { user, system } = process.cpuUsage(from);
      least[index] = Math.min(least[index]!, (user + system) / 1e6);
    }
  }
  return least;
}

function sizeOf(outcomes: readonly BytesOutcome[], pictures: readonly Picture[]): number {
  return outcomes.reduce((sum, outcome, index) => sum + sizeAfter(outcome, pictures[index]!), 0);
}

function sizeAfter(outcome: BytesOutcome, picture: Picture): number {
  return outcome.status === 'compressed' ? outcome.bytes.length : picture.bytes.length;
}

function numbersFrom({ stdout, stderr }: { stdout: Buffer; stderr: Buffer }): number[] {
  const numbers = stdout.toString().trim().split(/\s+/).map(Number);
  if (numbers.length < 2 || numbers.some(Number.isNaN)) throw new Error(`${stdout}${stderr}`);
  return numbers;
}

function row(name: string, value: string, note = ''): void {
  console.log(`  ${name.padEnd(34)}${value.padStart(8)}  ${note}`);
}

const [task, ...files] = process.argv.slice(2);
if (task === '--fast') await runFast(files);
else if (task === '--memory') await runMemory(files[0]!);
else await main();
