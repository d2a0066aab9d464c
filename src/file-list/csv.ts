import { CsvError, parse } from 'csv-parse/sync';
import { type FileListEntry, FileListError, type Mismatch, readEntry, show } from '../core/file-list.ts';
import { type Block, readLines } from './lines.ts';
import { type EntryChunks, type Reading, readEachLine } from './reading.ts';

/** Reads `bucket,key[,size]` as S3 Batch Operations takes it, with or without a header; keys are percent-decoded. */
export function readCsv(bytes: AsyncIterable<Uint8Array>, reading: Reading): EntryChunks {
  return readEachLine(readCsvRows(bytes, reading.name), reading, (row, number) =>
    isBlank(row) || (number === 1 && isHeader(row)) ? undefined : readRow(row),
  );
}

export type Row = readonly string[];

/**
 * Rows of a CSV without line feeds inside its fields (keys are encoded, so there are none), one for each line.
 * @throws FileListError naming the line whose quotes are broken
 */
export async function* readCsvRows(bytes: AsyncIterable<Uint8Array>, name: string): AsyncIterable<Block<Row>> {
  for await (const { first, lines } of readLines(bytes, name)) yield { first, lines: splitRows(lines, first, name) };
}

/** Percent-decodes a key; undefined where `%` is not followed by two digits, or the bytes are not UTF-8. */
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

function splitRows(lines: readonly string[], first: number, name: string): readonly Row[] {
  // Without quotes every comma separates fields: no parser is needed.
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

function readRow(row: Row): FileListEntry | Mismatch {
  const [bucket = '', encoded = '', third = ''] = row.map((field) => field.trim());
  if (row.length < 2 || row.length > 3)
    return { expected: 'bucket,key or bucket,key,size', received: show(row.join(',')) };
  const key = percentDecoded(encoded);
  if (key === undefined) return { expected: 'a percent-encoded key', received: show(encoded) };
  if (third !== '' && third !== 'null' && !/^\d{1,15}$/.test(third))
    return {
      expected: 'a size in bytes in the third column (a version id cannot be chosen: the current one is read)',
      received: show(third),
    };
  return readEntry({ bucket, key, size: /^\d+$/.test(third) ? Number(third) : undefined }, null);
}

function isHeader(row: Row): boolean {
  return row[0]?.trim().toLowerCase() === 'bucket' && row[1]?.trim().toLowerCase() === 'key';
}

function isBlank(row: Row): boolean {
  return row.length <= 1 && (row[0] ?? '').trim() === '';
}
