import { randomUUID } from 'node:crypto';
import { ImageFile } from '../codec/image-file.ts';
import { requireClean } from '../codec/metadata-left.ts';
import { carriedElsewhere, carriedInPlace, carriedTags } from '../core/carried-attributes.ts';
import {
  type CompressionMark,
  fingerprintSettings,
  fingerprintSource,
  mayCompressAgain,
  readMark,
  withMark,
} from '../core/compression-mark.ts';
import type { Compressed, Encoding, Kept, KeptReason, Outcome } from '../core/image-result.ts';
import type { ObjectAttributes, StoredObject } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { backupFor, changeOf, isBelow, type Replaced, undoEntry } from '../core/undo.ts';
import { confirmMark } from '../store/confirm-mark.ts';
import { contentAddressOf } from '../store/content-address.ts';
import { PROBE_KEY } from '../store/endpoint-check.ts';
import { putOnce } from '../store/put-once.ts';
import { md5Of, sha256Of } from '../store/sha256-of.ts';
import { getSource, noSuchObject } from './get-source.ts';
import type { InPlaceContext } from './image-context.ts';

/**
 * Replaces an image by its compressed version: every attribute is kept, and only the very object that was read is
 * replaced. Calls: HEAD, GET, GetObjectTagging when it has tags, PUT; only HEAD for what must not be replaced.
 * @throws ObjectStoreError
 */
export async function compressInPlace(location: S3Location, context: InPlaceContext): Promise<Outcome> {
  const { store, backup } = context;
  if (backup && isBelow(location, backup))
    return { status: 'skipped', reason: 'own-output', detail: 'a backup of an original' };
  if (location.key === PROBE_KEY) return { status: 'skipped', reason: 'own-output', detail: 'a check of the endpoint' };
  const present = await store.head(location);
  if (!present) return noSuchObject(location);
  let verdict = await examine(location, present, context);
  if (verdict.leave) return verdict.leave;
  const source = await getSource(location, context, { size: present.size });
  if (source === 'not-modified') return noSuchObject(location);
  if ('status' in source) return source;
  if (source.etag !== present.etag) verdict = await examine(location, source, context);
  return verdict.leave ?? replace({ location, source, mark: verdict.mark }, context);
}

interface Original {
  readonly location: S3Location;
  readonly source: StoredObject;
  readonly mark: CompressionMark | undefined;
}

interface Replacement extends Pick<Compressed, 'encoding' | 'detail' | 'metadataLeft' | 'hiddenBytes'> {
  readonly bytes: Uint8Array;
  readonly attributes: Partial<ObjectAttributes>;
  readonly sourceSha256: string;
  readonly mark: CompressionMark;
}

/** @returns `leave`, the outcome of an object that must not be replaced; `mark`, confirmed, of one of our outputs */
async function examine(location: S3Location, object: ObjectAttributes, context: InPlaceContext) {
  const leave = irreplaceable(location, object);
  if (leave) return { leave };
  const mark = await confirmMark(context.store, location, object);
  return { mark, leave: mark && (await leaveMarked(location, object, mark, context)) };
}

/** What must not be replaced whatever its content, recognised before its body is read. */
function irreplaceable({ key }: S3Location, object: ObjectAttributes): Outcome | undefined {
  const bytesIn = object.size;
  if (bytesIn === 0 || key.endsWith('/')) return { status: 'skipped', reason: 'empty', bytesIn };
  if (object.archived) return { status: 'skipped', reason: 'archived', detail: object.storageClass, bytesIn };
  if (isLocked(object)) return { status: 'kept', reason: 'object-lock', bytesIn };
  if (object.isReplica) return { status: 'kept', reason: 'replica', bytesIn };
  if (!object.unreadableMetadata) return undefined;
  const detail = `${object.unreadableMetadata} metadata entries that headers cannot carry would be lost`;
  return { status: 'kept', reason: 'metadata-limit', detail, bytesIn };
}

