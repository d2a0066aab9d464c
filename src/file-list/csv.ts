import { CsvError, parse } from 'csv-parse/sync';
import { type FileListEntry, FileListError, type Mismatch, readEntry, show } from '../core/file-list.ts';
import { readLines } from './lines.ts';
import { type EntryLots, type Reading, sort } from './reading.ts';

/** Reads `bucket,key[,size]` as S3 Batch Operations takes it, with or without a header; keys are percent-decoded. */
export async function* readCsv(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryLots {
  for await (const { first, rows } of readCsvRows(bytes, reading.name)) {
    const lot: FileListEntry[] = [];
    rows.forEach((row, index) => {
      if (isBlank(row) || (first + index === 1 && isHeader(row))) return;
      sort(readRow(row), lot, reading, () => `line ${first + index}`);
    });
    yield lot;
  }
}

/**
 * Rows of a CSV without line feeds inside its fields (keys are encoded, so there are none), one for each line.
 * @throws FileListError naming the line whose quotes are broken
 */
export async function* readCsvRows(
  bytes: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<{ readonly first: number; readonly rows: readonly (readonly string[])[] }> {
  for await (const { first, lines } of readLines(bytes, name))
    yield { first, rows: splitRows(lines, first, name) };
}

/** Percent-decodes a key; undefined where `%` is not followed by two digits, or the bytes are no UTF-8. */
export function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Whether a first line reads as `bucket,key`, or as its header. */
export function looksLikeCsv(line: string): boolean {
  if (line.includes('s3://')) return false;
  return /^\s*("[a-z0-9.-]{3,63}"|[a-z0-9.-]{3,63})\s*,\s*\S/i.test(line);
}

function splitRows(lines: readonly string[], first: number, name: string): readonly (readonly string[])[] {
  // Without quotes a comma is always a border: no need for a parser.
  if (!lines.some((line) => line.includes('"'))) return lines.map((line) => line.split(','));
  try {
    return parse(lines.join('\n'), { relaxColumnCount: true, skipEmptyLines: false });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = first - 1 + Number(error.lines ?? 1);
    throw new FileListError([
      `Expected CSV at line ${line} of ${name} but received ${show(lines[line - first])}: ${error.message}`,
    ]);
  }
}

function readRow(row: readonly string[]): FileListEntry | Mismatch {
  const [bucket = '', encoded = '', third = ''] = row.map((field) => field.trim());
  if (row.length < 2 || row.length > 3)
    return { expected: 'bucket,key or bucket,key,size', received: show(row.join(',')) };
  const key = percentDecoded(encoded);
  if (key === undefined) return { expected: 'a percent-encoded key', received: show(encoded) };
  if (third !== '' && third !== 'null' && !/^\d{1,15}$/.test(third))
    return {
      expected:
        'a size in bytes in the third column (a version id cannot be chosen: the current one is read)',
      received: show(third),
    };
  return readEntry({ bucket, key, ...(/^\d+$/.test(third) ? { size: Number(third) } : undefined) }, null);
}

function isHeader(row: readonly string[]): boolean {
  return row[0]?.trim().toLowerCase() === 'bucket' && row[1]?.trim().toLowerCase() === 'key';
}

function isBlank(row: readonly string[]): boolean {
  return row.length <= 1 && (row[0] ?? '').trim() === '';
}
