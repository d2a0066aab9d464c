import { isBucketName, parseS3Prefix, parseS3Uri, type S3Location } from './s3-uri.ts';

/** One image as a file list names it. */
export interface FileListEntry extends S3Location {
  readonly size?: number;
  /** Opaque, without quotes. */
  readonly etag?: string;
  /** In a batch map, the user's name of the batch it is in. */
  readonly batch?: string;
}

/** Why a value is not an entry, as an error message says it. */
export interface Mismatch {
  readonly expected: string;
  readonly received: string;
  /** Where in its line, from 1, for text that is not JSON. */
  readonly column?: number;
}

/**
 * A file list that cannot be planned. Bad entries are collected: `problems` holds the first of them,
 * each with its place; `total` is how many there are.
 */
export class FileListError extends Error {
  override name = 'FileListError';
  readonly problems: readonly string[];
  readonly total: number;

  constructor(problems: readonly string[], total = problems.length, options?: ErrorOptions) {
    super(summarise(problems, total), options);
    this.problems = problems;
    this.total = total;
  }
}

/** How many problems are named one by one. */
export const NAMED_PROBLEMS = 20;

/** Collects the problems of a list: the first few by name, the rest by number. */
export class EntryProblems {
  readonly named: string[] = [];
  total = 0;

  add(place: string, { expected, received }: Mismatch): void {
    this.total += 1;
    if (this.named.length < NAMED_PROBLEMS)
      this.named.push(`Expected ${expected} at ${place} but received ${received}`);
  }
}

/** Several problems as one message: one line each, and how many more there are. */
export function summarise(problems: readonly string[], total: number): string {
  const rest = total - problems.length;
  return rest > 0 ? [...problems, `and ${rest} more`].join('\n') : problems.join('\n');
}

export function isMismatch(read: FileListEntry | Mismatch): read is Mismatch {
  return 'expected' in read;
}

/**
 * Reads one entry of a JSON list: a URI, or an object with bucket, key and perhaps size and etag.
 * Keys are not decoded: `+` and `%20` stand for themselves. Other properties are ignored, so that a failed.jsonl is a list.
 * @param relativeTo `s3://bucket/prefix/` that entries without a bucket are resolved against
 */
export function readEntry(value: unknown, relativeTo: string | null): FileListEntry | Mismatch {
  if (typeof value === 'string') return readLocation(value, relativeTo);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { expected: ENTRY, received: show(value) };
  return readEntryObject(value as Readonly<Record<string, unknown>>, relativeTo);
}

/** Reads `s3://bucket/key`, or a path below `relativeTo` where there is one. */
export function readLocation(text: string, relativeTo: string | null): S3Location | Mismatch {
  const location = parseS3Uri(text) ?? resolveBelow(relativeTo, text);
  if (isMismatch(location)) return location;
  return checkKey(location) ?? location;
}

/** A value as an error message shows it: JSON, cut where it is long. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

const URI = 's3://bucket/key';
const ENTRY = `${URI} or an object with bucket and key`;
/** S3's limit on the UTF-8 bytes of a key. */
const MAX_KEY_BYTES = 1024;
const MAX_ETAG = 128;

function readEntryObject(
  value: Readonly<Record<string, unknown>>,
  relativeTo: string | null,
): FileListEntry | Mismatch {
  const { bucket, key, size, etag } = value;
  if (typeof key !== 'string') return { expected: ENTRY, received: show(value) };
  const location = locate(bucket, key, relativeTo);
  if (isMismatch(location)) return location;
  if (!isMissing(size) && !isByteCount(size))
    return { expected: 'a size in bytes (a whole number)', received: show(size) };
  if (!isMissing(etag) && (typeof etag !== 'string' || etag.length > MAX_ETAG))
    return { expected: `an etag (at most ${MAX_ETAG} characters)`, received: show(etag) };
  const entryTag = isMissing(etag) ? undefined : etag.replace(/^(W\/)?"(.*)"$/, '$2');
  return { bucket: location.bucket, key: location.key, size: size ?? undefined, etag: entryTag };
}

function locate(bucket: unknown, key: string, relativeTo: string | null): S3Location | Mismatch {
  if (isMissing(bucket) && relativeTo === null) return { expected: ENTRY, received: show({ key }) };
  if (isMissing(bucket)) return readLocation(key, relativeTo);
  if (typeof bucket !== 'string' || !isBucketName(bucket))
    return { expected: 'the name of a bucket', received: show(bucket) };
  const location = { bucket, key };
  return checkKey(location) ?? location;
}

function checkKey({ key }: S3Location): Mismatch | undefined {
  if (key === '') return { expected: 'a key', received: '""' };
  if (!key.isWellFormed()) return { expected: 'a key that is valid Unicode', received: show(key) };
  // One UTF-16 unit takes three UTF-8 bytes at most: short keys need no count.
  const bytes = key.length * 3 > MAX_KEY_BYTES ? Buffer.byteLength(key) : 0;
  if (bytes <= MAX_KEY_BYTES) return undefined;
  return { expected: `a key of at most ${MAX_KEY_BYTES} bytes`, received: `${bytes} bytes, ${show(key)}` };
}

function resolveBelow(relativeTo: string | null, path: string): S3Location | Mismatch {
  const root = relativeTo === null ? undefined : parseS3Prefix(relativeTo);
  if (!root || /^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return { expected: URI, received: show(path) };
  if (/^([/\\]|[a-z]:[/\\])/i.test(path))
    return { expected: `${URI} or a path relative to ${relativeTo}`, received: show(path) };
  const steps = resolveSteps(path);
  if (steps === undefined) return { expected: `a path below ${relativeTo}`, received: show(path) };
  return { bucket: root.bucket, key: steps === '' ? '' : root.prefix + steps };
}

/** Resolves `.` and `..` in a path; undefined when it leaves its root. Empty steps stay: S3 keys may hold `//`. */
function resolveSteps(path: string): string | undefined {
  if (!/(^|\/)\.\.?(\/|$)/.test(path)) return path;
  const steps: string[] = [];
  for (const step of path.split('/')) {
    if (step === '..' && steps.pop() === undefined) return undefined;
    if (step !== '..' && step !== '.') steps.push(step);
  }
  return steps.join('/');
}

function isMissing(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

export function isByteCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
