import {
  type FileListEntry,
  FileListError,
  isMismatch,
  type Mismatch,
  readEntry,
  show,
} from '../core/file-list.ts';
import { LINE_FEED } from '../core/lines.ts';
import { type JsonPlace, JsonSyntaxError, type JsonVisitor, scanJson } from './json-grammar.ts';
import type { EntryChunks, Reading } from './reading.ts';

/**
 * Reads one JSON document however it is laid out: a batch map, an array, or entries one after the other.
 * Memory does not grow with it, not even when it is a single line.
 * @throws FileListError with line and column where the text is not JSON
 */
export async function* readJsonDocument(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryChunks {
  const position = new TextPosition();
  let entries: FileListEntry[] = [];
  const emit: Emit = (read, place) => {
    if (isMismatch(read)) reading.problems.add(place(), read);
    else entries.push(read);
  };
  const scanner = scanJson(entryVisitor(reading, position, emit));
  for await (const chunk of bytes) {
    position.enter(chunk);
    withPosition(reading, position, () => scanner.write(chunk));
    if (entries.length > 0) yield entries;
    entries = [];
  }
  withPosition(reading, position, () => scanner.end());
  if (entries.length > 0) yield entries;
}

/** Takes a good entry, or a bad one with its place. */
type Emit = (read: FileListEntry | Mismatch, place: () => string) => void;

/** Line and column of a byte offset in the current chunk; both from 1, the column counts bytes. */
class TextPosition {
  #chunk: Uint8Array = new Uint8Array();
  #chunkStart = 0;
  #line = 1;
  #lineStart = 0;

  enter(chunk: Uint8Array): void {
    const end = this.#chunkStart + this.#chunk.byteLength;
    ({ line: this.#line, lineStart: this.#lineStart } = this.#find(end));
    this.#chunkStart = end;
    this.#chunk = chunk;
  }

  at(offset: number): { readonly line: number; readonly column: number } {
    const { line, lineStart } = this.#find(offset);
    return { line, column: Math.max(1, offset - lineStart + 1) };
  }

  #find(offset: number): { line: number; lineStart: number } {
    let line = this.#line;
    let lineStart = this.#lineStart;
    let feed = this.#chunk.indexOf(LINE_FEED);
    while (feed >= 0 && this.#chunkStart + feed < offset) {
      line += 1;
      lineStart = this.#chunkStart + feed + 1;
      feed = this.#chunk.indexOf(LINE_FEED, feed + 1);
    }
    return { line, lineStart };
  }
}

type Role = 'top' | 'entries' | 'entry' | 'ignored';

interface Scope {
  readonly role: Role;
  /** The batch that an `entries` list is, or that an entry is in. */
  readonly batch?: string;
  readonly place: () => string;
  readonly fields: Record<string, unknown>;
  lists: number;
}

/** Of an object that is not an entry, as much as an error message shows. */
const MAX_FIELDS = 12;
const LIST_OF_IMAGES = 'a list of images';

function entryVisitor(reading: Reading, position: TextPosition, emit: Emit): JsonVisitor {
  const scopes: Scope[] = [];
  const batches = new Set<string>();
  let complete = false;

  const lineOf = ({ offset }: JsonPlace) => {
    const { line } = position.at(offset);
    return () => `line ${line}`;
  };
  const refuseMore = ({ offset, depth }: JsonPlace) => {
    if (complete && depth === 0) throw new JsonSyntaxError(offset, 'the end of the list', 'more');
  };
  const enter = (role: Role, place: () => string, batch?: string) =>
    scopes.push({ role, place, batch, fields: {}, lists: 0 });

  const beginBatch = (scope: Scope, name: string) => {
    scope.lists += 1;
    if (batches.has(name)) emit({ expected: 'each batch once', received: 'it again' }, () => name);
    batches.add(name);
    enter('entries', () => name, name);
  };

  const within = (scope: Scope, { index }: JsonPlace) => {
    const prefix = scope.batch ?? '';
    return () => `${prefix}[${index}]`;
  };

  return {
    begin(container, place) {
      refuseMore(place);
      const scope = scopes.at(-1);
      if (!scope) {
        if (container === 'array') enter('entries', () => 'the list');
        else enter('top', lineOf(place));
      } else if (scope.role === 'entries' && container === 'object') {
        enter('entry', within(scope, place), scope.batch);
      } else if (scope.role === 'entries') {
        emit(readEntry([], reading.relativeTo), within(scope, place));
        enter('ignored', scope.place);
      } else if (scope.role === 'top' && container === 'array') {
        beginBatch(scope, place.key ?? '');
      } else {
        keepField(scope, place.key, container === 'array' ? [] : {});
        enter('ignored', scope.place);
      }
    },

    value(value, place) {
      refuseMore(place);
      const scope = scopes.at(-1);
      if (!scope) emit(readEntry(value, reading.relativeTo), lineOf(place));
      else if (scope.role === 'entries')
        emit(named(readEntry(value, reading.relativeTo), scope.batch), within(scope, place));
      else if (scope.role !== 'ignored') keepField(scope, place.key, value);
    },

    end(_container, depth) {
      const scope = scopes.pop();
      if (!scope) return;
      const { role, batch, fields, lists, place } = scope;
      if (role === 'entry') emit(named(readEntry(fields, reading.relativeTo), batch), place);
      if (role === 'entries' && depth === 0) complete = true;
      if (role !== 'top') return;
      if (lists === 0 && Object.keys(fields).length > 0)
        return emit(readEntry(fields, reading.relativeTo), place);
      for (const [key, value] of Object.entries(fields))
        emit({ expected: LIST_OF_IMAGES, received: show(value) }, () => key);
      complete = true;
    },
  };
}

function named(read: FileListEntry | Mismatch, batch: string | undefined): FileListEntry | Mismatch {
  return batch === undefined ? read : { ...read, batch };
}

/** The fields of an entry are kept however many others precede them. */
function keepField({ fields }: Scope, key: string | undefined, value: unknown): void {
  if (key === undefined) return;
  const own = key === 'bucket' || key === 'key' || key === 'size' || key === 'etag';
  if (own || Object.keys(fields).length < MAX_FIELDS) fields[key] = value;
}

function withPosition(reading: Reading, position: TextPosition, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const { line, column } = position.at(error.offset);
    throw new FileListError([
      `Expected ${error.expected} at line ${line}, column ${column} of ${reading.name} but received ${error.received}`,
    ]);
  }
}
