import { fnv1a64 } from './fnv-hash.ts';
import type { Encoding, KeptReason } from './image-result.ts';
import type { CompressionSettings } from './job.ts';
import type { TextMap } from './object-store.ts';
import { parseJson } from './parse-json.ts';
import { formatS3Uri, type S3Location } from './s3-uri.ts';

/**
 * The mark: one user metadata entry on every output. It binds the output to its source, to the settings, and to
 * its own content, so that a copied, stale or edited object is not taken for one of ours.
 */
export const MARK_KEY = 'image-press';

/** All keys and values of an object's user metadata together, in UTF-8, as S3 counts them. */
export const MAX_METADATA_BYTES = 2048;

export interface CompressionMark {
  /** Fingerprint of the source's address: finds out when two sources would share an output. */
  readonly of: string;
  /** ETag of the source that was read. */
  readonly from: string;
  /** In place, in a versioned bucket: the version with the original. */
  readonly version?: string;
  readonly settings: string;
  /** Base64, of the marked object's own content. */
  readonly sha256: string;
  /** The job that wrote it; absent for uploads. */
  readonly job?: string;
  /** Random, for uploads only: two hosts may compress the same upload, but no two the same image of a job. */
  readonly write?: string;
  readonly bytesIn: number;
  /** In place, of jobs: base64, of the source's content. Left out where the metadata has no space for it. */
  readonly fromSha256?: string;
  /** The same: base64, of the content before and after. */
  readonly md5?: readonly [string, string];
  /** How it was made; absent for a kept copy and for a restored original. */
  readonly encoding?: Encoding;
  readonly kept?: KeptReason;
  /** An original that was restored on purpose, to be left as it is. */
  readonly restored?: true;
  /** These pixels were compressed lossily by us. */
  readonly lossy: boolean;
  readonly writes?: WriteCount;
}

/** How often one object was written within the hour that began at `since` (seconds since 1970). */
export interface WriteCount {
  readonly count: number;
  readonly since: number;
}

/** The mark in an object's metadata, which may no longer match its content: see `confirmMark`. */
export function readMark(metadata: TextMap): CompressionMark | undefined {
  const { v, ...mark } = Object(parseJson(metadata[MARK_KEY] ?? ''));
  return v === VERSION && isMark(mark) ? { ...mark, lossy: mark.lossy === true } : undefined;
}

/** The metadata with the mark in it; undefined when that would exceed S3's limit. */
export function withMark(metadata: TextMap, mark: CompressionMark): TextMap | undefined {
  const marked = { ...metadata, [MARK_KEY]: writeMark(mark) };
  return metadataBytes(marked) > MAX_METADATA_BYTES ? undefined : marked;
}

/** Metadata near the limit: an output of ours may have been written without its mark. */
export function isTooLongForMark(metadata: TextMap): boolean {
  return metadataBytes(metadata) + MAX_MARK_BYTES > MAX_METADATA_BYTES;
}

/**
 * Whether an object with this confirmed mark may be compressed with `settings`. Pixels are compressed lossily once at
 * most, also with `force`; and what was made with the same settings is up to date.
 */
export function mayCompressAgain(mark: CompressionMark, settings: CompressionSettings, force: boolean): boolean {
  if (mark.lossy && isLossy(settings)) return false;
  return force || mark.settings !== fingerprintSettings(settings);
}

/** 64 bits of everything that decides how an output looks, including the revision of our own encoding rules. */
export function fingerprintSettings(settings: CompressionSettings): string {
  return fnv1a64(canonicalJson({ revision: ENCODING_REVISION, ...settings }));
}

export function fingerprintSource(source: S3Location): string {
  return fnv1a64(formatS3Uri(source));
}

const VERSION = 1;

/** Raise it when the same settings come to mean better outputs: every image is then compressed again. */
const ENCODING_REVISION = 1;

/** With a job's name of 80 characters, a version id of 32 and every field of the encoding. */
const MAX_MARK_BYTES = 700;

function writeMark(mark: CompressionMark): string {
  // Metadata has little room: the receipt of the candidates is in the results alone.
  const encoding = mark.encoding && { ...mark.encoding, candidates: undefined };
  const text = JSON.stringify({ v: VERSION, ...mark, encoding, lossy: mark.lossy || undefined });
  // Headers are US-ASCII; S3 would return anything else RFC 2047-encoded.
  return text.replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function isMark(value: object): value is CompressionMark {
  const mark = value as Record<keyof CompressionMark, unknown>;
  const texts = [mark.of, mark.from, mark.settings, mark.sha256];
  return texts.every((text) => typeof text === 'string') && typeof mark.bytesIn === 'number';
}

function isLossy({ mode, resize }: CompressionSettings): boolean {
  return mode !== 'lossless' || resize !== null;
}

function metadataBytes(metadata: TextMap): number {
  return Buffer.byteLength(Object.entries(metadata).flat().join(''));
}

/** The same text for the same content, whatever the order of its keys. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
