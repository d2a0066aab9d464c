import { Transformer } from '@napi-rs/image';
import { type ImageFacts, MAX_PIXELS } from '../core/recipe.ts';
import { latin1, startsWith } from './bytes.ts';
import { EngineError } from './engines.ts';

/** A picture as the second decoder sees it: as it is stored, neither rotated nor cropped, no profile applied. */
export interface WitnessPicture {
  /** Row by row; 16-bit samples where the file has them, except for AVIF, which always comes as 8-bit RGBA. */
  readonly pixels: Uint8Array | Uint16Array;
  readonly width: number;
  readonly height: number;
  /** 1: grey, 2: grey and alpha, 3: RGB, 4: RGBA. */
  readonly channels: 1 | 2 | 3 | 4;
}

/** The second decoder refuses a file. */
export class WitnessError extends EngineError {
  /** It objects to the boxes around the picture, where decoders differ in what they insist on, and not to its data. */
  readonly isStrictness: boolean;

  constructor(message: string, isStrictness: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isStrictness = isStrictness;
  }
}

/**
 * Decodes the first frame by a library that is not the encoder's: libavif with libaom for AVIF, and decoders in Rust for
 * WebP, PNG, TIFF and JPEG. Undefined for a kind of image that these do not read, which says nothing about damage.
 * It takes about `facts.width * facts.height * 8` bytes of memory, which the caller has admitted.
 * @throws WitnessError where it refuses the file, or finds another size than `facts` has
 */
export async function witnessPixels(
  bytes: Uint8Array,
  { format, width, height }: Pick<ImageFacts, 'format' | 'width' | 'height'>,
): Promise<WitnessPicture | undefined> {
  if (!NAMES.has(format) || width * height > MAX_PIXELS) return undefined;
  const picture = await decode(format === 'avif' ? asStillAvif(bytes) : bytes, `${NAMES.get(format)}`);
  if (picture && (picture.width !== width || picture.height !== height))
    throw new WitnessError(
      `Expected ${width} x ${height} pixels but a second decoder found ${picture.width} x ${picture.height}`,
      false,
    );
  return picture;
}

const NAMES: ReadonlyMap<string, string> = new Map([
  ['avif', 'AVIF'],
  ['webp', 'WebP'],
  ['png', 'PNG'],
  ['tiff', 'TIFF'],
  ['jpeg', 'JPEG'],
]);

/** The decoder is chosen by the major brand; others, such as `mif1` and `avis`, can also stand first in an AVIF. */
function asStillAvif(bytes: Uint8Array): Uint8Array {
  if (startsWith(bytes, 'ftypavif', 4) || !startsWith(bytes, 'ftyp', 4)) return bytes;
  const copy = bytes.slice();
  copy.set(latin1('avif'), 8);
  return copy;
}

async function decode(bytes: Uint8Array, name: string): Promise<WitnessPicture | undefined> {
  try {
    const image = new Transformer(bytes);
    const samples = await image.rawPixels();
    // Asked afterwards, because it would decode the image as well.
    const { width, height, colorType } = await image.metadata(false);
    const kind = KINDS[colorType];
    return kind && { pixels: inSamples(samples, kind.bits), width, height, channels: kind.channels };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (UNREAD_KIND.test(message)) return undefined;
    const found = `Expected ${name} data that decode in full but a second decoder found ${reasonOf(message)}`;
    throw new WitnessError(found, STRICTNESS.test(message), { cause: error });
  }
}

/** By `JsColorType`, whose 8 and 9 are 32-bit floats. */
const KINDS = [8, 16].flatMap((bits) => ([1, 2, 3, 4] as const).map((channels) => ({ bits, channels })));

function inSamples(samples: Buffer, bits: number): Uint8Array | Uint16Array {
  if (bits === 8) return samples;
  const { buffer, byteOffset, length } = samples;
  // A view of 16-bit samples has to begin at an even byte.
  return byteOffset % 2 === 0
    ? new Uint16Array(buffer, byteOffset, length / 2)
    : new Uint16Array(buffer.slice(byteOffset, byteOffset + length));
}

/** What the decoders cannot read or not hold in memory; of libavif: 5, 6, 15, 25 and 26 of `avifResult`. */
const UNREAD_KIND =
  /not support|only supported on|could not be determined|limit exceeded|unsupported|libavif error: (5|6|15|25|26)\b/i;

/** Boxes that cannot be parsed, or without what libavif insists on; of `avifResult`. */
const STRICTNESS = /libavif error: 9\b/;

const AVIF_FAULTS: Readonly<Record<string, string>> = {
  2: 'a wrong ftyp box',
  9: 'boxes that it does not accept',
  10: 'no picture item',
  11: 'damaged colour data',
  12: 'damaged transparency data',
  13: 'transparency of another size',
  14: 'coded data of another size than the ispe box has',
  18: 'a wrong grid of tiles',
  20: 'truncated data',
};

function reasonOf(message: string): string {
  const code = /libavif error: (\d+)/.exec(message)?.[1];
  if (code) return AVIF_FAULTS[code] ?? 'damaged data';
  return /Unexpected ?eof|fill whole buffer|Not enough bytes/i.test(message) ? 'truncated data' : 'damaged data';
}