/** The first guard against loops: our own write raises an event again, and the loop ends here. */
async function leaveMarked(
  location: S3Location,
  object: ObjectAttributes,
  mark: CompressionMark,
  context: InPlaceContext,
): Promise<Outcome | undefined> {
  const { jobId, settings, force = false } = context;
  if (jobId !== undefined && mark.job === jobId && mark.of === fingerprintSource(location))
    return resultFromMark(location, object, mark, context);
  if (jobId !== undefined && mayCompressAgain(mark, settings, force)) return undefined;
  if (mark.restored) return { status: 'skipped', reason: 'restored', bytesIn: object.size };
  const same = mark.settings === fingerprintSettings(settings);
  return { status: 'skipped', reason: same ? 'up-to-date' : 'own-output', bytesIn: object.size };
}

/** This job replaced the object, but its worker crashed before it wrote the result. */
async function resultFromMark(
  location: S3Location,
  object: ObjectAttributes,
  mark: CompressionMark,
  context: InPlaceContext,
): Promise<Outcome | undefined> {
  const { encoding, bytesIn, from, version } = mark;
  if (!encoding) return undefined;
  const change = changeOf(mark, object);
  const { fromSha256: sha256 } = mark;
  await recordUndo(location, { before: { etag: from, versionId: version }, after: object, sha256, change }, context);
  const output = formatS3Uri(location);
  return { status: 'compressed', output, bytesIn, bytesOut: object.size, encoding };
}

async function replace(original: Original, context: InPlaceContext): Promise<Outcome> {
  const { source } = original;
  const address = contentAddressOf(original.location.key, source);
  if (address) return keptAsItIs(source, context, 'content-addressed', address);
  const writes = context.countWrite?.(readMark(source.metadata)?.writes);
  if (context.countWrite && !writes) return { status: 'skipped', reason: 'write-limit', bytesIn: source.size };
  // In place an image keeps its format: its key, and the links to it, name it.
  const outcome = await context.compress(source.body, { ...context.settings, format: 'keep' });
  if (outcome.status === 'skipped' || outcome.status === 'failed') return { ...outcome, bytesIn: source.size };
  const remark = contentTypeRemark(source.contentType, outcome.contentType);
  const keep = (reason: KeptReason, detail?: string) => keptAsItIs(source, context, reason, detail, remark);
  const { hiddenBytes } = outcome;
  if (outcome.status === 'kept')
    return { ...keep(outcome.reason, outcome.detail), ...(hiddenBytes && { hiddenBytes }) };

  const { bytes, encoding, metadataLeft } = outcome;
  // The second guard: what is not smaller is never written, whatever the codec returned.
  if (bytes.byteLength >= source.size) return keep('no-gain');
  // The third guard: nothing is written without a change of content here, or when the ETag has changed below.
  const sha256 = sha256Of(bytes);
  const sourceSha256 = sha256Of(source.body);
  if (sha256 === sourceSha256) return keep('no-gain');
  const hashes = context.jobId === undefined ? {} : hashesOf(source.body, bytes, sourceSha256);
  const mark = markFor(original, { sha256, encoding, writes, ...hashes }, context);
  const metadata = withMark(source.metadata, mark) ?? withMark(source.metadata, withoutHashes(mark));
  if (!metadata) return keep('metadata-limit');
  const contentType = remark && context.correctContentType ? outcome.contentType : source.contentType;
  const attributes = { ...carriedInPlace(source), contentType, metadata, checksumSha256: sha256 };
  const detail = withDetail(outcome.detail, remark);
  const made = { bytes, attributes, sourceSha256, mark };
  return write(original, { ...made, encoding, metadataLeft, hiddenBytes, ...detail }, context);
}

