import { z } from 'zod';
import { type FileListEntry, FileListError, isMismatch, type Mismatch, readEntry, show } from '../core/file-list.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { percentDecoded, type Row, readCsvRows } from './csv.ts';
import { isSelected, type Listing } from './listing.ts';
import { type EntryChunks, type Reading, readEachLine } from './reading.ts';
import { readObject, unpack } from './unpack.ts';

/**
 * Reads an S3 Inventory report by its manifest.json: CSV data files, keys form-decoded (a space is written `+`),
 * current versions only, no delete markers, filtered by `select` and `isExcluded` as a prefix is.
 * @throws FileListError for ORC and Parquet reports, and for a report without keys
 */
export async function* readInventory(
  bytes: AsyncIterable<Uint8Array>,
  reading: Reading,
  { store, select, isExcluded }: Listing,
): EntryChunks {
  const manifest = await readManifest(bytes, reading);
  const columns = columnsOf(manifest, reading);
  // `arn:aws:s3:::bucket`, as manifests have it, or the plain name.
  const bucket = manifest.destinationBucket.slice(manifest.destinationBucket.lastIndexOf(':') + 1);
  for (const { key } of manifest.files) {
    const location = { bucket, key };
    const file = formatS3Uri(location);
    const packed = readObject(store, location, `the data file ${file} that ${reading.name} names`);
    const { bytes: csv } = await unpack(packed, file);
    yield* readEachLine(
      readCsvRows(csv, file),
      reading,
      (row) => {
        if (row.length <= 1 || !isCurrent(row, columns)) return undefined;
        if (!isSelected(selectable(row, columns), select)) return undefined;
        const entry = readRow(row, columns);
        return !isMismatch(entry) && isExcluded?.(entry) ? undefined : entry;
      },
      ` of ${file}`,
    );
  }
}

/** Whether the first bytes of a JSON object are those of an inventory's manifest, not of a batch map. */
export function looksLikeManifest(head: string): boolean {
  return (
    /"fileSchema"\s*:\s*"/.test(head) || /^\s*\{\s*"(sourceBucket|destinationBucket|fileFormat)"\s*:\s*"/.test(head)
  );
}

const MANIFEST = z.object({
  destinationBucket: z.string(),
  fileFormat: z.string(),
  fileSchema: z.string(),
  files: z.array(z.object({ key: z.string().min(1) })),
});
type Manifest = z.output<typeof MANIFEST>;

/** A manifest of a billion objects has some thousand files: far below this. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

async function readManifest(bytes: AsyncIterable<Uint8Array>, { name }: Reading): Promise<Manifest> {
  const parsed = MANIFEST.safeParse(parseJson(await readText(bytes, name), name));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FileListError([
    `Expected an S3 Inventory manifest in ${name} but '${issue?.path.join('.')}' is missing or wrong: ${issue?.message}`,
  ]);
}

async function readText(bytes: AsyncIterable<Uint8Array>, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    chunks.push(chunk);
    length += chunk.byteLength;
    if (length > MAX_MANIFEST_BYTES)
      throw new FileListError([
        `Expected an S3 Inventory manifest in ${name} but received more than ${MAX_MANIFEST_BYTES} bytes`,
      ]);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FileListError([`Expected JSON in ${name}: ${(error as Error).message}`], 1, { cause: error });
  }
}

/** The position of each column that is read; -1 for none. */
function columnsOf({ fileFormat, fileSchema }: Manifest, { name }: Reading) {
  if (fileFormat.toUpperCase() !== 'CSV')
    throw new FileListError([
      `Expected an S3 Inventory in CSV in ${name} but received ${show(fileFormat)}: choose CSV in the inventory's settings`,
    ]);
  const names = fileSchema.split(',').map((column) => column.trim().toLowerCase());
  const [bucket, key] = [names.indexOf('bucket'), names.indexOf('key')];
  if (bucket < 0 || key < 0)
    throw new FileListError([`Expected Bucket and Key in 'fileSchema' of ${name} but received ${show(fileSchema)}`]);
  return {
    bucket,
    key,
    size: names.indexOf('size'),
    etag: names.indexOf('etag'),
    lastModified: names.indexOf('lastmodifieddate'),
    isLatest: names.indexOf('islatest'),
    isDeleteMarker: names.indexOf('isdeletemarker'),
  };
}
type Columns = ReturnType<typeof columnsOf>;

function isCurrent(row: Row, { isLatest, isDeleteMarker }: Columns): boolean {
  return row[isLatest]?.toLowerCase() !== 'false' && row[isDeleteMarker]?.toLowerCase() !== 'true';
}

function selectable(row: Row, { key, size, lastModified }: Columns) {
  const modified = row[lastModified];
  return {
    key: formDecoded(row[key] ?? '') ?? '',
    size: Number(row[size] ?? Number.NaN),
    lastModified: modified ? new Date(modified) : undefined,
  };
}

function readRow(row: Row, { bucket, key, size, etag }: Columns): FileListEntry | Mismatch {
  const decoded = formDecoded(row[key] ?? '');
  if (decoded === undefined) return { expected: 'a URL-encoded key', received: show(row[key]) };
  const bytes = row[size] ? Number(row[size]) : undefined;
  return readEntry({ bucket: row[bucket], key: decoded, size: bytes, etag: row[etag] || undefined }, null);
}

function formDecoded(text: string): string | undefined {
  return percentDecoded(text.replaceAll('+', ' '));
}
