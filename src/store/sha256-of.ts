import { createHash } from 'node:crypto';

/** Base64, as S3 writes its checksums. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}
