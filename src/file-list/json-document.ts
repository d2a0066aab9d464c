import { type FileListEntry, FileListError, isMismatch, readEntry, show } from '../core/file-list.ts';
import { LINE_FEED } from '../core/lines.ts';
import { type JsonPlace, JsonScanner, JsonSyntaxError, type JsonVisitor } from './json-grammar.ts';
import type { EntryChunks, Reading } from './reading.ts';

/**
 * Reads one JSON document however it is laid out: a batch map, an array, or entries one after the other.
 * Memory does not grow with it, not even when it is a single line.
 * @throws FileListError with line and column where the text is not JSON
 */
export async function* readJsonDocument(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryChunks {
  const position = new TextPosition();
  const visitor = new EntryVisitor(reading, position);
  const scanner = new JsonScanner(visitor);
  for await (const chunk of bytes) {
    position.enter(chunk);
    withPosition(reading, position, () => scanner.write(chunk));
    yield visitor.takeEntries();
  }
  withPosition(reading, position, () => scanner.end());
  yield visitor.takeEntries();
}

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

interface Scope {
  readonly role: 'top' | 'entries' | 'entry' | 'ignored';
  /** The batch that an `entries` list is, or that an entry is in. */
  readonly batch?: string | undefined;
  readonly place: () => string;
  readonly fields: Record<string, unknown>;
  lists: number;
}

/** Of an object that is not an entry, as much as an error message shows. */
const MAX_FIELDS = 12;

class EntryVisitor implements JsonVisitor {
  readonly #reading: Reading;
  readonly #position: TextPosition;
  readonly #scopes: Scope[] = [];
  readonly #batches = new Set<string>();
  #entries: FileListEntry[] = [];
  #isComplete = false;

  constructor(reading: Reading, position: TextPosition) {
    this.#reading = reading;
    this.#position = position;
  }

  /** Those that were completed since the last call. */
  takeEntries(): readonly FileListEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }

  begin(container: 'object' | 'array', place: JsonPlace, offset: number): void {
    const scope = this.#scopes.at(-1);
    if (!scope) this.#beginTop(container, offset);
    else if (scope.role === 'entries' && container === 'object')
      this.#enter('entry', within(scope, place), scope.batch);
    else if (scope.role === 'entries') {
      this.#read([], within(scope, place));
      this.#enter('ignored', scope.place);
    } else if (scope.role === 'top' && container === 'array') {
      this.#beginBatch(scope, place.key ?? '');
    } else {
      keepField(scope, place.key, container === 'array' ? [] : {});
      this.#enter('ignored', scope.place);
    }
  }

  value(value: unknown, place: JsonPlace, offset: number): void {
    const scope = this.#scopes.at(-1);
    if (!scope) this.#read(value, this.#lineAt(offset));
    else if (scope.role === 'entries') this.#read(value, within(scope, place), scope.batch);
    else if (scope.role !== 'ignored') keepField(scope, place.key, value);
  }

  end(): void {
    const scope = this.#scopes.pop();
    if (scope?.role === 'entry') this.#read(scope.fields, scope.place, scope.batch);
    if (scope?.role === 'entries' && this.#scopes.length === 0) this.#isComplete = true;
    if (scope?.role === 'top') this.#endTop(scope);
  }

  #beginTop(container: 'object' | 'array', offset: number): void {
    const line = this.#lineAt(offset);
    if (container === 'object') this.#enter('top', line);
    else this.#enter('entries', () => 'the list');
  }

  #endTop({ fields, lists, place }: Scope): void {
    const isEntry = lists === 0 && Object.keys(fields).length > 0;
    this.#isComplete = !isEntry;
    if (isEntry) this.#read(fields, place);
    else
      for (const [key, value] of Object.entries(fields))
        this.#reading.problems.add(key, { expected: 'a list of images', received: show(value) });
  }

  #beginBatch(scope: Scope, name: string): void {
    scope.lists += 1;
    if (this.#batches.has(name))
      this.#reading.problems.add(name, { expected: 'each batch once', received: 'it again' });
    this.#batches.add(name);
    this.#enter('entries', () => name, name);
  }

  #enter(role: Scope['role'], place: () => string, batch?: string): void {
    this.#scopes.push({ role, place, batch, fields: {}, lists: 0 });
  }

  #read(value: unknown, place: () => string, batch?: string): void {
    const read = readEntry(value, this.#reading.relativeTo);
    if (isMismatch(read)) this.#reading.problems.add(place(), read);
    else this.#entries.push(batch === undefined ? read : { ...read, batch });
  }

  /** The place of a value outside the list. @throws JsonSyntaxError where the list has ended */
  #lineAt(offset: number): () => string {
    if (this.#isComplete) throw new JsonSyntaxError(offset, 'the end of the list', 'more');
    const { line } = this.#position.at(offset);
    return () => `line ${line}`;
  }
}

function within({ batch = '' }: Scope, { index }: JsonPlace): () => string {
  return () => `${batch}[${index}]`;
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
