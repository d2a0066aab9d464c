import { randomFrom } from '../fixtures/pixels.ts';
import { GIF } from './containers/gif.ts';
import { ISOBMFF } from './containers/isobmff.ts';
import { JPEG } from './containers/jpeg.ts';
import { PNG } from './containers/png.ts';
import { TIFF } from './containers/tiff.ts';
import { WEBP } from './containers/webp.ts';
import { MUTATIONS } from './mutations.ts';
import { type Container, orUndefined, piecesOf, type Random } from './piece.ts';

export const CONTAINERS = { jpeg: JPEG, png: PNG, gif: GIF, webp: WEBP, avif: ISOBMFF, tiff: TIFF } as const;
export type FuzzFormat = keyof typeof CONTAINERS;

export const FUZZ_FORMATS = Object.keys(CONTAINERS) as FuzzFormat[];

export interface Mutant {
  readonly bytes: Uint8Array;
  /** What was done to the file, in order. */
  readonly mutations: readonly string[];
}

/** The file with one or two kinds of damage, the same for the same seed and number. `other` is of the same format. */
export function mutate(format: FuzzFormat, file: Uint8Array, other: Uint8Array, random: Random): Mutant {
  const mutations: string[] = [];
  let bytes = file;
  for (let left = random(4) === 0 ? 2 : 1; left > 0; left--) {
    const { name, changed } = mutateOnce(format, bytes, other, random);
    bytes = changed;
    mutations.push(name);
  }
  // The second mutation may undo the first.
  if (Buffer.compare(bytes, file) === 0) return { bytes: file.slice(0, -1), mutations: ['cut the last byte'] };
  return { bytes, mutations };
}

/** Random numbers for one mutant of a run. */
export function randomOf(seed: number, number: number): Random {
  const random = randomFrom((Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35)) >>> 0);
  for (let warm = 0; warm < 4; warm++) random();
  return (limit) => Math.floor(random() * limit);
}

const ATTEMPTS = 8;

/** Some mutations do not fit some files: another is drawn. */
function mutateOnce(format: FuzzFormat, file: Uint8Array, other: Uint8Array, random: Random) {
  const container: Container = CONTAINERS[format];
  const subject = { file, pieces: piecesOf(container, file), container, other, random };
  const all = [...MUTATIONS, ...(container.own ?? [])];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { name, apply } = all[random(all.length)]!;
    const changed = orUndefined(() => apply(subject));
    if (changed && Buffer.compare(changed, file) !== 0) return { name, changed };
  }
  return { name: 'cut the end', changed: file.slice(0, random(file.length)) };
}
