import type { WriteCount } from '../core/compression-mark.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/**
 * Limits how often one object is written within an hour, so that an unforeseen loop ends. The count is stored in the
 * mark and so passes from host to host; this process also remembers its own writes, should marks be lost.
 */
export interface WriteRateLimit {
  /** The count with one more write in it; undefined when that is over the limit. */
  next(location: S3Location, marked: WriteCount | undefined): WriteCount | undefined;
  record(location: S3Location, count: WriteCount): void;
}

export function createWriteRateLimit(
  maxPerHour: number,
  nowSeconds: () => number = () => Math.floor(Date.now() / 1000),
): WriteRateLimit {
  const own = new Map<string, WriteCount>();
  return {
    next(location, marked) {
      const now = nowSeconds();
      const [a, b] = [oneMore(marked, now), oneMore(own.get(formatS3Uri(location)), now)];
      const highest = b.count > a.count ? b : a;
      return highest.count > maxPerHour ? undefined : highest;
    },
    record(location, count) {
      if (own.size >= MAX_REMEMBERED) forget(own, nowSeconds());
      own.set(formatS3Uri(location), count);
    },
  };
}

const HOUR_SECONDS = 3600;
const MAX_REMEMBERED = 10_000;

function oneMore(count: WriteCount | undefined, now: number): WriteCount {
  const isRecent = count !== undefined && now - count.since < HOUR_SECONDS;
  return isRecent ? { count: count.count + 1, since: count.since } : { count: 1, since: now };
}

/** Drops the counts of past hours; if all are recent, the oldest half: an object in a loop is soon recorded again. */
function forget(own: Map<string, WriteCount>, now: number): void {
  for (const [uri, { since }] of own) if (now - since >= HOUR_SECONDS) own.delete(uri);
  for (const uri of own.keys()) {
    if (own.size <= MAX_REMEMBERED / 2) return;
    own.delete(uri);
  }
}
