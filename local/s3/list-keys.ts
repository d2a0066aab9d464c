import type { Bucket } from './bucket.ts';
import { isPlainName } from './file-names.ts';
import type { KeyFiles } from './key-files.ts';
import { compareKeys } from './key-order.ts';

/** A position between two keys. With `wholePrefix`, after every key that begins with `key`. */
export interface Position {
  readonly key: string;
  readonly wholePrefix: boolean;
}

/** The bucket's keys below a prefix and after a position, in key order. */
export function keysAfter(bucket: Bucket, prefix: string, position: Position): Generator<string> {
  return bucket
    .allFiles()
    .map((files) => keysIn(files, bucket, prefix, position))
    .reduce(merged);
}

/** The keys of some of the bucket's files: plain files merged with odd keys. */
function* keysIn(files: KeyFiles, bucket: Bucket, prefix: string, position: Position): Generator<string> {
  const odd = [...files.oddKeys()].filter((key) => key.startsWith(prefix) && isAfter(key, position)).sort(compareKeys);
  for (const key of merged(plainKeys(files, prefix, position, ''), odd.values()))
    if (bucket.filesOf(key) === files) yield key;
}

/** Two ascending sequences as one. A key in both comes once. */
function* merged(first: Iterator<string>, second: Iterator<string>): Generator<string> {
  let b = nextOf(second);
  for (let a = nextOf(first); a !== undefined; a = nextOf(first)) {
    for (; b !== undefined && compareKeys(b, a) < 0; b = nextOf(second)) yield b;
    if (b === a) b = nextOf(second);
    yield a;
  }
  for (; b !== undefined; b = nextOf(second)) yield b;
}

export function nextOf(keys: Iterator<string>): string | undefined {
  const { value, done } = keys.next();
  return done ? undefined : value;
}

function* plainKeys(files: KeyFiles, prefix: string, position: Position, folder: string): Generator<string> {
  const names = files.namesIn(folder);
  for (let index = firstRelevant(names, folder, prefix, position); index < names.length; index++) {
    const name = names[index] ?? '';
    const key = folder + name;
    if (!key.startsWith(prefix) && compareKeys(key, prefix) > 0) return;
    if (!isPlainName(name.replace(/\/$/, ''))) continue;
    if (!name.endsWith('/') && key.startsWith(prefix) && isAfter(key, position)) yield key;
    if (mayContainKeys(key, prefix, position)) yield* plainKeys(files, prefix, position, key);
  }
}

/** One before the first name that is not before prefix and position, because it may be a folder that contains them. */
function firstRelevant(names: readonly string[], folder: string, prefix: string, position: Position): number {
  const from = compareKeys(prefix, position.key) > 0 ? prefix : position.key;
  if (!from.startsWith(folder)) return 0;
  const rest = from.slice(folder.length);
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(names[middle] ?? '', rest) < 0) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

function isAfter(key: string, position: Position): boolean {
  if (position.wholePrefix && key.startsWith(position.key)) return false;
  return position.key === '' || compareKeys(key, position.key) > 0;
}

function mayContainKeys(folder: string, prefix: string, position: Position): boolean {
  if (!folder.endsWith('/')) return false;
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  if (position.wholePrefix && folder.startsWith(position.key)) return false;
  return compareKeys(folder, position.key) > 0 || position.key.startsWith(folder);
}
