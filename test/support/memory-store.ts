import { createHash } from 'node:crypto';
import { compareKeys } from '../../local/s3/key-order.ts';
import {
  type ObjectAttributes,
  type ObjectStore,
  ObjectStoreError,
  type ObjectSummary,
  type PutOptions,
  type StoredObject,
  type Versioning,
} from '../../src/core/object-store.ts';
import { formatS3Uri, parseS3Uri, type S3Location } from '../../src/core/s3-uri.ts';

export interface MemoryStore extends ObjectStore {
  /** Every call in order, as `GET s3://bucket/key`: HEAD, GET, READ, PUT, UPLOAD, LIST, TAGS, VERSIONING. */
  readonly calls: string[];
  /** Puts an object without conditions and without an entry in `calls`. */
  seed(uri: string, body: string | Uint8Array, options?: PutOptions): StoredObject;
  /** The body as text; undefined when there is no such object. */
  text(uri: string): string | undefined;
  bytes(uri: string): Uint8Array | undefined;
  object(uri: string): (StoredObject & { readonly tagSet: Readonly<Record<string, string>> }) | undefined;
  remove(uri: string): void;
  /** `s3://bucket/key` of every object, in order. */
  uris(): string[];
}

type Kept = StoredObject & { readonly tagSet: Readonly<Record<string, string>> };

/** Bytes per chunk of `read`: small, so that readers get lines that are cut in the middle. */
const CHUNK_BYTES = 16 * 1024;

/** An ObjectStore in memory with S3's rules: conditions, ranges, key order, archived objects, metadata limit. */
export function createMemoryStore(
  settings: {
    readonly chunkBytes?: number;
    readonly clock?: () => Date;
    /** What `versioning` answers: `Enabled` if left out. No version is kept here either way. */
    readonly versioning?: (bucket: string) => Versioning;
  } = {},
): MemoryStore {
  const objects = new Map<string, Kept>();
  const calls: string[] = [];
  const clock = settings.clock ?? (() => new Date());

  const record = (call: string, location: S3Location) => calls.push(`${call} ${formatS3Uri(location)}`);
  const write = (location: S3Location, body: Uint8Array, options: PutOptions, lastModified: Date): Kept => {
    const kept = keep(body, options, lastModified);
    objects.set(formatS3Uri(location), kept);
    return kept;
  };

  return {
    calls,

    async head(location) {
      record('HEAD', location);
      const found = objects.get(formatS3Uri(location));
      return found && attributesOf(found);
    },

    async get(location, options) {
      record('GET', location);
      const found = objects.get(formatS3Uri(location));
      if (!found) return undefined;
      if (options?.ifNoneMatch === found.etag) return 'not-modified';
      refuseArchived(location, found);
      if (found.size > (options?.maxBytes ?? found.size))
        throw new ObjectStoreError('TooLarge', `${formatS3Uri(location)} holds ${found.size} bytes`);
      return { ...attributesOf(found), body: found.body.slice() };
    },

    async *read(location, range) {
      record('READ', location);
      const found = objects.get(formatS3Uri(location));
      if (!found) throw new ObjectStoreError('NotFound', `GetObject ${formatS3Uri(location)}: no such object`);
      refuseArchived(location, found);
      yield* chunksOf(cut(location, found.body, range), settings.chunkBytes ?? CHUNK_BYTES);
    },

    async put(location, body, options = {}) {
      record('PUT', location);
      refuseUnmet(location, objects.get(formatS3Uri(location)), options.condition);
      const { etag, versionId } = write(location, body, options, clock());
      return versionId === undefined ? { etag } : { etag, versionId };
    },

    async upload(location, chunks, contentType) {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(Buffer.from(chunk as Uint8Array));
      record('UPLOAD', location);
      const attributes = { contentType, checksumAlgorithm: 'CRC64NVME' };
      write(location, Buffer.concat(parts), { attributes }, clock());
    },

    async *list(bucket, prefix, startAfter = '') {
      record('LIST', { bucket, key: prefix });
      const start = `s3://${bucket}/`;
      for (const uri of uris(objects)) {
        if (!uri.startsWith(start + prefix)) continue;
        if (compareKeys(uri, start + startAfter) <= 0) continue;
        const found = objects.get(uri);
        if (found) yield summaryOf(uri.slice(start.length), found);
      }
    },

    async tags(location) {
      record('TAGS', location);
      const found = objects.get(formatS3Uri(location));
      if (!found) throw new ObjectStoreError('NotFound', `GetObjectTagging ${formatS3Uri(location)}: no such object`);
      return found.tagSet;
    },

    versioning: async (bucket) => {
      calls.push(`VERSIONING s3://${bucket}/`);
      return settings.versioning?.(bucket) ?? 'Enabled';
    },

    seed: (uri, body, options = {}) => write(locate(uri), Buffer.from(body as Uint8Array), options, clock()),
    text: (uri) => {
      const found = objects.get(uri);
      return found && Buffer.from(found.body).toString('utf8');
    },
    bytes: (uri) => objects.get(uri)?.body,
    object: (uri) => objects.get(uri),
    remove: (uri) => void objects.delete(uri),
    uris: () => uris(objects),
  };
}

