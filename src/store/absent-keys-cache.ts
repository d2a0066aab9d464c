import type { ObjectStore, ObjectSummary } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';

/**
 * A view of a store that answers HEAD for what one listing showed to be absent, until it is written here. A hint and
 * no more: an output that another host writes meanwhile is met by the condition of our own PUT.
 */
export interface KnownAbsences {
  readonly store: ObjectStore;
  /** Finds out which of these objects, all of one bucket, are not there. Never throws: HEAD tells what this cannot. */
  learn(locations: readonly S3Location[]): Promise<void>;
}

/** Below it the listing would cost more than the calls that it saves: its price is that of 12 HEADs. */
const LEAST_LOCATIONS = 20;
/** One page. */
const MOST_LISTED = 1000;

export function openKnownAbsences(store: ObjectStore): KnownAbsences {
  let absent: Set<string> = new Set();
  return {
    store: {
      ...store,
      head: async (location) => (absent.has(formatS3Uri(location)) ? undefined : store.head(location)),
      put: (location, body, options) => {
        absent.delete(formatS3Uri(location));
        return store.put(location, body, options);
      },
    },
    learn: async (locations) => {
      absent = new Set();
      if (locations.length < LEAST_LOCATIONS || isSlow(store)) return;
      const start = performance.now();
      absent = await absentAmong(locations, store).catch(() => new Set<string>());
      if (performance.now() - start > MS_OF_A_HEAD * locations.length) slow.set(store, LISTINGS_LEFT_OUT);
    },
  };
}

const MS_OF_A_HEAD = 2;
/** So many batches ask with HEAD before listing is tried again. */
const LISTINGS_LEFT_OUT = 20;

/** Some S3-compatible servers read a whole folder for a listing, however little of it is wanted. */
const slow = new WeakMap<ObjectStore, number>();

function isSlow(store: ObjectStore): boolean {
  const left = slow.get(store) ?? 0;
  slow.set(store, Math.max(0, left - 1));
  return left > 0;
}

async function absentAmong(locations: readonly S3Location[], store: ObjectStore): Promise<Set<string>> {
  const { bucket } = locations[0]!;
  const keys = locations.map(({ key }) => key).sort(inListingOrder);
  const listed = await listFrom(keys[0]!, keys.at(-1)!, store.list(bucket, '', startBefore(keys[0]!)));
  const { present, end } = listed;
  const absent = keys.filter(
    (key) => !present.has(key) && (end === undefined || inListingOrder(key, end) < 0),
  );
  return new Set(absent.map((key) => formatS3Uri({ bucket, key })));
}

interface Listed {
  readonly present: ReadonlySet<string>;
  /** What lies from this key on is not known; undefined: all is. */
  readonly end?: string;
}

async function listFrom(first: string, last: string, objects: AsyncIterable<ObjectSummary>): Promise<Listed> {
  const present = new Set<string>();
  let previous = '';
  for await (const { key } of objects) {
    // Directory buckets list in no order: a gap says nothing there.
    if (inListingOrder(key, previous) < 0) return { present, end: first };
    if (inListingOrder(key, last) > 0) break;
    present.add(key);
    previous = key;
    if (present.size === MOST_LISTED) return { present, end: key };
  }
  return { present };
}

/** A listing begins behind the key that is given. */
function startBefore(key: string): string {
  return [...key].slice(0, -1).join('');
}

/** S3 lists in the order of the keys' UTF-8 bytes. */
function inListingOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
