import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Call } from './call.ts';
import type { ChecksumAlgorithm } from './checksums.ts';
import type { ObjectRecord } from './object-record.ts';
import type { WrittenFile } from './receive-body.ts';
import { S3Error } from './s3-error.ts';

/** What CreateMultipartUpload received; stored as `upload.json` beside the parts. */
export interface Upload extends Pick<ObjectRecord, 'key' | 'headers' | 'tags'> {
  readonly algorithm?: ChecksumAlgorithm;
  readonly checksumType?: string;
}

/** One uploaded part, stored as `<number>.part` and `<number>.json`. */
export interface Part extends Pick<ObjectRecord, 'size' | 'etag' | 'mtimeMs' | 'checksum'> {
  readonly number: number;
}

/** @returns the id of the new upload */
export function newUpload(call: Call, upload: Upload): string {
  const id = randomUUID();
  const folder = path.join(uploadsOf(call), id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'upload.json'), JSON.stringify(upload));
  return id;
}

/** The upload that the query names. @throws S3Error `NoSuchUpload` */
export function openUpload(call: Call): { folder: string; upload: Upload } {
  const id = call.query.get('uploadId') ?? '';
  const folder = path.join(uploadsOf(call), path.basename(id));
  const file = path.join(folder, 'upload.json');
  if (!/^[0-9a-f-]{36}$/.test(id) || !existsSync(file)) throw noSuchUpload();
  const upload: Upload = JSON.parse(readFileSync(file, 'utf8'));
  if (upload.key !== call.key) throw noSuchUpload();
  return { folder, upload };
}

/** Moves a received part into the upload's folder. @throws S3Error when the upload was aborted meanwhile */
export function keepPart(folder: string, number: number, file: string, written: WrittenFile): Part {
  if (!existsSync(folder)) throw noSuchUpload();
  const etag = written.md5.toString('hex');
  const { mtimeMs } = statSync(file);
  const part: Part = { number, size: written.size, etag, mtimeMs, checksum: written.checksum };
  renameSync(file, partFile(folder, part));
  writeFileSync(path.join(folder, `${number}.json`), JSON.stringify(part));
  return part;
}

export function partFile(folder: string, { number }: Pick<Part, 'number'>): string {
  return path.join(folder, `${number}.part`);
}

export function readPart(folder: string, number: number): Part | undefined {
  const file = path.join(folder, `${number}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

function uploadsOf({ bucket, key }: Call): string {
  return path.join(bucket.filesOf(key).state, 'uploads');
}

function noSuchUpload(): S3Error {
  const message =
    'The specified upload does not exist. The upload ID may be invalid, ' +
    'or the upload may have been aborted or completed.';
  return new S3Error(404, 'NoSuchUpload', message);
}
