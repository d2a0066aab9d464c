import { createHash, randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { Bucket } from './bucket-folder.ts';
import { type Call, readDocument, sendEmpty, sendXml } from './call.ts';
import { type Checksum, type ChecksumAlgorithm, checksumHeader, compositeChecksum } from './checksums.ts';
import { keptHeaders, keptTags } from './object-headers.ts';
import {
  commit,
  copyResult,
  openCopySource,
  requestedAlgorithm,
  versionHeaders,
  withTemporaryFile,
} from './object-requests.ts';
import { payloadOf, receiveBody, type WrittenFile, writeFileFrom } from './receive-body.ts';
import { invalidArgument, S3Error } from './s3-error.ts';
import { chunksOf } from './send-file.ts';
import { element, elementsOf, textOf } from './xml.ts';

/** What CreateMultipartUpload was told; lies as `upload.json` beside the parts. */
interface Upload {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags?: string;
  readonly algorithm?: ChecksumAlgorithm;
  readonly checksumType?: string;
}

/** One uploaded part, `<number>.json` beside `<number>.part`. */
interface Part {
  readonly number: number;
  readonly size: number;
  readonly etag: string;
  readonly mtimeMs: number;
  readonly checksum?: Checksum;
}

const LEAST_PART_BYTES = 5 * 1024 * 1024;
const MOST_PARTS = 10_000;

/** POST ?uploads */
export function createUpload(call: Call): void {
  const { headers } = call.request;
  const upload: Upload = {
    key: call.key,
    headers: keptHeaders(headers),
    tags: keptTags(headers['x-amz-tagging']),
    algorithm: requestedAlgorithm(headers['x-amz-checksum-algorithm']),
    checksumType: headers['x-amz-checksum-type'] as string | undefined,
  };
  const id = randomUUID();
  const folder = path.join(uploadsOf(call.bucket), id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'upload.json'), JSON.stringify(upload));
  const inner = element('Bucket', call.bucket.name) + element('Key', call.key) + element('UploadId', id);
  sendXml(call.response, 'InitiateMultipartUploadResult', inner);
}

/** PUT ?uploadId&partNumber: UploadPart, or UploadPartCopy when a source is named. */
export async function uploadPart(call: Call): Promise<void> {
  const { folder, upload } = openUpload(call);
  const number = partNumberOf(call.query);
  const copies = call.request.headers['x-amz-copy-source'] !== undefined;
  const part = await withTemporaryFile(call.bucket, async (file) => {
    const written = copies ? await copyRange(call, file, upload.algorithm) : await receiveBody(call, file);
    return keepPart(folder, number, file, written);
  });
  if (copies) return sendXml(call.response, 'CopyPartResult', copyResult(part));
  sendEmpty(call.response, 200, {
    etag: `"${part.etag}"`,
    ...(part.checksum ? { [checksumHeader(part.checksum.algorithm)]: part.checksum.value } : {}),
  });
}

function partNumberOf(query: URLSearchParams): number {
  const number = Number(query.get('partNumber'));
  if (Number.isInteger(number) && number >= 1 && number <= MOST_PARTS) return number;
  throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive');
}

async function copyRange(
  call: Call,
  file: string,
  algorithm: ChecksumAlgorithm | undefined,
): Promise<WrittenFile> {
  const source = openCopySource(call);
  try {
    const { start, end } = sourceRange(call.request.headers['x-amz-copy-source-range'], source.record.size);
    return await writeFileFrom(chunksOf(source.fd, start, end), file, algorithm);
  } finally {
    closeSync(source.fd);
  }
}

function sourceRange(header: string | string[] | undefined, size: number): { start: number; end: number } {
  if (header === undefined) return { start: 0, end: size - 1 };
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(String(header)) ?? [];
  if (start !== undefined && Number(start) <= Number(end) && Number(end) < size) {
    return { start: Number(start), end: Number(end) };
  }
  throw invalidArgument(`Range specified is not valid for source object of size: ${size}`);
}

function keepPart(folder: string, number: number, file: string, written: WrittenFile): Part {
  if (!existsSync(folder)) throw noSuchUpload(); // aborted meanwhile
  const etag = written.md5.toString('hex');
  const { mtimeMs } = statSync(file);
  const part: Part = { number, size: written.size, etag, mtimeMs, checksum: written.checksum };
  renameSync(file, path.join(folder, `${number}.part`));
  writeFileSync(path.join(folder, `${number}.json`), JSON.stringify(part));
  return part;
}

/** GET ?uploadId: ListParts. */
export function listParts(call: Call): void {
  const { folder } = openUpload(call);
  const behind = Number(call.query.get('part-number-marker') ?? 0);
  const most = Math.min(Number(call.query.get('max-parts') ?? 1000), 1000);
  const parts = partsIn(folder).filter((part) => part.number > behind);
  const shown = parts.slice(0, most);
  const inner = [
    element('Bucket', call.bucket.name),
    element('Key', call.key),
    element('UploadId', call.query.get('uploadId')!),
    element('PartNumberMarker', behind),
    element('NextPartNumberMarker', shown.at(-1)?.number ?? 0),
    element('MaxParts', most),
    element('IsTruncated', shown.length < parts.length),
    ...shown.map((part) => {
      return `<Part>${element('PartNumber', part.number)}${copyResult(part)}${element('Size', part.size)}</Part>`;
    }),
  ];
  sendXml(call.response, 'ListPartsResult', inner.join(''));
}

