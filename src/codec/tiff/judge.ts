import type { ImageFacts } from '../../core/recipe.ts';
import { viewOf } from '../bytes.ts';
import { EngineError, fromEngine, openImage, rawMessage } from '../engines.ts';
import { ImageFile } from '../image-file.ts';
import { readDirectory, readTiff, type Tiff } from '../metadata/tiff-directory.ts';
import { type WitnessPicture, witnessPixels } from '../second-witness.ts';
import { damaged, type Unproven, unproven, type Verdict, WHOLE } from '../verdict.ts';
import { inspectTiff } from './inspect.ts';
import { hasSamplingOfPage } from './jpeg-sampling.ts';
import { findLayoutFault, isUncompressed, pagesOf } from './layout.ts';

/**
 * A TIFF is whole when each strip or tile of each page is within the file and libvips and a decoder that is not its own
 * see the same pages. @throws CorruptImageError when the header cannot be read
 */
export async function judgeTiff(file: ImageFile, facts: ImageFacts, fitsDecoded = true): Promise<Verdict> {
  const tiff = file.read(readTiff);
  const fault = tiff && findLayoutFault(tiff);
  if (fault) return fault;
  if (!fitsDecoded) return unproven(TOO_LARGE);
  if (!tiff) return judgePage(file, { ...facts, pages: 1 });
  return judgePages(tiff, facts);
}

const TOO_LARGE = 'it is too large to be decoded here';

/** Damage of any page counts before a doubt about another. */
async function judgePages(tiff: Tiff, facts: ImageFacts): Promise<Verdict> {
  const pages = [...pagesOf(tiff)];
  const pixels = facts.width * facts.height * facts.pages;
  let doubt: Unproven | undefined;
  for (const [index, at] of pages.entries()) {
    const page = new ImageFile(index === 0 ? tiff.bytes : startingAt(tiff, at));
    const own = { ...facts, ...inspectTiff(page), pages: 1 };
    const verdict = own.width * own.height > pixels ? unproven(TOO_LARGE) : await judgePage(page, own);
    const named = 'detail' in verdict && pages.length > 1 ? inPage(verdict, index + 1) : verdict;
    if (named.is === 'damaged') return named;
    if (named.is === 'unproven') doubt ??= named;
  }
  return doubt ?? WHOLE;
}

function inPage<T extends { detail: string }>(verdict: T, number: number): T {
  return { ...verdict, detail: `${verdict.detail} in page ${number}` };
}

/** The file with this page as its first: the second decoder reads no other. */
function startingAt({ bytes, big, littleEndian }: Tiff, at: number): Uint8Array {
  const copy = bytes.slice();
  const view = viewOf(copy);
  if (big) view.setBigUint64(8, BigInt(at), littleEndian);
  else view.setUint32(4, at, littleEndian);
  return copy;
}

async function judgePage(file: ImageFile, facts: ImageFacts): Promise<Verdict> {
  const tiff = file.read(readTiff);
  const directory = tiff && readDirectory(tiff, tiff.first);
  if (directory && !hasSamplingOfPage(tiff, directory)) return unproven('its JPEG is not sampled as its tags say');
  const [picture, refusal] = await witnessed(file.bytes, facts);
  const difference = await differenceFrom(isComparable(facts) ? picture : undefined, file.bytes, facts);
  if (difference?.refusal) return judgeRefusal(difference.refusal, picture !== undefined);
  if (refusal || difference) return unproven(DISAGREE);
  // Of samples that are not compressed there is nothing to decode.
  return picture || (tiff && isUncompressed(tiff)) ? WHOLE : unproven(UNREAD);
}

/** The second decoder makes its own RGB of other colours. */
const isComparable = ({ colour }: ImageFacts) => colour === 'grey' || colour === 'rgb';

/** libvips is built without some codecs. */
const UNREAD_BY_LIBVIPS = /not configured|not supported|unsupported|bad labq format/i;

function judgeRefusal(refusal: string, isReadByOther: boolean): Verdict {
  if (UNREAD_BY_LIBVIPS.test(refusal)) return unproven(UNREAD);
  return isReadByOther ? unproven(DISAGREE) : damaged('Expected TIFF data that decode in full but found damaged data');
}

const UNREAD = 'only one decoder here can read a TIFF of this kind';
const DISAGREE = 'two decoders disagree about its pixels';

/** What the second decoder sees, or why it refuses; neither where it does not read TIFFs of this kind. */
async function witnessed(bytes: Uint8Array, facts: ImageFacts): Promise<[WitnessPicture?, string?]> {
  try {
    return [await witnessPixels(bytes, facts)];
  } catch (error) {
    if (error instanceof EngineError) return [undefined, error.message];
    throw error;
  }
}

const ROWS_AT_ONCE_BYTES = 32_000_000;

/** Compares some rows after the others, so that only one picture has to be held whole. */
async function differenceFrom(
  picture: WitnessPicture | undefined,
  bytes: Uint8Array,
  facts: ImageFacts,
): Promise<{ refusal: string | undefined } | undefined> {
  const { width, height } = facts;
  const rows = Math.max(1, Math.floor(ROWS_AT_ONCE_BYTES / (width * 8)));
  try {
    for (let top = 0; top < height; top += rows) {
      const part = await rowsOf(bytes, facts, { left: 0, top, width, height: Math.min(rows, height - top) });
      if (picture && !sameSamples(picture, part, top * width)) return { refusal: undefined };
    }
  } catch (error) {
    if (error instanceof EngineError) return { refusal: rawMessage(error) };
    throw error;
  }
  return undefined;
}

interface Rows {
  readonly samples: Uint8Array | Uint16Array;
  readonly channels: number;
}

async function rowsOf(
  bytes: Uint8Array,
  facts: ImageFacts,
  region: Readonly<Record<'left' | 'top' | 'width' | 'height', number>>,
): Promise<Rows> {
  const deep = facts.bitsPerChannel > 8;
  const image = openImage(bytes, { ...facts, pages: 1 }).extract(region);
  const spaced = image.toColourspace(facts.colour === 'grey' ? (deep ? 'grey16' : 'b-w') : deep ? 'rgb16' : 'srgb');
  const raw = spaced.raw(deep ? { depth: 'ushort' } : {});
  const { data, info } = await fromEngine(raw.toBuffer({ resolveWithObject: true }));
  const samples = deep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  return { samples, channels: info.channels };
}

// Two decoders of JPEG round differently.
const TOLERANCE = 1;

function sameSamples({ pixels, channels }: WitnessPicture, rows: Rows, firstPixel: number): boolean {
  if (channels !== rows.channels) return false;
  const from = firstPixel * channels;
  for (let at = 0; at < rows.samples.length; at++) {
    if (Math.abs((rows.samples[at] ?? 0) - (pixels[from + at] ?? 0)) > TOLERANCE) return false;
  }
  return true;
}
