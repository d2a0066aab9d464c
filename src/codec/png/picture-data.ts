import { createInflate, type ZlibOptions, constants as zlib } from 'node:zlib';
import { joinAll } from '../bytes.ts';
import { type PngPicture, pictureLength, type RowCheck, RowReader } from './rows.ts';

/** What the compressed data of one picture are, compared with what its header asks for; undefined where just that. */
export type DataFault =
  /** All samples are there, and there is more, or no checksum of them. */
  | Readonly<{ is: 'irregular'; detail: string }>
  /** Decoders show other pixels. */
  | Readonly<{ is: 'ambiguous'; detail: string }>
  | Readonly<{ is: 'broken'; detail: string }>
  | undefined;

/**
 * Inflates the data of a picture part by part, so that one of any size takes the same memory, and checks their length,
 * the filter of each row and each index into the palette.
 */
export async function findDataFault(parts: readonly Uint8Array[], picture: PngPicture): Promise<DataFault> {
  const compressed = parts.length === 1 && parts[0] ? parts[0] : joinAll(parts);
  const strict = await checkRows(compressed, picture, {});
  if (strict.error !== 'Z_BUF_ERROR') return faultOf(strict, picture, compressed.length);
  // Their end is missing. What there is of them is counted in a second run, because a failed one drops its last bytes.
  const cut = await checkRows(compressed, picture, TO_ITS_END);
  const fault = faultOf(cut, picture, compressed.length);
  return fault && fault.is !== 'irregular'
    ? fault
    : { is: 'irregular', detail: 'the checksum of its pixels is missing' };
}

const TO_ITS_END: ZlibOptions = { finishFlush: zlib.Z_SYNC_FLUSH };

/** The rows of a picture, with their filters, without what the compressed data hold beyond them. */
export async function inflateRows(parts: readonly Uint8Array[], picture: PngPicture): Promise<Uint8Array> {
  const rows: Uint8Array[] = [];
  await inflateThrough(joinAll(parts), pictureLength(picture), (part) => rows.push(part), TO_ITS_END);
  return joinAll(rows);
}

type Inflated = Readonly<{ bytes: number; consumed: number; error?: string; message?: string }>;

async function checkRows(compressed: Uint8Array, picture: PngPicture, options: ZlibOptions) {
  const rows = new RowReader(picture);
  const take = (part: Uint8Array) => rows.take(part);
  const inflated = await inflateThrough(compressed, pictureLength(picture), take, options);
  return { ...inflated, ...rows.result() };
}

const OUTPUT_BYTES = 262_144;

/** @param take is given the first `expected` bytes, in parts */
function inflateThrough(
  compressed: Uint8Array,
  expected: number,
  take: (part: Uint8Array) => void,
  options: ZlibOptions,
): Promise<Inflated> {
  const inflate = createInflate({ ...options, chunkSize: OUTPUT_BYTES });
  let bytes = 0;
  return new Promise((resolve) => {
    const settle = (error?: NodeJS.ErrnoException) => {
      const consumed = inflate.bytesWritten;
      inflate.destroy();
      resolve({ bytes, consumed, ...(error && { error: error.code ?? 'unknown', message: error.message }) });
    };
    inflate.on('data', (data: Uint8Array) => {
      if (bytes < expected) take(data.subarray(0, expected - bytes));
      bytes += data.length;
      // However much more there is, no decoder shows it.
      if (bytes > expected + MAX_EXTRA_BYTES) settle();
    });
    inflate.on('error', settle);
    inflate.on('end', () => settle());
    inflate.end(compressed);
  });
}

const MAX_EXTRA_BYTES = 1_000_000;

function faultOf(inflated: Inflated & RowCheck, picture: PngPicture, length: number): DataFault {
  const expected = pictureLength(picture);
  const { bytes, consumed, wrongFilter, highestIndex } = inflated;
  if (inflated.error) return { is: 'broken', detail: `Expected compressed pixels but found ${inflated.message}` };
  if (wrongFilter)
    return {
      is: 'broken',
      detail: `Expected a filter of 0 to 4 but found ${wrongFilter.filter} in row ${wrongFilter.row}`,
    };
  if (bytes < expected) return { is: 'broken', detail: `Expected ${expected} bytes of pixels but found ${bytes}` };
  if (highestIndex >= picture.colours)
    return { is: 'ambiguous', detail: `it uses colour ${highestIndex} of a palette of ${picture.colours}` };
  if (bytes > expected) return { is: 'irregular', detail: 'it holds more rows than its header announces' };
  if (consumed < length) return { is: 'irregular', detail: `${length - consumed} bytes follow its pixels` };
  return undefined;
}
