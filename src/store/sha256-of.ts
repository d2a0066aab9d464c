import { hash } from 'node:crypto';

/** Base64, as S3 writes its checksums. */
export function sha256Of(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64');
}
