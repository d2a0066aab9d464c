import { MARK_KEY } from './compression-mark.ts';
import type { TextMap } from './object-store.ts';

/** Hashes of content that keys and metadata name, and their bytes. */
const HASH_BYTES = { md5: 16, sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 } as const;
export type HashName = keyof typeof HASH_BYTES;

/** A hash of an object's bytes. */
export interface Digest {
  /** Lower case. */
  readonly hex: string;
  readonly base64: string;
}

interface Named {
  readonly key: string;
  readonly metadata: TextMap;
}

/** The hashes that a key or the user's metadata may hold, by their form alone: they say which are worth computing. */
export function hashesPossible(object: Named): HashName[] {
  const texts = [withoutSlashes(object.key), ...object.key.split('/'), ...valuesOf(object)];
  return HASH_NAMES.filter((name) => texts.some((text) => FORMS[name].test(text)));
}

/** Where the digest of an object's bytes is written: whoever put it there counts on these very bytes. */
export function placeOfDigest(object: Named, { hex, base64 }: Digest): 'key' | 'metadata' | undefined {
  const standard = base64.replace(/=+$/, '');
  const forms = [standard, standard.replaceAll('+', '-').replaceAll('/', '_')];
  const holds = (text: string) => text.toLowerCase().includes(hex) || forms.some((form) => text.includes(form));
  // In folders by the first digits, a hash goes on over the slashes: files/md5/ab/cdef…
  if (holds(object.key) || holds(withoutSlashes(object.key))) return 'key';
  return valuesOf(object).some(holds) ? 'metadata' : undefined;
}

/**
 * Whether a key looks like those of a content-addressed store: parts of its path, together or alone, are hex digits of a
 * hash's length. A random name may look the same: only the bytes tell.
 */
export function isNamedLikeHash(key: string): boolean {
  if (!/[0-9a-f]{16}/i.test(key)) return false;
  const parts = key.split('/').map((part) => part.replace(/\..*$/, ''));
  const runs = key.match(/[0-9a-f]{32,}/gi) ?? [];
  return runs.some(({ length }) => HEX_LENGTHS.has(length)) || endsWithHash(parts);
}

const HASH_NAMES = Object.keys(HASH_BYTES) as HashName[];
const HEX_LENGTHS: ReadonlySet<number> = new Set(HASH_NAMES.map((name) => 2 * HASH_BYTES[name]));
const FORMS = Object.fromEntries(HASH_NAMES.map((name) => [name, formOf(HASH_BYTES[name])])) as Record<
  HashName,
  RegExp
>;

/** Hex digits within other text, because folders may repeat the first of them; base64 only as a word of its length. */
function formOf(bytes: number): RegExp {
  const word = '[A-Za-z0-9+/_-]';
  return new RegExp(`[0-9a-fA-F]{${2 * bytes}}|(?<!${word})${word}{${Math.ceil((bytes * 4) / 3)}}(?!${word})`);
}

/** Whether the last parts that are all hex digits make a hash: `ab`, `cdef…`. */
function endsWithHash(parts: readonly string[]): boolean {
  let digits = 0;
  for (const part of parts.toReversed()) {
    if (!/^[0-9a-f]+$/i.test(part)) return false;
    digits += part.length;
    if (HEX_LENGTHS.has(digits)) return true;
  }
  return false;
}

function withoutSlashes(key: string): string {
  return key.replaceAll('/', '');
}

/** Our own mark holds the hash of our own output. */
function valuesOf({ metadata }: Named): string[] {
  return Object.entries(metadata).flatMap(([name, value]) => (name === MARK_KEY ? [] : [value]));
}