/** DELETE ?uploadId */
export function abortUpload(call: Call): void {
  rmSync(openUpload(call).folder, { recursive: true });
  sendEmpty(call.response, 204);
}

/** POST ?uploadId: puts the parts that the client names together, under the conditions that it sets. */
export async function completeUpload(call: Call): Promise<void> {
  const { folder, upload } = openUpload(call);
  const xml = await readDocument(payloadOf(call), 'CompleteMultipartUpload');
  const parts = elementsOf(xml, 'Part').map((named) => partNamed(folder, named));
  checkParts(parts);
  const etag = etagOfParts(parts);
  const record = await withTemporaryFile(call.bucket, async (file) => {
    const whole = upload.checksumType === 'FULL_OBJECT' ? upload.algorithm : undefined;
    const written = await writeFileFrom(bytesOf(folder, parts), file, whole);
    const checksum = whole ? written.checksum : checksumOfParts(upload, parts);
    checkWholeChecksum(call, checksum);
    return commit(call, file, { etag, headers: upload.headers, tags: upload.tags, checksum });
  });
  rmSync(folder, { recursive: true, force: true });
  call.notify({ name: 'ObjectCreated:CompleteMultipartUpload', key: call.key, record });
  sendXml(
    call.response,
    'CompleteMultipartUploadResult',
    element('Location', `/${call.bucket.name}/${call.key}`) +
      element('Bucket', call.bucket.name) +
      element('Key', call.key) +
      element('ETag', `"${record.etag}"`) +
      (record.checksum ? element(`Checksum${record.checksum.algorithm}`, record.checksum.value) : ''),
    versionHeaders(call.bucket, record),
  );
}

function partNamed(folder: string, xml: string): Part {
  const number = Number(textOf(xml, 'PartNumber'));
  const etag = (textOf(xml, 'ETag') ?? '').replaceAll('"', '');
  const part = readPart(folder, number);
  if (!part || part.etag !== etag) throw invalidPart(number);
  const checksum = part.checksum && textOf(xml, `Checksum${part.checksum.algorithm}`);
  if (checksum !== undefined && checksum !== part.checksum?.value) throw invalidPart(number);
  return part;
}

function invalidPart(number: number): S3Error {
  const message =
    'One or more of the specified parts could not be found. The part may not have been uploaded, ' +
    "or the specified entity tag may not match the part's entity tag.";
  return new S3Error(400, 'InvalidPart', message, { PartNumber: String(number) });
}

function checkParts(parts: readonly Part[]): void {
  if (parts.length === 0) throw new S3Error(400, 'MalformedXML', 'You must specify at least one part');
  if (parts.some((part, index) => index > 0 && part.number <= parts[index - 1]!.number)) {
    throw new S3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  const small = parts.slice(0, -1).find((part) => part.size < LEAST_PART_BYTES);
  if (!small) return;
  throw new S3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
    PartNumber: String(small.number),
    ProposedSize: String(small.size),
    MinSizeAllowed: String(LEAST_PART_BYTES),
  });
}

function etagOfParts(parts: readonly Part[]): string {
  const md5 = createHash('md5');
  for (const part of parts) md5.update(Buffer.from(part.etag, 'hex'));
  return `${md5.digest('hex')}-${parts.length}`;
}

function checksumOfParts(upload: Upload, parts: readonly Part[]): Checksum | undefined {
  const values = parts.map((part) => part.checksum);
  const algorithm = upload.algorithm;
  if (!algorithm || values.some((checksum) => checksum?.algorithm !== algorithm)) return undefined;
  return compositeChecksum(
    algorithm,
    values.map((checksum) => checksum!.value),
  );
}

function checkWholeChecksum(call: Call, computed: Checksum | undefined): void {
  const sent = computed && call.request.headers[checksumHeader(computed.algorithm)];
  if (sent === undefined || sent === computed?.value) return;
  throw new S3Error(
    400,
    'BadDigest',
    `The ${computed!.algorithm} you specified did not match the calculated checksum.`,
  );
}

async function* bytesOf(folder: string, parts: readonly Part[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    const fd = openSync(path.join(folder, `${part.number}.part`), 'r');
    try {
      yield* chunksOf(fd, 0, part.size - 1);
    } finally {
      closeSync(fd);
    }
  }
}

function uploadsOf(bucket: Bucket): string {
  return path.join(bucket.state, 'uploads');
}

function openUpload(call: Call): { folder: string; upload: Upload } {
  const id = call.query.get('uploadId') ?? '';
  const folder = path.join(uploadsOf(call.bucket), path.basename(id));
  const file = path.join(folder, 'upload.json');
  if (!/^[0-9a-f-]{36}$/.test(id) || !existsSync(file)) throw noSuchUpload();
  const upload: Upload = JSON.parse(readFileSync(file, 'utf8'));
  if (upload.key !== call.key) throw noSuchUpload();
  return { folder, upload };
}

function noSuchUpload(): S3Error {
  const message =
    'The specified upload does not exist. The upload ID may be invalid, ' +
    'or the upload may have been aborted or completed.';
  return new S3Error(404, 'NoSuchUpload', message);
}

function partsIn(folder: string): Part[] {
  const numbers = readdirSync(folder).flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? []);
  return numbers
    .map((number) => readPart(folder, Number(number)))
    .filter((part) => part !== undefined)
    .sort((a, b) => a.number - b.number);
}

function readPart(folder: string, number: number): Part | undefined {
  const file = path.join(folder, `${number}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}
