import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
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
  /** The line that the `n`-th repeats. Fast when asked with rising `n`. */
  duplicateOf(n: number): number | undefined;
  readonly collisions: number;
  /** The first of them in the order of the list. */
  readonly named: readonly Collision[];
}

/**
 * Finds lines that name one object twice, and different sources that would write one object. Memory does not grow
 * with the list: fingerprints are distributed over files, and one file at a time is searched.
 * @param distinguish the part of a source that distinguishes it from others with the same output
 */
export function findConflicts(folder: SpillFolder, distinguish: (source: S3Location) => string = formatS3Uri) {
  const parts = Array.from({ length: PARTS }, () => folder.file());
  const record = Buffer.alloc(RECORD_BYTES);
  let last: string | undefined;

  const put = (n: number, kind: number, output: string, source: string) => {
    writeFingerprint(output, record, OUTPUT_AT);
    // Consecutive sources often share the part that counts (their bucket): its fingerprint is then still in the record.
    if (source !== last) writeFingerprint(source, record, SOURCE_AT);
    last = source;
    record.writeUInt32LE(n % 2 ** 32, ORDINAL_AT);
    record.writeUInt32LE(Math.floor(n / 2 ** 32) * 2 + kind, KIND_AT);
    parts[record.readUInt8(OUTPUT_AT) % PARTS]?.append(record);
  };

  return {
    /** Takes line `n`, with rising `n`. `isOverwritable`: the source is where outputs go. */
    add(n: number, source: S3Location, output: S3Location, isOverwritable: boolean): void {
      put(n, WRITES, formatS3Uri(output), distinguish(source));
      if (isOverwritable) put(n, IS_READ, formatS3Uri(source), distinguish(source));
    },
    find(): Conflicts {
      const found = collect(folder);
      const scratch = Buffer.allocUnsafeSlow(Math.max(0, ...parts.map(({ length }) => length)));
      const table = new Int32Array(2 ** Math.ceil(Math.log2((scratch.byteLength / RECORD_BYTES) * 2 + 2)));
      for (const part of parts) {
        const { buffer, byteOffset, byteLength } = part.readAll(scratch);
        findEqualOutputs(new Int32Array(buffer, byteOffset, byteLength / 4), table.fill(-1), found);
      }
      return found.conflicts();
    },
  };
}

const PARTS = 64;
/** How many collisions are kept by name; far more than a message shows. */
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

/** A hash table over the records of one part; of several with one output only the first is entered. */
function findEqualOutputs(words: Int32Array, table: Int32Array, found: Findings): void {
  const mask = table.length - 1;
  for (let record = 0; record < words.length; record += RECORD_WORDS) {
    let slot = word(words, record + 1) & mask;
    while (table[slot] !== -1 && !equal(words, word(table, slot), record)) slot = (slot + 1) & mask;
    if (table[slot] === -1) table[slot] = record;
    else compare(words, word(table, slot), record, found);
  }
}

function compare(words: Int32Array, first: number, second: number, found: Findings): void {
  const [a, b] = [ordinalOf(words, first), ordinalOf(words, second)];
  const [kindA, kindB] = [kindOf(words, first), kindOf(words, second)];
  if (kindA === IS_READ && kindB === IS_READ) return;
  if (kindA !== kindB) {
    // A source that is its own output is not a conflict of two lines.
    if (a !== b) found.collision({ first: a, second: b, kind: 'source' });
  } else if (equal(words, first + SOURCE_AT / 4, second + SOURCE_AT / 4)) {
    found.duplicate(b, a);
  } else {
    found.collision({ first: a, second: b, kind: 'output' });
  }
}

function kindOf(words: Int32Array, record: number): number {
  return word(words, record + KIND_AT / 4) & 1;
}

function ordinalOf(words: Int32Array, record: number): number {
  return (word(words, record + ORDINAL_AT / 4) >>> 0) + (word(words, record + KIND_AT / 4) >>> 1) * 2 ** 32;
}

function word(words: Int32Array, index: number): number {
  return words[index] ?? 0;
}

function equal(words: Int32Array, a: number, b: number): boolean {
  return (
    words[a] === words[b] &&
    words[a + 1] === words[b + 1] &&
    words[a + 2] === words[b + 2] &&
    words[a + 3] === words[b + 3]
  );
}

type Findings = ReturnType<typeof collect>;

function collect(folder: SpillFolder) {
  const marks = duplicateMarks(folder);
  let collisions = 0;
  let named: Collision[] = [];
  const earliest = () => named.sort((a, b) => a.second - b.second).slice(0, MAX_NAMED);
  return {
    duplicate: marks.add,
    collision(collision: Collision): void {
      collisions += 1;
      named.push(collision);
      if (named.length > 10 * MAX_NAMED) named = earliest();
    },
    conflicts: () => ({ duplicates: marks.count(), duplicateOf: marks.of, collisions, named: earliest() }),
  };
}

/** Which line repeats which, in a file for each range of ordinals, so that one range at a time is in memory. */
function duplicateMarks(folder: SpillFolder) {
  const files = new Map<number, SpillFile>();
  const pair = Buffer.alloc(12);
  let count = 0;
  let range = -1;
  let firsts = new Float64Array();

  const rangeOf = (n: number) => Math.floor(n / RANGE);
  const load = (wanted: number) => {
    range = wanted;
    firsts = new Float64Array(files.has(wanted) ? RANGE : 0).fill(-1);
    const pairs = files.get(wanted)?.readAll() ?? Buffer.alloc(0);
    for (let at = 0; at < pairs.byteLength; at += 12)
      firsts[pairs.readUIntLE(at, 6) % RANGE] = pairs.readUIntLE(at + 6, 6);
  };

  return {
    add(n: number, of: number) {
      count += 1;
      pair.writeUIntLE(n, 0, 6);
      pair.writeUIntLE(of, 6, 6);
      const file = files.get(rangeOf(n)) ?? folder.file();
      files.set(rangeOf(n), file);
      file.append(pair);
    },
    count: () => count,
    of(n: number): number | undefined {
      if (rangeOf(n) !== range) load(rangeOf(n));
      const first = firsts[n % RANGE] ?? -1;
      return first < 0 ? undefined : first;
    },
  };
}

const RANGE = 2 ** 18;
