import { ImageFile } from '../codec/image-file.ts';
import { requireClean } from '../codec/metadata-left.ts';
import type { BytesOutcome } from '../codec/outcome.ts';
import { carriedElsewhere, carriedTags } from '../core/carried-attributes.ts';
import {
  type CompressionMark,
  fingerprintSettings,
  fingerprintSource,
  isTooLongForMark,
  MARK_KEY,
  mayCompressAgain,
  withMark,
} from '../core/compression-mark.ts';
import type { Kept, Outcome } from '../core/image-result.ts';
import type { PlannedImage } from '../core/job.ts';
import type { ObjectAttributes, StoredObject, TextMap } from '../core/object-store.ts';
import { outputFor, possibleOutputs, targetFormats } from '../core/output-key.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import { confirmMarkOf } from '../store/confirm-mark.ts';
import { putOnce } from '../store/put-once.ts';
import { sha256Of } from '../store/sha256-of.ts';
import { getSource } from './get-source.ts';
import type { ImageContext } from './image-context.ts';
import { isTaken, lookAtOutput, type OutputPlace, outputExists, type TakenPlace } from './output-place.ts';

/**
 * Compresses an image to another place. Calls: HEAD of the output, GET of the source (without a body where the
 * output is up to date), GetObjectTagging where the source has tags, PUT.
 * @throws ObjectStoreError
 */
export async function compressElsewhere(image: PlannedImage, context: ImageContext): Promise<Outcome> {
  const { job } = context;
  const look = lookOnce(image, context);
  const locations = possibleOutputs(job)(image);
  const earlier = await findEarlier(locations, look);
  if (earlier?.mark.job === job.jobId) return resultFromMark(earlier);
  const [first, second] = locations;
  const only = first && !second && !earlier ? await look(first) : undefined;
  if (only && isTaken(only) && !mayBeUnmarkedCopy(only)) return outputExists(only);

  const source = await readSource(image, context, earlier?.mark);
  return 'status' in source ? source : compressSource(source, { image, look, context });
}

type OwnOutput = Extract<OutputPlace, { state: 'ours' }>;
type Look = (location: S3Location) => Promise<OutputPlace>;

/** Sends one HEAD per location at most, and only when it is needed. */
function lookOnce(image: PlannedImage, context: ImageContext): Look {
  const seen = new Map<string, Promise<OutputPlace>>();
  return (location) => {
    const place = seen.get(location.key) ?? lookAtOutput(location, image, context);
    seen.set(location.key, place);
    return place;
  };
}

async function findEarlier(locations: readonly S3Location[], look: Look): Promise<OwnOutput | undefined> {
  for (const location of locations) {
    const place = await look(location);
    if (place.state === 'ours') return place;
  }
  return undefined;
}

/** This job wrote the output, but its worker crashed before it wrote the result. */
function resultFromMark({ location, object, mark }: OwnOutput): Outcome {
  const output = formatS3Uri(location);
  const { bytesIn, encoding, kept } = mark;
  if (encoding) return { status: 'compressed', output, bytesIn, bytesOut: object.size, encoding };
  return { status: 'kept', output, reason: kept ?? 'no-gain', bytesIn };
}

async function readSource(
  image: PlannedImage,
  context: ImageContext,
  earlier: CompressionMark | undefined,
): Promise<StoredObject | Outcome> {
  const { job } = context;
  const sameSettings = earlier?.settings === fingerprintSettings(job.compression);
  const ifNoneMatch = sameSettings && !job.force ? earlier?.from : undefined;
  const source = await getSource(image, context, { size: image.size, ifNoneMatch });
  if (source === 'not-modified') return { status: 'skipped', reason: 'up-to-date' };
  if ('status' in source) return source;
  if (source.size === 0) return { status: 'skipped', reason: 'empty', bytesIn: 0 };
  return source;
}

async function compressSource(source: StoredObject, of: Pick<OfSource, 'image' | 'look' | 'context'>) {
  const { image, context } = of;
  const { job } = context;
  const mark = confirmMarkOf(source);
  const isDone = mark !== undefined && !mark.restored && !mayCompressAgain(mark, job.compression, job.force);
  if (isDone && mark.of !== fingerprintSource(image))
    return { status: 'skipped', reason: 'own-output', bytesIn: source.size } as const;
  const outcome = isDone ? alreadyCompressed(source) : await context.compress(source.body, job.compression);
  if (outcome.status === 'skipped' || outcome.status === 'failed') return { ...outcome, bytesIn: source.size };
  const ofSource = { ...of, source, lossyBefore: mark?.lossy ?? false };
  // The codec checks it as well: nothing larger than its source is ever written.
  if (outcome.status === 'compressed' && outcome.bytes.byteLength < source.size)
    return writeCompressed(ofSource, outcome);
  return writeKept(ofSource, outcome.status === 'kept' ? outcome : noGain(source, outcome.bytes));
}

