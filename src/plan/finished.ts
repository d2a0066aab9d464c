import { isDeepStrictEqual } from 'node:util';
import type { ImageResult, KeptReason, SkippedReason } from '../core/image-result.ts';
import type { Job } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { parseJson } from '../core/parse-json.ts';
import { PlanError } from '../core/plan.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { readLines } from '../file-list/lines.ts';
import { readJson } from '../store/json-lines.ts';
import { FINGERPRINT_BYTES, writeFingerprint } from './fingerprint.ts';

/** The sources that an earlier job finished: compressed, kept, or skipped for a reason that still holds. */
export type FinishedSources = { has(source: S3Location): boolean };

/**
 * Reads the results of an earlier job, and of the jobs that it resumed itself: 24 to 48 bytes of memory for each
 * finished image.
 * @throws PlanError when there is no such job, or when it treated the images differently
 */
export async function readFinished(store: ObjectStore, workBucket: string, job: Job): Promise<FinishedSources> {
  const set = fingerprintSet();
  const seen = new Set<string>();
  for (let next = job.resume; next !== null && !seen.has(next); ) {
    seen.add(next);
    const location = { bucket: workBucket, key: jobKeys.job(next) };
    const earlier = await readJson<Partial<Job>>(store, location);
    if (earlier === undefined)
      throw new PlanError(
        `'resume' must be the name of an earlier job, '${next}' given: there is no ${formatS3Uri(location)}`,
      );
    refuseOtherSettings(earlier, next, job);
    await eachResultFile(store, workBucket, next, (file) => addFinished(store, file, set));
    next = earlier.resume ?? null;
  }
  return { has: (source) => set.has(formatS3Uri(source)) };
}

/** The results of an earlier job count only where this one has the same settings. */
const SETTINGS_THAT_MUST_MATCH = ['output', 'layout', 'suffixes', 'compression', 'copyKept'] as const;

function refuseOtherSettings(earlier: Partial<Job>, jobId: string, job: Job): void {
  if (earlier.dryRun && !job.dryRun)
    throw new PlanError(`'resume' must name a job that wrote its outputs, '${jobId}' given: it was a dry run`);
  const other = SETTINGS_THAT_MUST_MATCH.find(
    (name) => earlier[name] !== undefined && !isDeepStrictEqual(earlier[name], job[name]),
  );
  if (other === undefined) return;
  const [before, now] = [JSON.stringify(earlier[other]), JSON.stringify(job[other])];
  throw new PlanError(
    `'resume' must name a job with the same '${other}', '${jobId}' given: it had ${before}, this one has ${now}. Start the list without 'resume': outputs that are up to date are skipped`,
  );
}

const CONCURRENT_READS = 16;

async function eachResultFile(
  store: ObjectStore,
  bucket: string,
  jobId: string,
  read: (location: S3Location) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  for await (const { key } of store.list(bucket, jobKeys.results(jobId))) {
    // Journals are in the same folder.
    if (!key.endsWith('.jsonl')) continue;
    const reading: Promise<void> = read({ bucket, key }).finally(() => running.delete(reading));
    // Awaited below, together: an early failure must not count as unhandled until then.
    reading.catch(() => {});
    running.add(reading);
    if (running.size >= CONCURRENT_READS) await Promise.race(running);
  }
  await Promise.all(running);
}

async function addFinished(store: ObjectStore, location: S3Location, set: FingerprintSet): Promise<void> {
  for await (const { lines } of readLines(store.read(location), formatS3Uri(location)))
    for (const line of lines) {
      // An image whose line cannot be read is done again.
      const result = (parseJson(line) ?? {}) as Partial<ImageResult>;
      if (typeof result.source === 'string' && isFinished(result)) set.add(result.source);
    }
}

/** These may have changed since; and of a duplicate the first entry has the result. */
const NOT_FINISHED: ReadonlySet<KeptReason | SkippedReason> = new Set([
  'archived',
  'changed-meanwhile',
  'duplicate',
  'object-lock',
  'write-limit',
]);

function isFinished(result: Partial<ImageResult>): boolean {
  if (result.status === 'kept' || result.status === 'skipped')
    return result.reason === undefined || !NOT_FINISHED.has(result.reason);
  return result.status === 'compressed';
}

type FingerprintSet = ReturnType<typeof fingerprintSet>;

/** Open addressing over 96 bits of each fingerprint, far smaller than a Set of names. */
function fingerprintSet() {
  const print = Buffer.alloc(FINGERPRINT_BYTES);
  let words = new Uint32Array(3 * 1024);
  let count = 0;

  const slotOf = (a: number, b: number, c: number): number => {
    const slots = words.length / 3;
    let slot = a % slots;
    while (!isFree(slot) && !holds(slot, a, b, c)) slot = (slot + 1) % slots;
    return slot;
  };
  const holds = (slot: number, a: number, b: number, c: number) =>
    words[slot * 3] === a && words[slot * 3 + 1] === b && words[slot * 3 + 2] === c;
  const isFree = (slot: number) => holds(slot, 0, 0, 0);
  const enter = (a: number, b: number, c: number): boolean => {
    const slot = slotOf(a, b, c);
    if (!isFree(slot)) return false;
    words.set([a, b, c], slot * 3);
    return true;
  };
  const grow = () => {
    const former = words;
    words = new Uint32Array(former.length * 2);
    for (let i = 0; i < former.length; i += 3) {
      const [a = 0, b = 0, c = 0] = former.subarray(i, i + 3);
      if (a || b || c) enter(a, b, c);
    }
  };
  const wordsOf = (text: string): [number, number, number] => {
    writeFingerprint(text, print, 0);
    return [print.readUInt32LE(0), print.readUInt32LE(4), print.readUInt32LE(8)];
  };

  return {
    add(text: string): void {
      if (count * 6 >= words.length) grow();
      if (enter(...wordsOf(text))) count += 1;
    },
    has: (text: string): boolean => !isFree(slotOf(...wordsOf(text))),
  };
}
