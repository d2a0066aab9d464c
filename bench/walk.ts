/**
 * CPU of the walk through every Huffman code of a JPEG, beside that of the fast preset, for
 * photographs of 1 to 12 megapixels: `node bench/walk.ts [rounds]`. Both run alternately, medians of the rounds.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { compressBytes } from '../src/codec/compress-bytes.ts';
import { scanKind, withHuffmanWalk } from '../src/codec/jpeg/huffman-walk.ts';
import { readDefinitions, readScanHeader } from '../src/codec/jpeg/scans.ts';
import { type Jpeg, readJpeg } from '../src/codec/jpeg/segments.ts';
import { createMemoryBudget } from '../src/codec/memory-budget.ts';
import { DEFAULT_COMPRESSION } from '../src/settings/job-input.ts';
import { median } from './median.ts';
import { makePhotos } from './photos.ts';

const WIDTHS = [1152, 3072, 4000];
const KINDS = [
  { quality: 70, progressive: false },
  { quality: 90, progressive: false },
  { quality: 70, progressive: true },
  { quality: 90, progressive: true },
];
const PHOTOS = 3;

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 15);
  const folder = await mkdtemp(path.join(tmpdir(), 'walk-bench-'));
  try {
    await makePhotos(folder, PHOTOS, 4000, 3000);
    const photos = (await readdir(folder)).map((name) => path.join(folder, name));
    for (const kind of KINDS) {
      for (const width of WIDTHS) {
        const files = await Promise.all(photos.map((photo) => sharp(photo).resize(width).jpeg(kind).toBuffer()));
        await report(`${kind.progressive ? 'progressive' : 'baseline'}, quality ${kind.quality}`, files, width, rounds);
      }
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function report(name: string, files: readonly Uint8Array[], width: number, rounds: number): Promise<void> {
  const jpegs = files.map(readJpeg);
  const [walk, fast]: number[][] = [[], []];
  for (let round = -1; round < rounds; round++) {
    const [one, other] = [await cpuOf(() => walkAll(jpegs)), await cpuOf(() => compressAll(files))];
    // The first round compiles.
    if (round < 0) continue;
    walk?.push(one);
    fast?.push(other);
  }
  const megapixels = (files.length * width * width * 0.75) / 1e6;
  const [walked, whole] = [median(walk ?? []), median(fast ?? [])];
  const bytes = files.reduce((sum, { length }) => sum + length, 0);
  console.log(
    `  ${name.padEnd(25)}${(megapixels / files.length).toFixed(1).padStart(5)} MP`,
    `${(walked / megapixels).toFixed(2).padStart(6)} ms/MP ${(bytes / 1000 / walked).toFixed(0).padStart(4)} MB/s`,
    `  fast ${(whole / megapixels).toFixed(2).padStart(6)} ms/MP, share ${(walked / whole).toFixed(3)}`,
  );
}

/** Their markers are read before, once, as for any other question about a JPEG. */
function walkAll(jpegs: readonly Jpeg[]): void {
  for (const { bytes, frame, segments } of jpegs) {
    const definitions = new Map<number, Uint8Array>();
    withHuffmanWalk(bytes.length, (openScan) => {
      for (const { marker, payload, coded } of segments) {
        if (marker === 0xc4) readDefinitions(payload, definitions);
        const header = coded && readScanHeader(payload, frame, definitions);
        const kind = header && scanKind(frame, header);
        const piece = kind && openScan(coded, header, kind)?.(header.mcus);
        if (coded && piece?.bytesLeft !== 0)
          throw new Error(`Expected a sound scan but found ${JSON.stringify(piece)}`);
      }
    });
  }
}

const budget = createMemoryBudget(8e9);

async function compressAll(files: readonly Uint8Array[]): Promise<void> {
  const settings = { ...DEFAULT_COMPRESSION, quality: 60, effort: 'fast' } as const;
  for (const bytes of files) await compressBytes(bytes, settings, { budget });
}

/** In milliseconds, of all threads. */
async function cpuOf(act: () => unknown): Promise<number> {
  const from = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000;
}

await main();
