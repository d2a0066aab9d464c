import type { ObjectStore, ObjectSummary } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/** Below it the listing would cost more than the calls it saves: its price is that of 12 HEADs. */
const MIN_LOCATIONS = 20;
/** One page. */
const MAX_LISTED = 1000;

/**
 * A view of a store that answers HEAD for keys that one listing showed to be absent, until they are written through it.
 * Only a hint: an output that another host writes meanwhile fails the condition of our own PUT.
 */
export function createAbsentKeysCache(store: ObjectStore, backoff: ListingBackoff) {
  let absent: Set<string> = new Set();
  const view: ObjectStore = {
    ...store,
    head: async (location) => (absent.has(formatS3Uri(location)) ? undefined : store.head(location)),
    put: (location, body, options) => {
      absent.delete(formatS3Uri(location));
      return store.put(location, body, options);
    },
  };
  return {
    store: view,
    /** Replaces what is cached by those of these keys, all of one bucket, that do not exist. Never throws. */
    prefetch: async (locations: readonly S3Location[]) => {
      absent = new Set();
      if (locations.length < MIN_LOCATIONS || backoff.skips()) return;
      const start = performance.now();
      absent = await absentAmong(locations, store).catch(() => new Set<string>());
      if (performance.now() - start > MS_PER_HEAD * locations.length) backoff.begin();
    },
  };
}

const MS_PER_HEAD = 2;
/** So many prefetches are left out before listing is tried again. */
const LISTINGS_SKIPPED = 20;

/** Leaves out listings after a slow one. A process has one for all its batches, as it has one store. */
export interface ListingBackoff {
  /** Whether this listing is left out; counts it. */
  skips(): boolean;
  begin(): void;
}

/** Some S3-compatible servers read a whole folder for any listing. */
export function createListingBackoff(): ListingBackoff {
  let left = 0;
  return {
    skips: () => left > 0 && left-- > 0,
    begin: () => {
      left = LISTINGS_SKIPPED;
    },
  };
}

async function absentAmong(locations: readonly S3Location[], store: ObjectStore): Promise<Set<string>> {
  const keys = locations.map(({ key }) => key).sort(compareKeys);
  const [first, last, bucket] = [keys[0], keys.at(-1), locations[0]?.bucket];
  if (first === undefined || last === undefined || bucket === undefined) return new Set();
  const { present, end } = await listFrom(first, last, store.list(bucket, '', startBefore(first)));
  const absent = keys.filter((key) => !present.has(key) && (end === undefined || compareKeys(key, end) < 0));
  return new Set(absent.map((key) => formatS3Uri({ bucket, key })));
}

/** From the key `end` on nothing is known; undefined: everything is. */
async function listFrom(first: string, last: string, objects: AsyncIterable<ObjectSummary>) {
  const present = new Set<string>();
  let previous = '';
  for await (const { key } of objects) {
    // Directory buckets list in no order: a gap proves nothing there.
    if (compareKeys(key, previous) < 0) return { present, end: first };
    if (compareKeys(key, last) > 0) break;
    present.add(key);
    previous = key;
    if (present.size === MAX_LISTED) return { present, end: key };
  }
  return { present };
}

/** A listing starts after the key that is given. */
function startBefore(key: string): string {
  return [...key].slice(0, -1).join('');
}

/** S3 lists in the order of the keys' UTF-8 bytes. */
function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
