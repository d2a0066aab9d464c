import { constants, type Dirent, realpathSync, type Stats, statSync } from 'node:fs';
import { access, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { countOf } from '../../src/core/readable.ts';
import { OWN_FOLDER } from '../cloud/local-buckets.ts';
import { findUndecodable, readableFile } from '../s3/file-names.ts';
import { InputError } from './input-error.ts';

/** One thing in a folder, by its path below it, as the local S3 serves the folder. */
type Found = { readonly key: string } & (
  | { readonly kind: 'file'; stat(): Stats }
  /** A link that is not followed: out of the folder, to a folder, or dangling. */
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'unreadable folder'; readonly code: string }
);

/**
 * The files in a folder and below it. Nothing is skipped silently: links that are not followed are reported at the end.
 * @throws InputError at the end when there were folders that may not be read
 */
export async function* filesIn(
  folder: string,
  onSkipped: (note: string) => void,
): AsyncGenerator<Extract<Found, { kind: 'file' }>> {
  const [links, unreadable] = [new SkippedNames(), new SkippedNames()];
  for await (const found of walkFolder(folder)) {
    if (found.kind === 'file') yield found;
    if (found.kind === 'link') links.add(`${found.key} -> ${found.target}`);
    if (found.kind === 'unreadable folder') unreadable.add(`${path.join(folder, found.key)} (${found.code})`);
  }
  if (unreadable.count > 0)
    throw new InputError(
      `Expected to be allowed to read every folder in ${folder} but ${countOf(unreadable.count, 'folder')} cannot be read: ${unreadable.names}. Grant access to them, or use a folder, or a list, without them`,
    );
  if (links.count > 0)
    onSkipped(
      `Links are followed only to files in the folder; skipped ${countOf(links.count, 'link')} (${links.names})`,
    );
}

/** Everything in a folder and below it, in the order of names. Without our own `.image-press`. */
export function walkFolder(folder: string): AsyncGenerator<Found> {
  return walkBelow(realpathSync.native(folder), '');
}

async function* walkBelow(root: string, key: string): AsyncGenerator<Found> {
  const children = await childrenOf(placeOf(root, key));
  if (typeof children === 'string') {
    yield { key, kind: 'unreadable folder', code: children };
    return;
  }
  for (const child of children) {
    const childKey = key + child.name;
    if (child.isDirectory()) {
      if (child.name !== OWN_FOLDER) yield* walkBelow(root, `${childKey}/`);
    } else if (child.isFile()) yield { key: childKey, kind: 'file', stat: () => statSync(placeOf(root, childKey)) };
    else if (child.isSymbolicLink()) yield await linkAt(root, childKey);
  }
}

/** The entries of a folder, or the code of the error for one that may not be read. */
async function childrenOf(place: string | Buffer): Promise<readonly Dirent[] | string> {
  try {
    // With the read permission alone, names are visible but nothing about the files.
    await access(place, constants.R_OK | constants.X_OK);
    const children = await readdir(place, { withFileTypes: true });
    return children.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Removed since it was seen.
    return code === 'ENOENT' ? [] : String(code);
  }
}

function placeOf(root: string, key: string): string | Buffer {
  return findUndecodable(root, key) ?? path.join(root, key);
}

async function linkAt(root: string, key: string): Promise<Found> {
  const file = path.join(root, key);
  const stat = readableFile(file, root);
  if (stat) return { key, kind: 'file', stat: () => stat };
  return { key, kind: 'link', target: await readlink(file).catch(() => '?') };
}

const MAX_NAMED = 5;

/** Counts what a walk skips, and names the first few. */
export class SkippedNames {
  readonly #names: string[] = [];
  #count = 0;

  add(name: string): void {
    this.#count += 1;
    if (this.#names.length < MAX_NAMED) this.#names.push(name);
  }

  get count(): number {
    return this.#count;
  }

  /** `a.jpg, b.jpg and 3 more` */
  get names(): string {
    const more = this.#count - this.#names.length;
    return this.#names.join(', ') + (more > 0 ? ` and ${more} more` : '');
  }
}
