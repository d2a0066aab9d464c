import { hash } from 'node:crypto';
import { hashesPossible, placeOfDigest } from '../core/content-address.ts';
import type { StoredObject } from '../core/object-store.ts';

/**
 * Says where an object's key or user metadata holds a hash of its own bytes, as in Git LFS, DVC or `<sha256>.jpg`:
 * another program finds or checks the object by it. The bytes are hashed, so a random name is none.
 * @returns such as `its key holds the sha256 of its bytes`; undefined where nothing holds a hash
 */
export function contentAddressOf(key: string, { metadata, body }: StoredObject): string | undefined {
  for (const name of hashesPossible({ key, metadata })) {
    const hex = hash(name, body, 'hex');
    const base64 = Buffer.from(hex, 'hex').toString('base64');
    const place = placeOfDigest({ key, metadata }, { hex, base64 });
    if (place) return `its ${place} holds the ${name} of its bytes`;
  }
  return undefined;
}