function keep(body: Uint8Array, { attributes = {}, tags = {} }: PutOptions, lastModified: Date): Kept {
  refuseLongMetadata(attributes.metadata ?? {});
  // A multipart or seeded object may carry another algorithm; a plain put of this project sends SHA-256.
  const checksumAlgorithm = attributes.checksumAlgorithm ?? 'SHA256';
  return {
    contentType: 'application/octet-stream',
    storageClass: 'STANDARD',
    ...attributes,
    metadata: lowerKeys(attributes.metadata ?? {}),
    etag: createHash('md5').update(body).digest('hex'),
    size: body.byteLength,
    lastModified: attributes.lastModified ?? lastModified,
    checksumAlgorithm,
    checksumSha256: checksumAlgorithm === 'SHA256' ? createHash('sha256').update(body).digest('base64') : undefined,
    archived: attributes.archived ?? isArchiveClass(attributes.storageClass),
    tagCount: Object.keys(tags).length,
    tagSet: { ...tags },
    body: body.slice(),
  };
}

function attributesOf({ body: _body, tagSet: _tags, ...attributes }: Kept): ObjectAttributes {
  return attributes;
}

function summaryOf(key: string, { size, etag, lastModified, storageClass }: Kept): ObjectSummary {
  return { key, size, etag, lastModified, storageClass };
}

function refuseArchived(location: S3Location, { archived }: Kept): void {
  if (archived)
    throw new ObjectStoreError('Archived', `GetObject ${formatS3Uri(location)}: archived, restore it first`);
}

/** As S3 answers: 412 when the condition does not hold, 404 for If-Match on nothing; both are one code here. */
function refuseUnmet(location: S3Location, found: Kept | undefined, condition: PutOptions['condition']) {
  const met = condition === undefined || (condition === 'absent' ? !found : found?.etag === condition.etag);
  if (!met) throw new ObjectStoreError('PreconditionFailed', `PutObject ${formatS3Uri(location)}: condition not met`);
}

function refuseLongMetadata(metadata: Readonly<Record<string, string>>): void {
  const bytes = Object.entries(metadata).reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  if (bytes > 2048) throw new ObjectStoreError('Unexpected', `PutObject: MetadataTooLarge, ${bytes} of 2048 bytes`);
}

function cut(location: S3Location, body: Uint8Array, range?: { start: number; end: number }): Uint8Array {
  if (!range) return body;
  if (range.start >= body.byteLength || range.end < range.start)
    throw new ObjectStoreError(
      'Unexpected',
      `GetObject ${formatS3Uri(location)}: InvalidRange, bytes ${range.start}-${range.end} of ${body.byteLength}`,
    );
  return body.subarray(range.start, range.end + 1);
}

function* chunksOf(body: Uint8Array, bytes: number): Iterable<Uint8Array> {
  for (let start = 0; start < body.byteLength; start += bytes) yield body.slice(start, start + bytes);
}

function isArchiveClass(storageClass: string | undefined): boolean {
  return storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE';
}

function lowerKeys(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key.toLowerCase(), value]));
}

/** S3 lists in the order of the key's UTF-8 bytes, which is not that of JavaScript strings. */
function uris(objects: ReadonlyMap<string, Kept>): string[] {
  return [...objects.keys()].sort(compareKeys);
}

function locate(uri: string): S3Location {
  const location = parseS3Uri(uri);
  if (!location) throw new Error(`Expected s3://bucket/key but received ${JSON.stringify(uri)}`);
  return location;
}
