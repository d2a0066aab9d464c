/** Where an object lies. `key` is the raw object key: never percent- or form-encoded. */
export interface S3Location {
  readonly bucket: string;
  readonly key: string;
}

/**
 * Reads `s3://bucket/key`. The key is taken as it stands: `+` and `%20` are themselves.
 * Returns undefined when the text is no such URI or its key is empty.
 */
export function parseS3Uri(text: string): S3Location | undefined {
  const match = /^s3:\/\/([^/]+)\/(.+)$/s.exec(text);
  if (!match || !isBucketName(match[1]!)) return undefined;
  return { bucket: match[1]!, key: match[2]! };
}

/** Reads `s3://bucket/` or `s3://bucket/some/prefix/`: what ends in a slash names everything below it. */
export function parseS3Prefix(
  text: string,
): { readonly bucket: string; readonly prefix: string } | undefined {
  const match = /^s3:\/\/([^/]+)\/((?:.*\/)?)$/s.exec(text);
  if (!match || !isBucketName(match[1]!)) return undefined;
  return { bucket: match[1]!, prefix: match[2]! };
}

export function formatS3Uri({ bucket, key }: S3Location): string {
  return `s3://${bucket}/${key}`;
}

/**
 * What may be the name of a bucket, the oldest included: capitals, underscores and up to 255 letters. Whether there is
 * such a bucket is for S3 to say.
 */
export function isBucketName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/.test(text);
}
