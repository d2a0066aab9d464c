import type { WriteCount } from '../core/compression-mark.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/**
 * Counts how often one object is written within an hour, so that a loop ends that nobody foresaw. The count travels
 * in the mark, from host to host; this process remembers its own writes besides, should marks be lost on the way.
 */
export interface WriteLedger {
  /** The count with one more write in it; undefined when that is over the limit. */
  next(location: S3Location, marked: WriteCount | undefined): WriteCount | undefined;
  record(location: S3Location, count: WriteCount): void;
}

export function createWriteLedger(
  maxPerHour: number,
  nowSeconds: () => number = () => Math.floor(Date.now() / 1000),
): WriteLedger {
  const own = new Map<string, WriteCount>();
  return {
    next(location, marked) {
      const now = nowSeconds();
      const counts = [marked, own.get(formatS3Uri(location))].map((count) => oneMore(count, now));
      const highest = counts.reduce((a, b) => (b.count > a.count ? b : a));
      return highest.count > maxPerHour ? undefined : highest;
    },
    record(location, count) {
      if (own.size >= MOST_REMEMBERED) forget(own, nowSeconds());
      own.set(formatS3Uri(location), count);
    },
  };
}

const HOUR_SECONDS = 3600;
const MOST_REMEMBERED = 10_000;

function oneMore(count: WriteCount | undefined, now: number): WriteCount {
  const isRecent = count !== undefined && now - count.since < HOUR_SECONDS;
  return isRecent ? { count: count.count + 1, since: count.since } : { count: 1, since: now };
}

/** Drops what is over; if everything is recent, the oldest half: a loop comes back at once and stays. */
function forget(own: Map<string, WriteCount>, now: number): void {
  for (const [uri, { since }] of own) if (now - since >= HOUR_SECONDS) own.delete(uri);
  for (const uri of own.keys()) {
    if (own.size <= MOST_REMEMBERED / 2) return;
    own.delete(uri);
  }
}