interface OfSource {
  readonly image: PlannedImage;
  readonly source: StoredObject;
  readonly lossyBefore: boolean;
  readonly look: Look;
  readonly context: ImageContext;
}
type KeptBytes = Pick<Kept, 'reason' | 'detail' | 'hiddenBytes'> & { readonly contentType?: string };

async function writeCompressed(
  ofSource: OfSource,
  { bytes, contentType, encoding, detail, metadataLeft, hiddenBytes }: Extract<BytesOutcome, { status: 'compressed' }>,
): Promise<Outcome> {
  const { image, source, context } = ofSource;
  // The extension changes only with the format, which an alpha channel may have kept.
  const converted = targetFormats(context.job).includes(encoding.format) ? encoding.format : undefined;
  const location = outputFor(image, context.job, converted);
  const sha256 = sha256Of(bytes);
  const metadata = withMark(source.metadata, markFor(ofSource, { sha256, encoding }));
  if (!metadata) return writeKept(ofSource, { reason: 'metadata-limit' });
  const [output, bytesIn, bytesOut] = [formatS3Uri(location), source.size, bytes.byteLength];
  const outcome: Outcome = {
    status: 'compressed',
    output,
    bytesIn,
    bytesOut,
    encoding,
    detail,
    metadataLeft,
    hiddenBytes,
  };
  const attributes = { contentType, metadata, checksumSha256: sha256 };
  return write(ofSource, location, bytes, attributes, outcome);
}

async function writeKept(
  ofSource: OfSource,
  { reason, detail, contentType, hiddenBytes }: KeptBytes,
): Promise<Outcome> {
  const { image, source, context } = ofSource;
  const unchecked: Kept = { status: 'kept', reason, detail, hiddenBytes, bytesIn: source.size };
  // Also where it is kept for what the codec does not know, such as a mark that does not fit.
  const kept = requireClean(unchecked, new ImageFile(source.body), context.job.compression);
  if (kept.status === 'failed' || !context.job.copyKept) return { ...kept, bytesIn: source.size };
  const location = outputFor(image, context.job);
  const sha256 = sha256Of(source.body);
  const marked = withMark(source.metadata, markFor(ofSource, { sha256, kept: reason }));
  const attributes = {
    contentType: contentType ?? source.contentType,
    metadata: marked ?? unmarked(source.metadata),
    checksumSha256: sha256,
  };
  const output = formatS3Uri(location);
  const outcome = { ...kept, reason: marked ? reason : 'metadata-limit', output } as const;
  return write(ofSource, location, source.body, attributes, outcome);
}

function markFor(
  { image, source, lossyBefore, context: { job } }: OfSource,
  made: Pick<CompressionMark, 'sha256' | 'encoding' | 'kept'>,
): CompressionMark {
  return {
    of: fingerprintSource(image),
    from: source.etag,
    settings: fingerprintSettings(job.compression),
    job: job.jobId,
    bytesIn: source.size,
    lossy: lossyBefore || made.encoding?.lossless === false,
    ...made,
  };
}

async function write(
  { image, source, look, context: { job, store } }: OfSource,
  location: S3Location,
  bytes: Uint8Array,
  attributes: Pick<ObjectAttributes, 'contentType' | 'metadata' | 'checksumSha256'>,
  outcome: Outcome,
): Promise<Outcome> {
  const place = await look(location);
  if (isTaken(place)) return place.object.checksumSha256 === attributes.checksumSha256 ? outcome : outputExists(place);
  if (job.dryRun) return outcome;
  const written = await putOnce(store, location, bytes, {
    attributes: { ...carriedElsewhere(source), ...attributes },
    tags: source.tagCount > 0 ? carriedTags(await store.tags(image)) : undefined,
    condition: place.state === 'ours' ? { etag: place.object.etag } : 'absent',
    acl: job.acl,
  });
  if (written !== 'changed') return outcome;
  const detail = `another write to ${formatS3Uri(location)} came first`;
  return { status: 'skipped', reason: 'changed-meanwhile', detail };
}

function alreadyCompressed(source: StoredObject): KeptBytes & { status: 'kept' } {
  return { status: 'kept', reason: 'already-compressed', contentType: source.contentType };
}

function noGain(source: StoredObject, bytes: Uint8Array): KeptBytes {
  return { reason: 'no-gain', detail: `${source.size} bytes would become ${bytes.byteLength}` };
}

/** A kept copy whose metadata was too long for a mark: it is recognised by its content once the source is read. */
function mayBeUnmarkedCopy({ object }: TakenPlace): boolean {
  return object.checksumSha256 !== undefined && isTooLongForMark(object.metadata);
}

function unmarked(metadata: TextMap): TextMap {
  const { [MARK_KEY]: _mark, ...own } = metadata;
  return own;
}
