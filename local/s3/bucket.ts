import { KeyFiles, type KeyFolder } from './key-files.ts';
import type { FoundObject, NewObject, ObjectRecord } from './object-record.ts';
import { type KeptVersion, NULL_VERSION, Versions } from './versions.ts';

/** Where a bucket is stored: objects are plain files below `folder`, everything else is below `state`. */
export interface BucketFolder extends KeyFolder {
  /** Every write is refused and nothing is created in `folder`. */
  readonly readOnly?: boolean;
  /** Replaced and deleted objects are kept as versions, below `state`. */
  readonly versioned?: boolean;
  /** Other folders for the keys below a prefix such as `jobs/`. A key keeps its whole path there. */
  readonly prefixes?: Readonly<Record<string, KeyFolder>>;
}

/** One bucket: objects by key, and their versions. Everything is synchronous, see KeyFiles. */
export class Bucket {
  readonly name: string;
  readonly readOnly: boolean;
  readonly #files: KeyFiles;
  readonly #prefixes: readonly (readonly [prefix: string, files: KeyFiles])[];
  readonly #versions: Versions | undefined;

  /** @throws Error when a folder is missing (read-only) or its `state` is inside it */
  constructor(name: string, place: BucketFolder) {
    this.name = name;
    this.readOnly = place.readOnly ?? false;
    const filesIn = (folder: KeyFolder) => new KeyFiles(name, folder, this.readOnly);
    this.#files = filesIn(place);
    const prefixes = Object.entries(place.prefixes ?? {});
    this.#prefixes = prefixes.map(([prefix, folder]) => [prefix, filesIn(folder)]);
    this.#versions = place.versioned ? new Versions(this.#files.state) : undefined;
  }

  get isVersioned(): boolean {
    return this.#versions !== undefined;
  }

  /** The files that a key belongs to. */
  filesOf(key: string): KeyFiles {
    return this.#prefixes.find(([prefix]) => key.startsWith(prefix))?.[1] ?? this.#files;
  }

  /** All files of this bucket. Some may contain keys of others: only those where `filesOf` returns the same count. */
  allFiles(): readonly KeyFiles[] {
    return [this.#files, ...this.#prefixes.map(([, files]) => files)];
  }

  /** The current object of that key. */
  find(key: string): FoundObject | undefined {
    return this.filesOf(key).find(key);
  }

  /** A version by its id, the current one or an earlier one. */
  findVersion(key: string, id: string): KeptVersion | undefined {
    const current = this.find(key);
    if (current && (current.record.versionId ?? NULL_VERSION) === id) return current;
    return this.#versions?.find(key, id);
  }

  /** Moves a temporary file into place as the object of that key, in one step that a kill cannot cut in two. */
  put(key: string, temporary: string, written: NewObject): ObjectRecord {
    const files = this.filesOf(key);
    files.refuseUndecodable(key);
    if (!this.#versions) return files.place(key, temporary, written);
    this.#keepCurrent(key);
    return files.place(key, temporary, { ...written, versionId: this.#versions.newId() });
  }

  /**
   * Removes the object; in a versioned bucket it becomes an earlier version and a delete marker replaces it.
   * @returns whether there was an object, and the version id of the delete marker
   */
  remove(key: string): { readonly removed: boolean; readonly deleteMarker?: string } {
    const files = this.filesOf(key);
    if (!this.#versions) return { removed: files.remove(key) };
    this.#keepCurrent(key);
    const deleteMarker = this.#versions.addDeleteMarker(key);
    return { removed: files.remove(key), deleteMarker };
  }

  /** Removes one version for good. If it was the current one, the latest of the others becomes the object again. */
  removeVersion(key: string, id: string): void {
    const files = this.filesOf(key);
    const current = files.find(key);
    const isCurrent = (current?.record.versionId ?? NULL_VERSION) === id;
    this.#versions?.remove(key, id);
    if (isCurrent) files.remove(key);
    if (current && !isCurrent) return;
    const latest = this.#versions?.latest(key);
    if (!latest || latest.version === 'delete-marker') return;
    files.place(key, String(latest.version.file), latest.version.record);
    this.#versions?.remove(key, latest.id);
  }

  #keepCurrent(key: string): void {
    const current = this.find(key);
    if (current) this.#versions?.keep(current);
  }
}
