/** Where an object is. `key` is the raw object key: never percent- or form-encoded. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
}

/**
 * Reads `s3://bucket/key`. The key is not decoded: `+` and `%20` stand for themselves.
 * @returns undefined when the text is not such a URI or its key is empty
 */
export function parseS3Uri(text: string): S3Location | undefined {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.+)$/s.exec(text) ?? [];
  return isBucketName(bucket) ? { bucket, key } : undefined;
}

/** Reads `s3://bucket/` or `s3://bucket/some/prefix/`: a URI that ends in a slash names everything below it. */
export function parseS3Prefix(text: string): { readonly bucket: string; readonly prefix: string } | undefined {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/((?:.*\/)?)$/s.exec(text) ?? [];
  return isBucketName(bucket) ? { bucket, prefix } : undefined;
}

export function formatS3Uri({ bucket, key }: S3Location): string {
  return `s3://${bucket}/${key}`;
}

/**
 * Whether a text may name a bucket, including old ones with capitals, underscores and up to 255 characters. Whether
 * the bucket exists is for S3 to say.
 */
export function isBucketName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(text);
}
