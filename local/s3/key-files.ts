import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import {
  findUndecodable,
  isInside,
  isPlainKey,
  mayBeUndecodable,
  readableFile,
  realPathOf,
  STAGED_PREFIX,
} from './file-names.ts';
import { FolderNames } from './folder-names.ts';
import type { FoundObject, NewObject, ObjectRecord } from './object-record.ts';
import { S3Error } from './s3-error.ts';
import { hashOfKey, identityOf, recordOfUntouched, Sidecars } from './sidecars.ts';

/** Objects are plain files below `folder`, everything else is below `state`. */
export interface KeyFolder {
  readonly folder: string;
  /** Sidecars, temporary files, uploads and keys that cannot be file names. Outside `folder`. */
  readonly state: string;
  /** The name of folders that no listing shows, such as a program's own among the user's. */
  readonly unlisted?: string;
}

/**
 * Keys as files in a folder. All file calls are synchronous on purpose: a warm `stat` takes microseconds, while
 * libuv's thread pool takes longer and queues behind the images being encoded. Without a pause in between no locks
 * are needed either: a condition that was checked still holds when the write takes effect.
 */
export class KeyFiles {
  readonly folder: string;
  readonly state: string;
  readonly #sidecars: Sidecars;
  readonly #names: FolderNames;
  readonly #ignoresSpelling: boolean;
  readonly #sameDisk: boolean;
  /** Keys that cannot be plain files: `a` beside `a/b`, `//`, `..`, a trailing slash, 300-byte names. */
  readonly #oddKeys: Set<string>;

  /** @throws Error when the folder is missing (read-only) or `state` is inside it */
  constructor(bucket: string, place: KeyFolder, readOnly: boolean) {
    if (!readOnly) fs.mkdirSync(place.folder, { recursive: true });
    this.folder = realFolder(bucket, place.folder);
    this.state = stateFolder(bucket, place.state, this.folder);
    this.#sidecars = new Sidecars(path.join(this.state, 'sidecars'));
    this.#names = new FolderNames(place.unlisted);
    this.#ignoresSpelling = ignoresSpelling(this.folder);
    this.#sameDisk = readOnly || fs.statSync(this.folder).dev === fs.statSync(this.state).dev;
    this.#oddKeys = this.#readOddKeys();
    if (!readOnly) this.#cleanUp();
  }