async function write(
  { location, source }: Original,
  { bytes, attributes, sourceSha256, mark, ...how }: Replacement,
  context: InPlaceContext,
): Promise<Outcome> {
  const { store, dryRun, backup, acl } = context;
  const [output, bytesIn, bytesOut] = [formatS3Uri(location), source.size, bytes.byteLength];
  const outcome: Outcome = { status: 'compressed', output, bytesIn, bytesOut, ...how };
  if (dryRun) return outcome;
  const problem = await context.endpointCheck?.(location.bucket);
  if (problem) return { status: 'failed', code: 'UnsafeEndpoint', message: `the S3 endpoint ${problem}`, bytesIn };
  const tags = source.tagCount > 0 ? carriedTags(await store.tags(location)) : undefined;
  if (backup) {
    // The bytes that were read, not a copy by S3: the object may have changed meanwhile.
    const copied = { ...carriedElsewhere(source), checksumSha256: sourceSha256 };
    await store.put(backupFor(location, source.etag, backup), source.body, { attributes: copied, tags });
  }
  const condition = { etag: source.etag };
  const written = await putOnce(store, location, bytes, { attributes, tags, condition, acl });
  if (written === 'changed') return { status: 'skipped', reason: 'changed-meanwhile', bytesIn };
  const change = changeOf(mark, { etag: written.etag, size: bytesOut });
  await recordUndo(location, { before: source, after: written, sha256: sourceSha256, change }, context);
  return outcome;
}

async function recordUndo(
  location: S3Location,
  replaced: Pick<Replaced, 'before' | 'after' | 'sha256' | 'change'>,
  { jobId, backup, settings, onUndo }: InPlaceContext,
): Promise<void> {
  const uploadSettings = jobId === undefined ? fingerprintSettings(settings) : undefined;
  await onUndo?.(undoEntry(location, { ...replaced, backup, uploadSettings }));
}

function markFor(
  { location, source, mark }: Original,
  made: Pick<CompressionMark, 'sha256' | 'writes' | 'fromSha256' | 'md5'> & { readonly encoding: Encoding },
  context: InPlaceContext,
): CompressionMark {
  return {
    of: fingerprintSource(location),
    from: source.etag,
    version: source.versionId,
    settings: fingerprintSettings(context.settings),
    job: context.jobId,
    write: context.jobId === undefined ? randomUUID().slice(0, 8) : undefined,
    bytesIn: source.size,
    lossy: !made.encoding.lossless || (mark?.lossy ?? false),
    ...made,
  };
}

/** With them hashes.jsonl is complete also after a crash of this worker. */
function hashesOf(before: Uint8Array, after: Uint8Array, fromSha256: string) {
  return { fromSha256, md5: [md5Of(before), md5Of(after)] as const };
}

function withoutHashes(mark: CompressionMark): CompressionMark {
  return { ...mark, fromSha256: undefined, md5: undefined };
}

function keptAsItIs(
  { size, body }: StoredObject,
  { settings }: InPlaceContext,
  reason: KeptReason,
  ...remarks: (string | undefined)[]
): Outcome {
  const kept: Kept = { status: 'kept', reason, ...withDetail(...remarks), bytesIn: size };
  return { ...requireClean(kept, new ImageFile(body), settings), bytesIn: size };
}

function withDetail(...remarks: (string | undefined)[]): { readonly detail?: string } {
  const detail = remarks.filter((remark) => remark !== undefined).join('; ');
  return detail ? { detail } : {};
}

function isLocked({ objectLock }: ObjectAttributes): boolean {
  if (!objectLock) return false;
  const { legalHold, retainUntil, mode } = objectLock;
  return legalHold === true || (mode !== undefined && !(retainUntil && retainUntil < new Date()));
}

/** Browsers and CDNs rely on the Content-Type: one that contradicts the bytes is reported. */
function contentTypeRemark(declared: string | undefined, actual: string): string | undefined {
  const essence = (declared ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (essence === actual || (essence === 'image/jpg' && actual === 'image/jpeg')) return undefined;
  return `its Content-Type is ${declared ?? 'missing'}, its bytes are ${actual}`;
}
