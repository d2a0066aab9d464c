import type { FileListEntry } from '../core/file-list.ts';
import type { Job } from '../core/job.ts';
import { type ObjectStore, ObjectStoreError } from '../core/object-store.ts';
import { PlanError } from '../core/plan.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { contentAddressOf } from '../store/content-address.ts';

/** How many keys that look like hashes are checked. */
export const CHECKED_KEYS = 20;
/** Of one checked object, so that it fits beside the others of a small function. */
const MAX_CHECKED_BYTES = 64 * 1024 * 1024;

/** Whether a job replaces objects that another program may find by their hash, and nothing was said about those. */
export function mustCheckAddresses({ output, contentAddressed, dryRun }: Job): boolean {
  return output === 'in-place' && contentAddressed !== 'keep' && !dryRun;
}

/**
 * Refuses a job over a content-addressed store (Git LFS, DVC, `<sha256>.jpg`): most of what it would replace is named by
 * its bytes. The samples are read and hashed; where none can be read, their names decide.
 * @param sample entries whose keys look like hashes
 * @throws PlanError naming the objects; ObjectStoreError when S3 asks to slow down
 */
export async function refuseContentAddressed(sample: readonly FileListEntry[], store: ObjectStore): Promise<void> {
  if (sample.length === 0) return;
  const found: string[] = [];
  const unread: string[] = [];
  for (const entry of sample) {
    const address = await addressOf(entry, store);
    if (address === 'unread') unread.push(`${formatS3Uri(entry)}: its key looks like a hash`);
    else if (address) found.push(`${formatS3Uri(entry)}: ${address}`);
  }
  const problems = unread.length === sample.length ? unread : found;
  if (problems.length > 0) throw new PlanError(REFUSAL, problems);
}

const REFUSAL =
  'An in-place job must not change objects that are named by the hash of their bytes (Git LFS, DVC, <sha256>.jpg): ' +
  "whoever looks them up would find other bytes. Leave them out of the list, choose another 'output', " +
  'or set "contentAddressed": "keep" to leave them as they are and compress the others';

async function addressOf(entry: FileListEntry, store: ObjectStore): Promise<string | 'unread' | undefined> {
  try {
    const object = await store.get(entry, { maxBytes: MAX_CHECKED_BYTES });
    if (object === undefined || object === 'not-modified') return 'unread';
    return contentAddressOf(entry.key, object);
  } catch (error) {
    if (!(error instanceof ObjectStoreError) || !UNREADABLE.has(error.code)) throw error;
    return 'unread';
  }
}

const UNREADABLE: ReadonlySet<ObjectStoreError['code']> = new Set(['AccessDenied', 'Archived', 'NotFound', 'TooLarge']);
