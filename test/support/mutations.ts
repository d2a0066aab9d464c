import { makeAvif } from './fixtures/avif.ts';
import { concat } from './fixtures/bytes.ts';
import { makeAnimation, makeWebp } from './fixtures/gif-and-webp.ts';
import { exifSegment, iccSegments, makeJpeg, makeRestartJpeg, withSegments, xmpSegment } from './fixtures/jpeg.ts';
import { makeGainMapJpeg, makeJpegWithPreview, makeMotionVideo, makeMpo, samsungSef } from './fixtures/jpeg-parts.ts';
import { iccProfile, xmpPacket } from './fixtures/metadata.ts';
import { randomFrom } from './fixtures/pixels.ts';
import { makeApng, makePng, pngExif } from './fixtures/png.ts';
import { makeTiff } from './fixtures/tiff.ts';

/** Undamaged pictures of every format that is read, each with a different peculiarity. */
export async function fuzzSeeds(): Promise<ReadonlyMap<string, Uint8Array>> {
  const icc = await iccProfile();
  const exif = { orientation: 6, gps: true, artist: 'A. Nonymous' };
  return new Map([
    ['baseline.jpg', await makeJpeg()],
    ['progressive.jpg', await makeJpeg({ progressive: true, quality: 95 })],
    ['grey.jpg', await makeJpeg({ colourspace: 'b-w' })],
    ['cmyk.jpg', await makeJpeg({ colourspace: 'cmyk' })],
    ['restart.jpg', makeRestartJpeg()],
    [
      'metadata.jpg',
      withSegments(await makeJpeg({ quality: 92 }), [
        exifSegment(exif),
        xmpSegment(xmpPacket({ orientation: 6, gps: true })),
        ...iccSegments(icc),
      ]),
    ],
    ['gain-map.jpg', await makeGainMapJpeg()],
    ['mpo.jpg', await makeMpo()],
    ['preview.jpg', await makeJpegWithPreview()],
    ['phone.jpg', concat(await makeJpeg(), makeMotionVideo(), samsungSef())],
    ['rgb.png', makePng({ chunks: [pngExif(exif)] })],
    ['rgba.png', makePng({ colourType: 6 })],
    ['palette.png', makePng({ colourType: 3, bitDepth: 4 })],
    ['deep.png', makePng({ colourType: 0, bitDepth: 16 })],
    ['animated.png', makeApng()],
    ['lossy.webp', await makeWebp()],
    ['lossless.webp', await makeWebp({ lossless: true, alpha: true })],
    ['animated.webp', await makeAnimation('webp')],
    ['animated.gif', await makeAnimation('gif')],
    ['photo.avif', await makeAvif()],
    ['photo.tiff', await makeTiff()],
  ]);
}

/** The file with one kind of damage, the same for the same seed: flipped bits, a cut, a hole, moved or duplicated parts. */
export function mutate(file: Uint8Array, seed: number): Uint8Array {
  const random = randomFrom(seed + 1);
  for (let warm = 0; warm < 4; warm++) random();
  const at = () => Math.floor(random() * file.length);
  const mutation = MUTATIONS[Math.floor(random() * MUTATIONS.length)]!;
  return mutation(file, at, random);
}

type Mutation = (file: Uint8Array, at: () => number, random: () => number) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  (file, at, random) => flipped(file, at, random, 1),
  (file, at, random) => flipped(file, at, random, 3),
  (file, at, random) => flipped(file, at, random, 20),
  // Headers matter most, and are a small part of a file.
  (file, at, random) => flipped(file, () => at() % Math.min(file.length, 64), random, 1),
  (file, at, random) => flipped(file, () => at() % Math.min(file.length, 700), random, 2),
  (file, at) => file.slice(0, at()),
  (file, _at, random) => file.slice(0, file.length - 1 - Math.floor(random() * 12)),
  (file, at) => {
    const [from, to] = ordered(at(), at());
    return concat(file.subarray(0, from), file.subarray(to));
  },
  (file, at) => {
    const [from, to] = ordered(at(), at());
    return concat(file.subarray(0, to), file.subarray(from));
  },
  (file, at) => {
    const [from, to] = ordered(at(), at());
    return file.slice().fill(0, from, Math.min(to, from + 64));
  },
  (file, at) => {
    const [from, to] = ordered(at(), at());
    return file.slice().fill(0xff, from, Math.min(to, from + 16));
  },
  (file, at, random) => {
    const [from, to] = [at(), at()];
    return file.slice().copyWithin(to, from, from + Math.floor(random() * 64));
  },
];

function flipped(file: Uint8Array, at: () => number, random: () => number, bits: number): Uint8Array {
  const damaged = file.slice();
  for (let flip = 0; flip < bits; flip++) damaged[at()]! ^= 1 << Math.floor(random() * 8);
  return damaged;
}

function ordered(one: number, other: number): [number, number] {
  return one < other ? [one, other] : [other, one];
}
