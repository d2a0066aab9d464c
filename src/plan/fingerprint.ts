import { hash } from 'node:crypto';

/**
 * 128 bits that stand for a text. Cryptographic, because keys may come from untrusted users: nobody can make two
 * names that count as one, and by chance it will not happen either (10^14 pairs against 10^38).
 */
export function writeFingerprint(text: string, into: Buffer, at: number): void {
  into.write(hash('sha256', text, 'binary'), at, FINGERPRINT_BYTES, 'latin1');
}

export const FINGERPRINT_BYTES = 16;
