import type { Checksum } from './checksums.ts';

/** What is stored about one object. `inode`, `size` and `mtimeMs` bind it to the one file that it describes. */
export interface ObjectRecord {
  readonly key: string;
  readonly inode: number;
  readonly size: number;
  readonly mtimeMs: number;
  /** Without quotes. */
  readonly etag: string;
  /** The headers that S3 keeps with an object, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** As in a query string: `a=1&b=x%20y`. */
  readonly tags?: string;
  readonly checksum?: Checksum;
  /** Assigned by the bucket. */
  readonly versionId?: string;
}

/** An object and where its bytes are. */
export interface FoundObject {
  /** A path; as bytes where the name is not UTF-8. */
  readonly file: string | Buffer;
  readonly record: ObjectRecord;
}

/** What a write stores besides the bytes. */
export type NewObject = Omit<ObjectRecord, 'key' | 'inode' | 'size' | 'mtimeMs'>;
