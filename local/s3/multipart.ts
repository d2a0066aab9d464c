import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type Call, sendEmpty, sendXml } from './call.ts';
import { type Checksum, type ChecksumAlgorithm, checksumHeader, compositeChecksum } from './checksums.ts';
import { copyResult, etagAndChecksum, openCopySource, requestedAlgorithm } from './copy-object.ts';
import { versionHeaders } from './get-object.ts';
import { keptHeaders, keptTags } from './object-headers.ts';
import { commit, withTemporaryFile } from './put-object.ts';
import { badDigest, readDocument, receiveBody, type WrittenFile, writeFileFrom } from './receive-body.ts';
import { invalidArgument, S3Error } from './s3-error.ts';
import { chunksOf, openFile } from './send-file.ts';
import { keepPart, newUpload, openUpload, type Part, partFile, readPart, type Upload } from './upload-folder.ts';
import { element, elementsOf, textOf } from './xml.ts';

const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PARTS = 10_000;

/** POST ?uploads */
export function createUpload(call: Call): void {
  const { headers } = call.request;
  const id = newUpload(call, {
    key: call.key,
    headers: keptHeaders(headers),
    tags: keptTags(headers['x-amz-tagging']),
    algorithm: requestedAlgorithm(headers['x-amz-checksum-algorithm']),
    checksumType: headers['x-amz-checksum-type'] as string | undefined,
  });
  const inner = element('Bucket', call.bucket.name) + element('Key', call.key) + element('UploadId', id);
  sendXml(call.response, 'InitiateMultipartUploadResult', inner);
}

/** PUT ?uploadId&partNumber: UploadPart, or UploadPartCopy when a source is named. */
export async function uploadPart(call: Call): Promise<void> {
  const { folder, upload } = openUpload(call);
  const number = partNumberOf(call.query);
  const copies = call.request.headers['x-amz-copy-source'] !== undefined;
  const part = await withTemporaryFile(call, async (file) => {
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
  if (Number.isInteger(number) && number >= 1 && number <= MAX_PARTS) return number;
  throw invalidArgument('Part number must be an integer between 1 and 10000, inclusive');
}

async function copyRange(call: Call, file: string, algorithm?: ChecksumAlgorithm): Promise<WrittenFile> {
  using source = openCopySource(call);
  const { start, end } = sourceRange(call.request.headers['x-amz-copy-source-range'], source.record.size);
  return await writeFileFrom(chunksOf(source.fd, start, end), file, algorithm);
}

function sourceRange(header: string | string[] | undefined, size: number): { start: number; end: number } {
  if (header === undefined) return { start: 0, end: size - 1 };
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(String(header)) ?? [];
  if (start !== undefined && Number(start) <= Number(end) && Number(end) < size) {
    return { start: Number(start), end: Number(end) };
  }
  throw invalidArgument(`Range specified is not valid for source object of size: ${size}`);
}

/** DELETE ?uploadId */
export function abortUpload(call: Call): void {
  rmSync(openUpload(call).folder, { recursive: true });
  sendEmpty(call.response, 204);
}

/** POST ?uploadId: joins the parts that the client names, under the conditions that it sets. */
export async function completeUpload(call: Call): Promise<void> {
  const { folder, upload } = openUpload(call);
  const xml = await readDocument(call, 'CompleteMultipartUpload');
  const parts = elementsOf(xml, 'Part').map((named) => partNamed(folder, named));
  checkParts(parts);
  const etag = etagOfParts(parts);
  const record = await withTemporaryFile(call, async (file) => {
    const whole = upload.checksumType === 'FULL_OBJECT' ? upload.algorithm : undefined;
    const written = await writeFileFrom(bytesOf(folder, parts), file, whole);
    const checksum = whole ? written.checksum : checksumOfParts(upload, parts);
    checkWholeChecksum(call, checksum);
    return commit(call, file, { etag, headers: upload.headers, tags: upload.tags, checksum });
  });
  rmSync(folder, { recursive: true, force: true });
  call.notify({ name: 'ObjectCreated:CompleteMultipartUpload', key: call.key, record });
  const inner = [
    element('Location', `/${call.bucket.name}/${call.key}`),
    element('Bucket', call.bucket.name),
    element('Key', call.key),
    etagAndChecksum(record),
  ].join('');
  sendXml(call.response, 'CompleteMultipartUploadResult', inner, versionHeaders(call.bucket, record));
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
  if (parts.some((part, index) => part.number <= (parts[index - 1]?.number ?? 0))) {
    throw new S3Error(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  const small = parts.slice(0, -1).find((part) => part.size < MIN_PART_BYTES);
  if (!small) return;
  throw new S3Error(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
    PartNumber: String(small.number),
    ProposedSize: String(small.size),
    MinSizeAllowed: String(MIN_PART_BYTES),
  });
}

function etagOfParts(parts: readonly Part[]): string {
  const md5 = createHash('md5');
  for (const part of parts) md5.update(Buffer.from(part.etag, 'hex'));
  return `${md5.digest('hex')}-${parts.length}`;
}

function checksumOfParts(upload: Upload, parts: readonly Part[]): Checksum | undefined {
  const { algorithm } = upload;
  const values = parts.flatMap(({ checksum }) =>
    checksum !== undefined && checksum.algorithm === algorithm ? checksum.value : [],
  );
  return algorithm && values.length === parts.length ? compositeChecksum(algorithm, values) : undefined;
}

function checkWholeChecksum(call: Call, computed: Checksum | undefined): void {
  const sent = computed && call.request.headers[checksumHeader(computed.algorithm)];
  if (computed && sent !== undefined && sent !== computed.value) throw badDigest(computed.algorithm);
}

async function* bytesOf(folder: string, parts: readonly Part[]): AsyncGenerator<Buffer> {
  for (const part of parts) {
    using opened = openFile(partFile(folder, part), 'r');
    yield* chunksOf(opened.fd, 0, part.size - 1);
  }
}
