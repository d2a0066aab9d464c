import { hash, randomUUID } from 'node:crypto';
import {
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import path from 'node:path';
import type { Checksum } from './checksums.ts';
import { FolderNames } from './folder-names.ts';
import { contentTypeByName } from './object-headers.ts';
import { isInside, readableFile, realPathOf } from './readable-file.ts';
import { S3Error } from './s3-error.ts';
import { hashOfKey, type ObjectRecord, Sidecars } from './sidecars.ts';
import { findByLooks, mayBeUndecodable } from './undecodable-names.ts';
import { type KeptVersion, NULL_VERSION, newVersionId, Versions } from './versions.ts';

/** Where a bucket lives: objects are plain files below `folder`, everything else lies below `state`. */
export interface BucketFolder {
  readonly folder: string;
  /** Sidecars, temporary files, uploads and keys that cannot be file names. Outside `folder`. */
  readonly state: string;
  /** Every write is refused and nothing is created in `folder`. */
  readonly readOnly?: boolean;
  /** The name of folders that no listing shows: our own, which may lie among the user's. */
  readonly unlisted?: string;
  /** Replaced and deleted objects are kept as versions, below `state`. */
  readonly versioned?: boolean;
}

/** What a write brings along besides the bytes. */
export interface NewObject {
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tags?: string;
  readonly checksum?: Checksum;
  /** Given by the bucket. */
  readonly versionId?: string;
}

/** What became of a deletion. */
export interface Removal {
  /** Whether there was an object. */
  readonly removed: boolean;
  /** The version id of the mark that now stands for it. */
  readonly deleteMarker?: string;
}

export interface FoundObject {
  /** A path; as bytes where the name is no UTF-8. */
  readonly file: string | Buffer;
  readonly record: ObjectRecord;
}

/**
 * A folder as a bucket. All file calls are synchronous on purpose: a warm `stat` takes microseconds, the way through
 * libuv's thread pool takes longer and queues behind the images being encoded there; and what runs without a pause
 * needs no locks, so a condition still holds when its write takes effect.
 */
export class Bucket {
  readonly name: string;
  readonly readOnly: boolean;
  readonly folder: string;
  readonly state: string;
  readonly #sidecars: Sidecars;
  readonly #versions: Versions | undefined;
  readonly #names: FolderNames;
  readonly #ignoresSpelling: boolean;
  readonly #sameDisk: boolean;
  /** Keys that cannot be plain files: `a` beside `a/b`, `//`, `..`, a trailing slash, 300-byte names. */
  readonly #oddKeys: Set<string>;

  /** @throws Error when the folder is missing (read-only) or `state` lies inside it */
  constructor(name: string, place: BucketFolder) {
    this.name = name;
    this.readOnly = place.readOnly ?? false;
    if (!this.readOnly) mkdirSync(place.folder, { recursive: true });
    this.folder = realFolder(name, place.folder);
    this.state = stateFolder(name, place.state, this.folder);
    this.#sidecars = new Sidecars(path.join(this.state, 'sidecars'));
    this.#names = new FolderNames(place.unlisted);
    this.#versions = place.versioned ? new Versions(path.join(this.state, 'versions')) : undefined;
    this.#ignoresSpelling = ignoresSpelling(this.folder);
    this.#sameDisk = this.readOnly || isSameDisk(this.folder, this.state);
    this.#oddKeys = this.#readOddKeys();
    if (!this.readOnly) this.#tidyUp();
  }

  /** After a kill: the next write of a key must not find the record of its object still unsettled. */
  #tidyUp(): void {
    for (const key of this.#sidecars.unsettledKeys()) this.find(key);
    removeLeftovers(this.#temporaryFolder);
  }

  /** The object of that key as it is now. */
  find(key: string): FoundObject | undefined {
    if (this.#oddKeys.has(key)) return this.#found(key, this.#oddFile(key));
    if (!isPlainKey(key)) return undefined;
    return this.#found(key, this.#plainFile(key)) ?? this.#foundByLooks(key);
  }

  get isVersioned(): boolean {
    return this.#versions !== undefined;
  }

  /** A version by its id, the present one or one of those kept. */
  findVersion(key: string, id: string): KeptVersion | undefined {
    const current = this.find(key);
    if (current && (current.record.versionId ?? NULL_VERSION) === id) return current;
    return this.#versions?.find(key, id);
  }

  temporaryFile(): string {
    mkdirSync(this.#temporaryFolder, { recursive: true });
    return path.join(this.#temporaryFolder, randomUUID());
  }

  /** Puts a temporary file into place as the object of that key, in one step that a kill cannot halve. */
  put(key: string, temporary: string, written: NewObject): ObjectRecord {
    if (mayBeUndecodable(key) && Buffer.isBuffer(this.find(key)?.file)) throw nameIsNoUtf8(key);
    if (!this.#versions) return this.#place(key, temporary, written);
    this.#keepCurrent(key);
    return this.#place(key, temporary, { ...written, versionId: newVersionId() });
  }

  #keepCurrent(key: string): void {
    const current = this.find(key);
    if (current) this.#versions?.keep(current);
  }

  #place(key: string, temporary: string, written: NewObject): ObjectRecord {
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

  /** Removes the object, in a versioned bucket behind a delete marker. */
  remove(key: string): Removal {
    if (!this.#versions) return { removed: this.#unlink(key) };
    this.#keepCurrent(key);
    const deleteMarker = this.#versions.addDeleteMarker(key);
    return { removed: this.#unlink(key), deleteMarker };
  }

  /** Removes one version for good. What it hid, the version below it, is then the object again. */
  removeVersion(key: string, id: string): void {
    const current = this.find(key);
    const isCurrent = (current?.record.versionId ?? NULL_VERSION) === id;
    this.#versions?.remove(key, id);
    if (isCurrent) this.#unlink(key);
    if (current && !isCurrent) return;
    const latest = this.#versions?.latest(key);
    if (!latest || latest.version === 'delete-marker') return;
    this.#place(key, String(latest.version.file), latest.version.record);
    this.#versions?.remove(key, latest.id);
  }

  // Folders left empty go with their last file, as S3 knows none.
  #unlink(key: string): boolean {
    const found = this.find(key);
    if (!found) return false;
    unlinkSync(found.file);
    this.#sidecars.remove(key);
    if (!this.#oddKeys.delete(key)) this.#removeEmptyFolders(path.dirname(this.#plainFile(key)));
    return true;
  }

  /** Names in a folder of the bucket (`''` or `a/b/`) in key order, folders with a slash at their end. */
  namesIn(folderKey: string): readonly string[] {
    return this.#names.of(findByLooks(this.folder, folderKey) ?? path.join(this.folder, folderKey));
  }

  /** Keys that are no plain files, unordered. */
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
    return stat && { file, record: this.#sidecars.find(key, stat) ?? untouchedRecord(key, stat) };
  }

  #foundByLooks(key: string): FoundObject | undefined {
    const file = findByLooks(this.folder, key);
    if (!file) return undefined;
    const stat = lstatSync(file);
    return stat.isFile() ? { file, record: untouchedRecord(key, stat) } : undefined;
  }

  /** undefined when the key has no place among the files: a folder, a file or another spelling is in the way. */
  #putPlain(key: string, temporary: string, written: NewObject): ObjectRecord | undefined {
    const file = this.#plainFile(key);
    try {
      if (!this.#ensureFolder(path.dirname(file)) || this.#isTakenByOtherSpelling(file)) return undefined;
      const record = this.#moveBehindRecord(key, this.#onDiskOfFolder(temporary), file, written);
      if (this.#isTakenByOtherSpelling(file)) return moveBack(file, temporary);
      if (this.#oddKeys.delete(key)) rmSync(this.#oddFile(key), { force: true });
      return record;
    } catch (error) {
      if (NO_PLACE_FOR_FILE.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
  }

  #putOdd(key: string, temporary: string, written: NewObject): ObjectRecord {
    mkdirSync(path.join(this.state, 'odd'), { recursive: true });
    const record = this.#moveBehindRecord(key, temporary, this.#oddFile(key), written);
    this.#oddKeys.add(key);
    return record;
  }

  #moveBehindRecord(key: string, from: string, to: string, written: NewObject): ObjectRecord {
    const record = { ...written, key, ...identityOf(statSync(from)) };
    this.#sidecars.prepare(record);
    renameSync(from, to);
    return record;
  }

  /** Makes the folder if need be; false when a file or a link is in the way. */
  #ensureFolder(folder: string): boolean {
    if (folder === this.folder) return true;
    const real = realPathOf(folder);
    if (real !== undefined) return real === folder && statSync(folder).isDirectory();
    if (!this.#ensureFolder(path.dirname(folder))) return false;
    mkdirSync(folder);
    return true;
  }

  // macOS and Windows take A.jpg and a.jpg for one file; S3 holds two objects. The second becomes an odd key,
  // as does a name that the disk writes in a way of its own (HFS+: ü as u and two dots).
  #isTakenByOtherSpelling(file: string): boolean {
    if (!this.#ignoresSpelling) return false;
    const real = realPathOf(file);
    return real !== undefined && real !== file;
  }

  // Between two disks there is no rename: the bytes cross first, under a name that is never listed.
  #onDiskOfFolder(temporary: string): string {
    if (this.#sameDisk) return temporary;
    const beside = path.join(this.folder, STAGED_PREFIX + path.basename(temporary));
    try {
      copyFileSync(temporary, beside);
      return beside;
    } catch (error) {
      rmSync(beside, { force: true });
      throw error;
    }
  }

  #removeEmptyFolders(folder: string): void {
    for (let empty = folder; empty !== this.folder; empty = path.dirname(empty)) {
      try {
        rmdirSync(empty);
      } catch {
        return;
      }
    }
  }

  #readOddKeys(): Set<string> {
    const keys = new Set<string>();
    for (const name of namesIn(path.join(this.state, 'odd'))) {
      const stat = statSync(path.join(this.state, 'odd', name));
      const record = this.#sidecars.ofHash(name).find((candidate) => candidate.size === stat.size);
      if (record) keys.add(record.key);
    }
    return keys;
  }
}

const STAGED_PREFIX = '.s3-staged-';
const NO_PLACE_FOR_FILE = new Set(['EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'ENAMETOOLONG', 'EXDEV']);
const LONGEST_NAME_BYTES = 255;

/** Whether a key can be a path below the bucket's folder: every segment a file name, none that leads elsewhere. */
function isPlainKey(key: string): boolean {
  return key.split('/').every(isPlainName);
}

/** Whether a name in the bucket's folder is a segment of keys: our own staged files are not. */
export function isPlainName(name: string): boolean {
  if (name === '' || name === '.' || name === '..' || name.includes('\0')) return false;
  if (name.length * 3 > LONGEST_NAME_BYTES && Buffer.byteLength(name) > LONGEST_NAME_BYTES) return false;
  if (name.startsWith(STAGED_PREFIX)) return false;
  return process.platform !== 'win32' || isWindowsName(name);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: Windows forbids them
const WINDOWS_FORBIDDEN = /[<>:"\\|?*\u0000-\u001f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

function isWindowsName(name: string): boolean {
  return !WINDOWS_FORBIDDEN.test(name);
}

/** An ETag that changes with the file, without reading it; `-1` says, as after an upload in parts, that it is no MD5. */
function untouchedRecord(key: string, stat: Stats): ObjectRecord {
  const etag = `${hash('md5', `${stat.ino}:${stat.size}:${stat.mtimeMs}`)}-1`;
  const headers = { 'content-type': contentTypeByName(key) };
  return { key, ...identityOf(stat), etag, headers };
}

function identityOf(stat: Stats): { inode: number; size: number; mtimeMs: number } {
  return { inode: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs };
}

// Under its key a second file would arise beside the one that was to be replaced.
function nameIsNoUtf8(key: string): S3Error {
  const message = `Expected a file name in UTF-8 for "${key}": rename the file, then write it again.`;
  return new S3Error(400, 'InvalidFileName', message);
}

function realFolder(bucket: string, folder: string): string {
  const real = realPathOf(folder);
  if (real === undefined || !statSync(real).isDirectory()) {
    throw new Error(`Expected a folder for bucket "${bucket}" but found none at ${path.resolve(folder)}.`);
  }
  return real;
}

function stateFolder(bucket: string, state: string, folder: string): string {
  mkdirSync(state, { recursive: true });
  const real = realpathSync.native(state);
  if (isInside(real, folder) || real === folder) {
    throw new Error(`Expected the state of bucket "${bucket}" outside ${folder} but received ${real}.`);
  }
  return real;
}

function isSameDisk(folder: string, state: string): boolean {
  return statSync(folder).dev === statSync(state).dev;
}

/** Found out by looking at the folder under its name in the other case: nothing is written for it. */
function ignoresSpelling(folder: string): boolean {
  const swapped = folder.replace(/\p{L}/gu, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
  const other = lstatSync(swapped, { throwIfNoEntry: false });
  return swapped !== folder && other?.ino === statSync(folder).ino;
}

const LEFTOVER_AGE_MS = 10 * 60 * 1000;

/** Temporary files of a process that was killed; younger ones may belong to a server running beside this one. */
function removeLeftovers(folder: string): void {
  for (const name of namesIn(folder)) {
    const file = path.join(folder, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > LEFTOVER_AGE_MS) rmSync(file, { force: true });
  }
}

function namesIn(folder: string): string[] {
  return statSync(folder, { throwIfNoEntry: false }) ? readdirSync(folder) : [];
}

function moveBack(file: string, temporary: string): undefined {
  copyFileSync(file, temporary);
  rmSync(file);
}
