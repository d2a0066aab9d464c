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
 * @param sourceOf what tells sources apart whose outputs are the same
 */
export function findConflicts(
  folder: SpillFolder,
  sourceOf: (source: S3Location) => string = formatS3Uri,
): ConflictFinder {
  const parts = Array.from({ length: PARTS }, () => folder.file());
  const record = Buffer.alloc(RECORD_BYTES);
  const fingerprint = rememberLast(record);

  const put = (n: number, kind: number, output: string, source: string) => {
    writeFingerprint(output, record, OUTPUT_AT);
    fingerprint(source);
    record.writeUInt32LE(n % 2 ** 32, ORDINAL_AT);
    record.writeUInt32LE(Math.floor(n / 2 ** 32) * 2 + kind, KIND_AT);
    parts[record[OUTPUT_AT]! % PARTS]!.append(record);
  };

  return {
    add(n, source, output, overwritable) {
      put(n, WRITES, formatS3Uri(output), sourceOf(source));
      if (overwritable) put(n, IS_READ, formatS3Uri(source), sourceOf(source));
    },
    find() {
      const found = collect(folder);
      const room = Buffer.allocUnsafeSlow(Math.max(0, ...parts.map(({ length }) => length)));
      const table = new Int32Array(2 ** Math.ceil(Math.log2((room.byteLength / RECORD_BYTES) * 2 + 2)));
      for (const part of parts) lookThrough(wordsOf(part.whole(room)), table.fill(-1), found);
      return found.conflicts();
    },
  };
}

const PARTS = 64;
/** The most collisions that are kept to be named; far more than a message shows. */
const MAX_NAMED = 200;

const WRITES = 0;
const IS_READ = 1;

/** A record: fingerprints of output and source, then the ordinal: 32 bits of it, and 31 more above the kind. */
const OUTPUT_AT = 0;
const SOURCE_AT = FINGERPRINT_BYTES;
const ORDINAL_AT = 2 * FINGERPRINT_BYTES;
const KIND_AT = ORDINAL_AT + 4;
const RECORD_BYTES = KIND_AT + 4;
const RECORD_WORDS = RECORD_BYTES / 4;

/** Sources often share what tells them apart (their bucket): the fingerprint in place is taken again. */
function rememberLast(record: Buffer): (source: string) => void {
  let last: string | undefined;
  return (source) => {
    if (source !== last) writeFingerprint(source, record, SOURCE_AT);
    last = source;
  };
}

function wordsOf(records: Buffer): Int32Array {
  return new Int32Array(records.buffer, records.byteOffset, records.byteLength / 4);
}

/** A hash table over the records of one part; of several that share an output only the first is entered. */
function lookThrough(words: Int32Array, table: Int32Array, found: Findings): void {
  const mask = table.length - 1;
  for (let record = 0; record < words.length; record += RECORD_WORDS) {
    let slot = words[record + 1]! & mask;
    while (table[slot] !== -1 && !equal(words, table[slot]!, record)) slot = (slot + 1) & mask;
    if (table[slot] === -1) table[slot] = record;
    else compare(words, table[slot]!, record, found);
  }
}

function compare(words: Int32Array, first: number, second: number, found: Findings): void {
  const [a, b] = [ordinalOf(words, first), ordinalOf(words, second)];
  const [kindA, kindB] = [kindOf(words, first), kindOf(words, second)];
  if (kindA === IS_READ && kindB === IS_READ) return;
  if (kindA !== kindB) {
    // A source that is its own output is no conflict of two lines.
    if (a !== b) found.collision({ first: a, second: b, kind: 'source' });
  } else if (equal(words, first + SOURCE_AT / 4, second + SOURCE_AT / 4)) {
    found.duplicate(b, a);
  } else {
    found.collision({ first: a, second: b, kind: 'output' });
  }
}

function kindOf(words: Int32Array, record: number): number {
  return words[record + KIND_AT / 4]! & 1;
}

function ordinalOf(words: Int32Array, record: number): number {
  return (words[record + ORDINAL_AT / 4]! >>> 0) + (words[record + KIND_AT / 4]! >>> 1) * 2 ** 32;
}

function equal(words: Int32Array, a: number, b: number): boolean {
  return (
    words[a] === words[b] &&
    words[a + 1] === words[b + 1] &&
    words[a + 2] === words[b + 2] &&
    words[a + 3] === words[b + 3]
  );
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
