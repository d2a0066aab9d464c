import sharp from 'sharp';
import { expect, test } from 'vitest';
import { type Piece, type PieceWalk, scanKind, withHuffmanWalk } from '../../../src/codec/jpeg/huffman-walk.ts';
import { readDefinitions, readScanHeader } from '../../../src/codec/jpeg/scans.ts';
import { type Jpeg, readJpeg } from '../../../src/codec/jpeg/segments.ts';
import { concat } from '../../support/fixtures/bytes.ts';
import { bitRotten } from '../../support/fixtures/damage.ts';
import { makeJpeg, makeRestartJpeg } from '../../support/fixtures/jpeg.ts';
import { type Coefficients, decodePlainly, type PlainPiece } from '../../support/plain-huffman.ts';

const SEEDS = [
  ['baseline', () => makeJpeg({ quality: 60 })],
  ['baseline, of long codes', async () => noisy({ quality: 100 })],
  ['baseline, grey', () => makeJpeg({ colourspace: 'b-w', quality: 97 })],
  ['baseline, CMYK', () => makeJpeg({ colourspace: 'cmyk' })],
  ['with restart markers', async () => makeRestartJpeg()],
  ['progressive', () => makeJpeg({ progressive: true })],
  ['progressive, 4:4:4', () => makeJpeg({ progressive: true, chromaSubsampling: '4:4:4', quality: 97 })],
  ['progressive, of long codes', async () => noisy({ quality: 95, mozjpeg: true })],
] as const;

async function noisy(options: Parameters<ReturnType<typeof sharp>['jpeg']>[0]): Promise<Uint8Array> {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const;
  const image = sharp({ create: { width: 90, height: 70, channels: 3, background: '#888', noise } });
  return new Uint8Array(await image.jpeg(options).toBuffer());
}

const MUTANTS = 60;

test.each(SEEDS)('finds the same in every piece as a plain decoder, whatever is damaged (%s)', async (_name, make) => {
  const sound = await make();
  const from = Buffer.from(sound).indexOf(Buffer.from([0xff, 0xc4]));
  let faults = 0;
  for (let seed = 0; seed < MUTANTS; seed++) {
    const [plain, walked] = decodeBoth(readJpeg(mutant(sound, seed, from)));
    expect([seed, walked]).toEqual([seed, plain]);
    if (plain.some(({ isWhole }) => !isWhole)) faults++;
    if (seed === 0) expect(faults).toBe(0);
  }
  expect(faults).toBeGreaterThan(MUTANTS / 6);
});

/** Itself at first, then with flipped bits in tables and scans, with added markers, and without some of its bytes. */
function mutant(sound: Uint8Array, seed: number, from: number): Uint8Array {
  if (seed === 0) return sound;
  if (seed % 3 > 0) return bitRotten(sound, seed % 3, seed, from);
  const at = sound.length - 2 - ((seed * 37) % (sound.length >> 1));
  const added = [[0xff, 0xd0 + (seed % 8)], [0xff, 0xff, 0], [0xff, 0xff, 0xff, 0xd1], []][seed % 4]!;
  return concat(sound.subarray(0, at), added, sound.subarray(at + (seed % 5)));
}

/** All pieces up to the first that is damaged, or to a scan that cannot be decoded at all. */
function decodeBoth({ frame, segments }: Jpeg): [plain: PlainPiece[], walked: PlainPiece[]] {
  const definitions = new Map<number, Uint8Array>();
  const coefficients: Coefficients | undefined = frame.marker === 0xc2 ? new Map() : undefined;
  const [plain, walked]: PlainPiece[][] = [[], []];
  let interval = 0;
  withHuffmanWalk(Math.max(...segments.map(({ coded }) => coded?.length ?? 0)), (openScan) => {
    for (const { marker, payload, coded } of segments) {
      if (marker === 0xc4) readDefinitions(payload, definitions);
      if (marker === 0xdd) interval = (payload[0]! << 8) | payload[1]!;
      const header = coded && readScanHeader(payload, frame, definitions);
      const kind = header && scanKind(frame, header);
      const walk = kind && openScan(coded, header, kind);
      if (!coded) continue;
      if (!walk || walked!.some(({ isWhole }) => !isWhole)) return;
      walked!.push(...walkPieces(walk, header.mcus, interval));
      plain!.push(...decodePlainly(coded, header, interval, coefficients));
    }
  });
  return [upToFault(plain!), upToFault(walked!)];
}

function upToFault(pieces: readonly PlainPiece[]): PlainPiece[] {
  const fault = pieces.findIndex(({ isWhole }) => !isWhole);
  return fault < 0 ? [...pieces] : pieces.slice(0, fault + 1);
}

function walkPieces(walk: PieceWalk, mcus: number, interval: number): PlainPiece[] {
  const pieces: Piece[] = [];
  for (let first = 0; pieces.at(-1)?.marker !== 0; first += pieces.at(-1)!.mcus)
    pieces.push(walk(Math.min(interval || mcus, mcus - first)));
  return pieces.map(({ mcus, fault, bytesLeft }) =>
    fault ? { mcus, isWhole: false } : { mcus, isWhole: true, bytesLeft },
  );
}
