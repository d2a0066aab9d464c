import { lstatSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import path from 'node:path';

const MAX_NAME_BYTES = 255;

/** Prefix of files that are not yet in place. They are never listed. */
export const STAGED_PREFIX = '.s3-staged-';

/** Whether a key can be a path below the bucket's folder: every segment is a file name, none leads elsewhere. */
export function isPlainKey(key: string): boolean {
  return key.split('/').every(isPlainName);
}

/** Whether a name in the bucket's folder is a segment of keys: the server's own staged files are not. */
export function isPlainName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) return false;
  if (name.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(name) > MAX_NAME_BYTES) return false;
  if (name.startsWith(STAGED_PREFIX)) return false;
  return process.platform !== 'win32' || !WINDOWS_FORBIDDEN.test(name);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: Windows forbids them
const WINDOWS_FORBIDDEN = /[<>:"\\|?*\u0000-\u001f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * The file or folder whose name is not UTF-8 (old Windows archives unpack to such names) and decodes to this key.
 * Node shows the bytes as U+FFFD, and opens nothing by the name that it shows.
 */
export function findUndecodable(root: string, key: string): Buffer | undefined {
  if (!mayBeUndecodable(key)) return undefined;
  let found: Buffer = Buffer.from(root);
  for (const segment of key.split('/').filter((one) => one !== '')) {
    const name = rawNamesIn(found).find((one) => one.toString() === segment);
    if (!name) return undefined;
    found = Buffer.concat([found, Buffer.from('/'), name]);
  }
  return found;
}

export function mayBeUndecodable(key: string): boolean {
  return key.includes('\uFFFD');
}

function rawNamesIn(folder: Buffer): Buffer[] {
  try {
    return readdirSync(folder, 'buffer');
  } catch {
    return [];
  }
}

/**
 * The file at a path within a bucket's real folder. A link is followed only to a file in the same bucket. Linked
 * folders are not entered: they could lead out of the bucket or in circles.
 */
export function readableFile(file: string, folder: string): Stats | undefined {
  const entry = entryAt(file);
  if (!entry || entry.isDirectory()) return undefined;
  const real = realPathOf(file);
  if (real === file) return entry.isFile() ? entry : undefined;
  if (real === undefined || !entry.isSymbolicLink() || !isInside(real, folder)) return undefined;
  const target = realPathOf(path.dirname(file)) === path.dirname(file) ? statSync(file) : undefined;
  return target?.isFile() ? target : undefined;
}

export function realPathOf(file: string): string | undefined {
  try {
    return realpathSync.native(file);
  } catch {
    return undefined;
  }
}

export function isInside(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}

const NOTHING_THERE = new Set(['ENOTDIR', 'ENAMETOOLONG', 'ELOOP']);

function entryAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (NOTHING_THERE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
