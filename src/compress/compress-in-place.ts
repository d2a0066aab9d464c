import { randomUUID } from 'node:crypto';
import { carriedElsewhere, carriedInPlace } from '../core/carried-attributes.ts';
import {
  type CompressionMark,
  fingerprintSettings,
  fingerprintSource,
  mayCompressAgain,
  readMark,
  withMark,
} from '../core/compression-mark.ts';
import type { Compressed, Encoding, KeptReason, Outcome } from '../core/image-result.ts';
import type { ObjectAttributes, ObjectStore, StoredObject, TextMap } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { backupFor, isBelow, type Replaced, undoEntry } from '../core/undo.ts';
import { confirmMark } from '../store/confirm-mark.ts';
import { putOnce } from '../store/put-once.ts';
import { sha256Of } from '../store/sha256-of.ts';
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

interface Replacement {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly sourceSha256: string;
  readonly contentType: string | undefined;
  readonly metadata: TextMap;
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
  const same = mark.settings === fingerprintSettings(settings);
  return { status: 'skipped', reason: same ? 'up-to-date' : 'own-output', bytesIn: object.size };
}

/** This job replaced the object, but its worker crashed before it wrote the result. */
async function resultFromMark(
  location: S3Location,
  object: ObjectAttributes,
  { encoding, bytesIn, from, version }: CompressionMark,
  context: InPlaceContext,
): Promise<Outcome | undefined> {
  if (!encoding) return undefined;
  await recordUndo(location, { before: { etag: from, versionId: version }, after: object }, context);
  const output = formatS3Uri(location);
  return { status: 'compressed', output, bytesIn, bytesOut: object.size, encoding };
}

async function replace(original: Original, context: InPlaceContext): Promise<Outcome> {
  const { source } = original;
  const writes = context.countWrite?.(readMark(source.metadata)?.writes);
  if (context.countWrite && !writes)
    return { status: 'skipped', reason: 'write-limit', bytesIn: source.size };
  // In place an image keeps its format: its key, and the links to it, name it.
  const outcome = await context.compress(source.body, { ...context.settings, format: 'keep' });
  if (outcome.status === 'skipped' || outcome.status === 'failed')
    return { ...outcome, bytesIn: source.size };
  const remark = contentTypeRemark(source.contentType, outcome.contentType);
  if (outcome.status === 'kept') return kept(source, outcome.reason, outcome.detail, remark);

  const { bytes, encoding } = outcome;
  // The second guard: what is not smaller is never written, whatever the codec returned.
  if (bytes.byteLength >= source.size) return kept(source, 'no-gain', remark);
  // The third guard: nothing is written without a change of content here, or when the ETag has changed below.
  const sha256 = sha256Of(bytes);
  const sourceSha256 = sha256Of(source.body);
  if (sha256 === sourceSha256) return kept(source, 'no-gain', remark);
  const metadata = withMark(source.metadata, markFor(original, { sha256, encoding, writes }, context));
  if (!metadata) return kept(source, 'metadata-limit', remark);
  const contentType = remark && context.correctContentType ? outcome.contentType : source.contentType;
  const made = { bytes, sha256, sourceSha256, contentType, metadata };
  return write(original, made, { encoding, ...withDetail(outcome.detail, remark) }, context);
}

async function write(
  original: Original,
  made: Replacement,
  how: Pick<Compressed, 'encoding' | 'detail'>,
  context: InPlaceContext,
): Promise<Outcome> {
  const { location, source } = original;
  const { bytes, contentType, metadata } = made;
  const [bytesIn, bytesOut] = [source.size, bytes.byteLength];
  const output = formatS3Uri(location);
  const outcome: Outcome = { status: 'compressed', output, bytesIn, bytesOut, ...how };
  if (context.dryRun) return outcome;
  const tags = source.tagCount > 0 ? await context.store.tags(location) : undefined;
  if (context.backup) await backUp(original, made.sourceSha256, tags, context.backup, context.store);
  const written = await putOnce(context.store, location, bytes, {
    attributes: { ...carriedInPlace(source), contentType, metadata, checksumSha256: made.sha256 },
    tags,
    condition: { etag: source.etag },
    acl: context.acl,
  });
  if (written === 'changed') return { status: 'skipped', reason: 'changed-meanwhile', bytesIn };
  await recordUndo(location, { before: source, after: written, sha256: made.sourceSha256 }, context);
  return outcome;
}

/** Writes the bytes that were read, not a copy by S3: the object may have changed meanwhile. */
async function backUp(
  { location, source }: Original,
  sha256: string,
  tags: TextMap | undefined,
  backup: string,
  store: ObjectStore,
): Promise<void> {
  await store.put(backupFor(location, source.etag, backup), source.body, {
    attributes: { ...carriedElsewhere(source), checksumSha256: sha256 },
    tags,
  });
}

async function recordUndo(
  location: S3Location,
  replaced: Pick<Replaced, 'before' | 'after' | 'sha256'>,
  { jobId, backup, settings, onUndo }: InPlaceContext,
): Promise<void> {
  const uploadSettings = jobId === undefined ? fingerprintSettings(settings) : undefined;
  await onUndo?.(undoEntry(location, { ...replaced, backup, uploadSettings }));
}

function markFor(
  { location, source, mark }: Original,
  made: Pick<CompressionMark, 'sha256' | 'writes'> & { readonly encoding: Encoding },
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

function kept({ size }: StoredObject, reason: KeptReason, ...remarks: (string | undefined)[]): Outcome {
  return { status: 'kept', reason, ...withDetail(...remarks), bytesIn: size };
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
