import { hash } from 'node:crypto';

/** Base64, as S3 writes its checksums. */
export function sha256Of(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'base64');
}

/** Base64, as in Content-MD5. For those who know objects by it: nothing here relies on it. */
export function md5Of(bytes: Uint8Array): string {
  return hash('md5', bytes, 'base64');
}
