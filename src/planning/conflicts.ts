import type { S3Location } from '../core/s3-uri.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { FINGERPRINT_BYTES, writeFingerprint } from './fingerprint.ts';
import type { SpillFile, SpillFolder } from './spill.ts';

/** Two lines of images.jsonl that cannot both be carried out. */
export interface Collision {
  readonly first: number;
  readonly second: number;
  /** output: both write one object. source: one writes over the other before it is read. */
  readonly kind: 'output' | 'source';
}

export interface Conflicts {
  readonly duplicates: number;
  /** The line that the `n`-th repeats; to be asked with rising `n`. */
  duplicateOf(n: number): number | undefined;
  readonly collisions: number;
  /** The first of them in the order of the list. */
  readonly named: readonly Collision[];
}

export interface ConflictFinder {
  /** Takes line `n`, with rising `n`. `overwritable`: the source lies where outputs go. */
  add(n: number, source: S3Location, output: S3Location, overwritable: boolean): void;
  find(): Conflicts;
}

/**
 * Finds lines that name one object twice, and different sources that would write one object. Memory does not grow
 * with the list: fingerprints are dealt out to files, and each file is looked through by itself.
 */
export function findConflicts(folder: SpillFolder): ConflictFinder {
  const parts = Array.from({ length: PARTS }, () => folder.file());
  const record = Buffer.alloc(RECORD_BYTES);
  const put = (n: number, kind: number, output: string, source: string) => {
    writeFingerprint(output, record, 0);
    if (source === output) record.copyWithin(SOURCE_AT, 0, FINGERPRINT_BYTES);
    else writeFingerprint(source, record, SOURCE_AT);
    record.writeUIntLE(n, ORDINAL_AT, 6);
    record[KIND_AT] = kind;
    parts[record[0]! % PARTS]!.append(record);
  };

  return {
    add(n, source, output, overwritable) {
      const sourceUri = formatS3Uri(source);
      put(n, WRITES, formatS3Uri(output), sourceUri);
      if (overwritable) put(n, IS_READ, sourceUri, sourceUri);
    },
    find() {
      const found = collect(folder);
      for (const part of parts) lookThrough(part.whole(), found);
      return found.conflicts();
    },
  };
}

const PARTS = 64;
/** The most collisions that are kept to be named; far more than a message shows. */
const MAX_NAMED = 200;

const WRITES = 0;
const IS_READ = 1;

/** A record: fingerprint of the output, of the source, the ordinal (6 bytes), the kind, one byte unused. */
const SOURCE_AT = FINGERPRINT_BYTES;
const ORDINAL_AT = 2 * FINGERPRINT_BYTES;
const KIND_AT = ORDINAL_AT + 6;
const RECORD_BYTES = KIND_AT + 2;

/** A hash table over the records of one part; of several that share an output only the first is entered. */
function lookThrough(records: Buffer, found: Findings): void {
  const count = records.byteLength / RECORD_BYTES;
  const mask = 2 ** Math.ceil(Math.log2(count * 2 + 1)) - 1;
  const table = new Int32Array(mask + 1).fill(-1);
  for (let i = 0; i < count; i++) {
    const at = i * RECORD_BYTES;
    let slot = records.readUInt32LE(at + 4) & mask;
    while (table[slot] !== -1 && !equal(records, table[slot]! * RECORD_BYTES, at)) slot = (slot + 1) & mask;
    if (table[slot] === -1) table[slot] = i;
    else compare(records, table[slot]! * RECORD_BYTES, at, found);
  }
}

function compare(records: Buffer, first: number, second: number, found: Findings): void {
  const a = records.readUIntLE(first + ORDINAL_AT, 6);
  const b = records.readUIntLE(second + ORDINAL_AT, 6);
  const bothWrite = records[first + KIND_AT] === WRITES && records[second + KIND_AT] === WRITES;
  const sameSource = equal(records, first + SOURCE_AT, second + SOURCE_AT);
  if (bothWrite && sameSource) found.duplicate(b, a);
  else if (bothWrite) found.collision({ first: a, second: b, kind: 'output' });
  // A source that is its own output is no conflict of two lines.
  else if (!sameSource) found.collision({ first: a, second: b, kind: 'source' });
}

function equal(records: Buffer, a: number, b: number): boolean {
  for (let i = 0; i < FINGERPRINT_BYTES; i += 4)
    if (records.readInt32LE(a + i) !== records.readInt32LE(b + i)) return false;
  return true;
}

interface Findings {
  duplicate(n: number, of: number): void;
  collision(collision: Collision): void;
  conflicts(): Conflicts;
}

function collect(folder: SpillFolder): Findings {
  const marks = duplicateMarks(folder);
  let collisions = 0;
  let named: Collision[] = [];
  const earliest = () => named.sort((a, b) => a.second - b.second).slice(0, MAX_NAMED);
  return {
    duplicate: marks.add,
    collision(collision) {
      collisions += 1;
      named.push(collision);
      if (named.length > 10 * MAX_NAMED) named = earliest();
    },
    conflicts: () => ({
      duplicates: marks.count(),
      duplicateOf: marks.of,
      collisions,
      named: earliest(),
    }),
  };
}

/** Which line repeats which, dealt out by ranges of ordinals, so that one range at a time is in memory. */
function duplicateMarks(folder: SpillFolder) {
  const files = new Map<number, SpillFile>();
  const pair = Buffer.alloc(12);
  let count = 0;
  let range = -1;
  let firsts = new Float64Array();

  const load = (wanted: number) => {
    range = wanted;
    firsts = new Float64Array(files.has(wanted) ? RANGE : 0).fill(-1);
    const pairs = files.get(wanted)?.whole() ?? Buffer.alloc(0);
    for (let at = 0; at < pairs.byteLength; at += 12)
      firsts[pairs.readUIntLE(at, 6) % RANGE] = pairs.readUIntLE(at + 6, 6);
  };
  const fileOf = (n: number) => {
    const of = Math.floor(n / RANGE);
    const file = files.get(of) ?? folder.file();
    files.set(of, file);
    return file;
  };

  return {
    add(n: number, of: number) {
      count += 1;
      pair.writeUIntLE(n, 0, 6);
      pair.writeUIntLE(of, 6, 6);
      fileOf(n).append(pair);
    },
    count: () => count,
    of(n: number): number | undefined {
      if (Math.floor(n / RANGE) !== range) load(Math.floor(n / RANGE));
      const first = firsts[n % RANGE] ?? -1;
      return first < 0 ? undefined : first;
    },
  };
}

const RANGE = 2 ** 18;
