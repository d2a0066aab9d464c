import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { GetObjectCommand, paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { JSONParser } from '@streamparser/json';
import { parse as parseCsv } from 'csv-parse';
import { createS3Store } from '../../src/store/s3-store.ts';
import type { ItemReader } from './definition.ts';
import { StatesError } from './states-error.ts';

/** One item of a Distributed Map. `key`: the items are the fields of a JSON object. */
export interface MapItem {
  readonly key?: string;
  readonly value: unknown;
}

/**
 * Reads the items of an ItemReader one after the other; memory does not grow with their number.
 * @param parameters the reader's evaluated Parameters
 * @throws StatesError `States.ItemReaderFailed`
 */
export async function* readItems(
  reader: ItemReader,
  parameters: { Bucket: string; Key?: string; Prefix?: string; VersionId?: string },
  s3: S3Client,
): AsyncGenerator<MapItem> {
  try {
    if (reader.Resource.endsWith(':listObjectsV2')) yield* listObjects(parameters, s3);
    else yield* FORMATS[reader.ReaderConfig!.InputType!]!(() => openObject(parameters, s3), reader);
  } catch (error) {
    if (error instanceof StatesError) throw error;
    const place = `s3://${parameters.Bucket}/${parameters.Key ?? parameters.Prefix ?? ''}`;
    const { name, message } = error as Error;
    throw new StatesError('States.ItemReaderFailed', `Error while reading ${place}: ${name}: ${message}`);
  }
}

/** What `$$.Map.Item.Source` says of the items. */
export function sourceOf(
  reader: ItemReader | undefined,
  parameters: { Bucket?: string; Key?: string },
): string {
  if (!reader) return 'STATE_DATA';
  return ['S3:/', parameters.Bucket, parameters.Key].filter((part) => part !== undefined).join('/');
}

type Format = (open: () => Promise<Readable>, reader: ItemReader) => AsyncIterable<MapItem>;

/** InputType to reader. The guard refuses what is not here. */
export const FORMATS: Readonly<Record<string, Format>> = { JSON: readJson, JSONL: readLines, CSV: readCsv };

async function* listObjects(parameters: { Bucket: string; Prefix?: string }, s3: S3Client) {
  for await (const page of paginateListObjectsV2({ client: s3 }, parameters)) {
    for (const { ETag, Key, LastModified, Size, StorageClass } of page.Contents ?? []) {
      const seconds = Math.floor((LastModified?.getTime() ?? 0) / 1000);
      yield { value: { Etag: ETag, Key, LastModified: seconds, Size, StorageClass } };
    }
  }
}

async function openObject(parameters: { Bucket: string; Key?: string; VersionId?: string }, s3: S3Client) {
  const { Bucket, Key, VersionId } = parameters;
  // Goes on where a connection broke, as Step Functions does. Versions are not read that way.
  const body = VersionId
    ? ((await s3.send(new GetObjectCommand({ Bucket, Key, VersionId }))).Body as Readable)
    : Readable.from(createS3Store(s3).read({ bucket: Bucket, key: Key! }));
  if (/\.gz$/i.test(Key!)) return decompressed(body, createGunzip());
  return /\.zstd?$/i.test(Key!) ? decompressed(body, createZstdDecompress()) : body;
}

function decompressed(
  body: Readable,
  decoder: ReturnType<typeof createGunzip | typeof createZstdDecompress>,
) {
  body.once('error', (error) => decoder.destroy(error));
  decoder.once('close', () => body.destroy());
  return body.pipe(decoder);
}

async function* readLines(open: () => Promise<Readable>): AsyncGenerator<MapItem> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  // Not node:readline: it ends quietly where the stream broke, and the rest of the items would be lost.
  for await (const chunk of await open()) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.trim() !== '') yield { value: JSON.parse(line) };
  }
  rest += decoder.decode();
  if (rest.trim() !== '') yield { value: JSON.parse(rest) };
}

async function* readJson(
  open: () => Promise<Readable>,
  { ReaderConfig }: ItemReader,
): AsyncGenerator<MapItem> {
  const place = ['$', ...stepsOf(ReaderConfig!.ItemsPointer ?? '')].join('.');
  let items = 0;
  for await (const { key, value } of valuesAt(`${place}.*`, await open())) {
    items++;
    // What a field of an object becomes is not documented; the emulators of Step Functions agree on this.
    yield typeof key === 'string' ? { key, value: { Key: key, Value: value } } : { value };
  }
  // Only now, because to ask for the container beside its items would keep them all in memory.
  if (items === 0) await expectContainer(place, await open());
}

async function expectContainer(place: string, body: Readable): Promise<void> {
  for await (const { value } of valuesAt(place, body))
    if (typeof value === 'object' && value !== null) return;
  throw new StatesError('States.ItemReaderFailed', 'Attempting to map over non-iterable node.');
}

/** The steps of a JSON Pointer such as `/inventory/products`. */
function stepsOf(pointer: string): readonly string[] {
  const steps = pointer.split('/').slice(1);
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

async function* valuesAt(place: string, body: Readable) {
  const parser = new JSONParser({ paths: [place], keepStack: false });
  const found: { key: unknown; value: unknown }[] = [];
  parser.onValue = ({ key, value }) => {
    found.push({ key, value });
  };
  for await (const chunk of body) {
    parser.write(chunk);
    yield* found.splice(0);
  }
  if (!parser.isEnded) parser.end();
  yield* found.splice(0);
}

const DELIMITERS: Readonly<Record<string, string>> = {
  COMMA: ',',
  PIPE: '|',
  SEMICOLON: ';',
  SPACE: ' ',
  TAB: '\t',
};

async function* readCsv(
  open: () => Promise<Readable>,
  { ReaderConfig }: ItemReader,
): AsyncGenerator<MapItem> {
  const delimiter = DELIMITERS[ReaderConfig!.CSVDelimiter ?? 'COMMA']!;
  const parser = parseCsv({ bom: true, delimiter, relax_column_count: true, skip_empty_lines: true });
  const body = await open();
  body.once('error', (error) => parser.destroy(error));
  let headers = ReaderConfig!.CSVHeaderLocation === 'GIVEN' ? ReaderConfig!.CSVHeaders : undefined;
  for await (const row of body.pipe(parser) as AsyncIterable<string[]>) {
    // Short rows are filled up with empty fields, surplus fields are dropped.
    if (headers) yield { value: Object.fromEntries(headers.map((header, n) => [header, row[n] ?? ''])) };
    else headers = row;
  }
}
