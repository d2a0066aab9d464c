import type { Compressed, FailureCode, ImageResult, KeptReason, SkippedReason } from './image-result.ts';

/** Sums over the results of a job. Its size does not grow with their number. */
export interface Tally {
  compressed: number;
  kept: number;
  skipped: number;
  failed: number;
  /** Of compressed and kept images. */
  bytesIn: number;
  bytesOut: number;
  /** Kept images that were copied to the output. */
  copied: number;
  /** Compressed and kept images with metadata in them that should have been removed. */
  metadataLeft: number;
  /** Compressed and kept images with unknown data after their end. */
  hiddenData: number;
  /** Of compressed images, by the format that was written. */
  readonly byFormat: Record<string, { images: number; bytesIn: number; bytesOut: number }>;
  /** Compressed images by how much smaller they became: below 10 %, 10 to 20 %, … 90 % and more. */
  readonly savingsHistogram: number[];
  /** The biggest savings, most bytes first. */
  readonly topSavings: Saving[];
  readonly keptReasons: Partial<Record<KeptReason, number>>;
  readonly skippedReasons: Partial<Record<SkippedReason, number>>;
  readonly failureCodes: Partial<Record<FailureCode, number>>;
}

type Saving = Pick<Compressed & ImageResult, 'source' | 'output' | 'bytesIn' | 'bytesOut'>;

const MAX_TOP_SAVINGS = 20;

export function newTally(): Tally {
  return {
    compressed: 0,
    kept: 0,
    skipped: 0,
    failed: 0,
    bytesIn: 0,
    bytesOut: 0,
    copied: 0,
    metadataLeft: 0,
    hiddenData: 0,
    byFormat: {},
    savingsHistogram: new Array<number>(10).fill(0),
    topSavings: [],
    keptReasons: {},
    skippedReasons: {},
    failureCodes: {},
  };
}

/** Adds one image's result. There may be millions: the tally is changed in place. */
export function countResult(tally: Tally, result: ImageResult): void {
  tally[result.status] += 1;
  if ('metadataLeft' in result && result.metadataLeft) tally.metadataLeft += 1;
  if ('hiddenBytes' in result && result.hiddenBytes) tally.hiddenData += 1;
  if (result.status === 'compressed') {
    countCompressed(tally, result);
  } else if (result.status === 'kept') {
    tally.bytesIn += result.bytesIn;
    tally.bytesOut += result.bytesIn;
    if (result.output !== undefined) tally.copied += 1;
    increment(tally.keptReasons, result.reason);
  } else if (result.status === 'skipped') {
    increment(tally.skippedReasons, result.reason);
  } else {
    increment(tally.failureCodes, result.code);
  }
}

function countCompressed(tally: Tally, { source, output, bytesIn, bytesOut, encoding }: Compressed & ImageResult) {
  tally.bytesIn += bytesIn;
  tally.bytesOut += bytesOut;
  const format = tally.byFormat[encoding.format] ?? { images: 0, bytesIn: 0, bytesOut: 0 };
  tally.byFormat[encoding.format] = format;
  format.images += 1;
  format.bytesIn += bytesIn;
  format.bytesOut += bytesOut;
  const tenth = Math.min(9, Math.max(0, bytesIn === 0 ? 0 : Math.floor((1 - bytesOut / bytesIn) * 10)));
  tally.savingsHistogram[tenth] = (tally.savingsHistogram[tenth] ?? 0) + 1;
  keepTopSaving(tally.topSavings, { source, output, bytesIn, bytesOut });
}

function keepTopSaving(top: Saving[], saving: Saving): void {
  const last = top.at(-1);
  if (top.length === MAX_TOP_SAVINGS && last && saved(saving) <= saved(last)) return;
  const place = top.findIndex((other) => saved(other) < saved(saving));
  top.splice(place < 0 ? top.length : place, 0, saving);
  if (top.length > MAX_TOP_SAVINGS) top.pop();
}

function saved({ bytesIn, bytesOut }: Saving): number {
  return bytesIn - bytesOut;
}

function increment<Key extends string>(counts: Partial<Record<Key, number>>, key: Key): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