  /** After a kill: the next write of a key must not find the record of its object still prepared only. */
  #cleanUp(): void {
    for (const key of this.#sidecars.unsettledKeys()) this.find(key);
    removeLeftovers(this.#temporaryFolder);
  }

  /** The current object of that key. */
  find(key: string): FoundObject | undefined {
    if (this.#oddKeys.has(key)) return this.#found(key, this.#oddFile(key));
    if (!isPlainKey(key)) return undefined;
    return this.#found(key, this.#plainFile(key)) ?? this.#foundUndecodable(key);
  }

  temporaryFile(): string {
    fs.mkdirSync(this.#temporaryFolder, { recursive: true });
    return path.join(this.#temporaryFolder, randomUUID());
  }

  /** @throws S3Error where the file's name is not UTF-8: under its key a second file would be written beside it */
  refuseUndecodable(key: string): void {
    if (!mayBeUndecodable(key) || !Buffer.isBuffer(this.find(key)?.file)) return;
    const message = `Expected a file name in UTF-8 for "${key}": rename the file, then write it again.`;
    throw new S3Error(400, 'InvalidFileName', message);
  }

  /** Moves a temporary file into place as the object of that key. */
  place(key: string, temporary: string, written: NewObject): ObjectRecord {
    const record =
      (isPlainKey(key) && this.#putPlain(key, temporary, written)) || this.#putOdd(key, temporary, written);
    this.#sidecars.settle(record);
    return record;
  }

  /** Replaces the tags; bytes, ETag and Last-Modified stay. */
  setTags(record: ObjectRecord, tags: string | undefined): void {
    const tagged = { ...record, tags };
    this.#sidecars.prepare(tagged);
    this.#sidecars.settle(tagged);
  }

  /** Also removes folders that are empty then, because S3 has none. @returns whether there was an object */
  remove(key: string): boolean {
    const found = this.find(key);
    if (!found) return false;
    fs.unlinkSync(found.file);
    this.#sidecars.remove(key);
    if (!this.#oddKeys.delete(key)) this.#removeEmptyFolders(path.dirname(this.#plainFile(key)));
    return true;
  }

  /** Names in a folder of the bucket (`''` or `a/b/`) in key order, folders with a slash at their end. */
  namesIn(folderKey: string): readonly string[] {
    return this.#names.of(findUndecodable(this.folder, folderKey) ?? path.join(this.folder, folderKey));
  }

  /** Keys that are not plain files, unordered. */
  oddKeys(): ReadonlySet<string> {
    return this.#oddKeys;
  }

  get #temporaryFolder(): string {
    return path.join(this.state, 'temporary');
  }

  #plainFile(key: string): string {
    return path.join(this.folder, key);
  }

  #oddFile(key: string): string {
    return path.join(this.state, 'odd', hashOfKey(key));
  }

  #found(key: string, file: string): FoundObject | undefined {
    const stat = readableFile(file, this.folder);
    return stat && { file, record: this.#sidecars.find(key, stat) ?? recordOfUntouched(key, stat) };
  }

  #foundUndecodable(key: string): FoundObject | undefined {
    const file = findUndecodable(this.folder, key);
    if (!file) return undefined;
    const stat = fs.lstatSync(file);
    return stat.isFile() ? { file, record: recordOfUntouched(key, stat) } : undefined;
  }

  /** undefined when the key cannot be a file: a folder, a file or another spelling is in the way. */
  #putPlain(key: string, temporary: string, written: NewObject): ObjectRecord | undefined {
    const file = this.#plainFile(key);
    try {
      if (!this.#ensureFolder(path.dirname(file)) || this.#isTakenByOtherSpelling(file)) return undefined;
      const record = this.#moveWithRecord(key, this.#onDiskOfFolder(temporary), file, written);
      if (this.#isTakenByOtherSpelling(file)) return moveBack(file, temporary);
      if (this.#oddKeys.delete(key)) fs.rmSync(this.#oddFile(key), { force: true });
      return record;
    } catch (error) {
      if (NO_PLACE_FOR_FILE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  #putOdd(key: string, temporary: string, written: NewObject): ObjectRecord {
    fs.mkdirSync(path.join(this.state, 'odd'), { recursive: true });
    const record = this.#moveWithRecord(key, temporary, this.#oddFile(key), written);
    this.#oddKeys.add(key);
    return record;
  }

  #moveWithRecord(key: string, from: string, to: string, written: NewObject): ObjectRecord {
    const record = { ...written, key, ...identityOf(fs.statSync(from)) };
    this.#sidecars.prepare(record);
    fs.renameSync(from, to);
    return record;
  }

  /** Creates the folder if necessary; false when a file or a link is in the way. */
  #ensureFolder(folder: string): boolean {
    if (folder === this.folder) return true;
    const real = realPathOf(folder);
    if (real !== undefined) return real === folder && fs.statSync(folder).isDirectory();
    if (!this.#ensureFolder(path.dirname(folder))) return false;
    fs.mkdirSync(folder);
    return true;
  }

  // To macOS and Windows, A.jpg and a.jpg are one file; to S3 they are two objects. The second becomes an odd key,
  // as does a name that the disk stores in another form (HFS+: ü as u and two dots).
  #isTakenByOtherSpelling(file: string): boolean {
    if (!this.#ignoresSpelling) return false;
    const real = realPathOf(file);
    return real !== undefined && real !== file;
  }

  // No rename works across disks: the bytes are copied first, under a name that is never listed.
  #onDiskOfFolder(temporary: string): string {
    if (this.#sameDisk) return temporary;
    const beside = path.join(this.folder, STAGED_PREFIX + path.basename(temporary));
    try {
      fs.copyFileSync(temporary, beside);
      return beside;
    } catch (error) {
      fs.rmSync(beside, { force: true });
      throw error;
    }
  }

  #removeEmptyFolders(folder: string): void {
    for (let empty = folder; empty !== this.folder; empty = path.dirname(empty)) {
      try {
        fs.rmdirSync(empty);
      } catch {
        return;
      }
    }
  }

  #readOddKeys(): Set<string> {
    const keys = new Set<string>();
    for (const name of namesIn(path.join(this.state, 'odd'))) {
      const stat = fs.statSync(path.join(this.state, 'odd', name));
      const record = this.#sidecars.ofHash(name).find((candidate) => candidate.size === stat.size);
      if (record) keys.add(record.key);
    }
    return keys;
  }
}

const NO_PLACE_FOR_FILE = new Set(['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ENAMETOOLONG', 'EXDEV']);

function realFolder(bucket: string, folder: string): string {
  const real = realPathOf(folder);
  if (real === undefined || !fs.statSync(real).isDirectory()) {
    throw new Error(`Expected a folder for bucket "${bucket}" but found none at ${path.resolve(folder)}.`);
  }
  return real;
}

function stateFolder(bucket: string, state: string, folder: string): string {
  fs.mkdirSync(state, { recursive: true });
  const real = fs.realpathSync.native(state);
  if (isInside(real, folder) || real === folder) {
    throw new Error(`Expected the state of bucket "${bucket}" outside ${folder} but received ${real}.`);
  }
  return real;
}

/** Whether the disk ignores case: tested with the folder's name in the other case, so nothing is written for it. */
function ignoresSpelling(folder: string): boolean {
  const swapped = folder.replace(/\p{L}/gu, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
  const other = fs.lstatSync(swapped, { throwIfNoEntry: false });
  return swapped !== folder && other?.ino === fs.statSync(folder).ino;
}

const LEFTOVER_AGE_MS = 10 * 60 * 1000;

/** Temporary files of a killed process. Younger ones may belong to another server that is running now. */
function removeLeftovers(folder: string): void {
  for (const name of namesIn(folder)) {
    const file = path.join(folder, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > LEFTOVER_AGE_MS) fs.rmSync(file, { force: true });
  }
}

function namesIn(folder: string): string[] {
  return fs.statSync(folder, { throwIfNoEntry: false }) ? fs.readdirSync(folder) : [];
}

function moveBack(file: string, temporary: string): undefined {
  fs.copyFileSync(file, temporary);
  fs.rmSync(file);
}
