import { type Dirent, readdirSync, statSync } from 'node:fs';
import { compareKeys } from './key-order.ts';

const MAX_NAMES_KEPT = 1_000_000;
// A folder that changed just now may change again without a new time stamp.
const SETTLED_MS = 1000;

interface Listing {
  readonly names: readonly string[];
  readonly mtimeMs: number;
}

/** Sorted names in folders. Kept between the pages of a listing while the folder's time stamp does not change. */
export class FolderNames {
  readonly #listings = new Map<string, Listing>();
  readonly #unlisted: string | undefined;
  #kept = 0;

  /** @param unlisted the name of folders that are skipped */
  constructor(unlisted?: string) {
    this.#unlisted = unlisted;
  }

  of(place: string | Buffer): readonly string[] {
    const stat = statSync(place, { throwIfNoEntry: false });
    if (!stat?.isDirectory()) return [];
    const folder = typeof place === 'string' ? place : place.toString('hex');
    const known = this.#listings.get(folder);
    if (known?.mtimeMs === stat.mtimeMs) return known.names;
    const names = readNames(place, this.#unlisted);
    this.#forget(folder);
    if (Date.now() - stat.mtimeMs > SETTLED_MS) this.#keep(folder, { names, mtimeMs: stat.mtimeMs });
    return names;
  }

  #keep(folder: string, listing: Listing): void {
    this.#listings.set(folder, listing);
    this.#kept += listing.names.length;
    for (const oldest of this.#listings.keys()) {
      if (this.#kept <= MAX_NAMES_KEPT || oldest === folder) return;
      this.#forget(oldest);
    }
  }

  #forget(folder: string): void {
    this.#kept -= this.#listings.get(folder)?.names.length ?? 0;
    this.#listings.delete(folder);
  }
}

function readNames(folder: string | Buffer, unlisted: string | undefined): string[] {
  const names: string[] = [];
  for (const entry of entriesOf(folder)) {
    if (entry.isDirectory() && entry.name !== unlisted) names.push(`${entry.name}/`);
    else if (entry.isFile() || entry.isSymbolicLink()) names.push(entry.name);
  }
  return names.sort(compareKeys);
}

function entriesOf(folder: string | Buffer): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    // Removed meanwhile. A folder without read permission is an error: its objects would be missing silently.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
