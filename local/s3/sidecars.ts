import { hash } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import { contentTypeByName } from './object-headers.ts';
import type { ObjectRecord } from './object-record.ts';

const MAX_CACHED = 2_000;
const PREPARED = 'prepared';

/**
 * One small JSON file beside each object that was written through the server, and a bounded cache of them.
 * A record takes effect with the file that it names: `prepare` before the object is moved into place, `settle` after.
 * So object and record match whenever the process is killed.
 */
export class Sidecars {
  readonly #folder: string;
  readonly #cache = new Map<string, ObjectRecord>();
  #exists: boolean | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  find(key: string, file: fs.Stats): ObjectRecord | undefined {
    const cached = this.#cache.get(key);
    if (cached && describes(cached, file)) return this.#remember(cached);
    if (!this.#hasFolder()) return undefined;
    const settled = readRecord(this.#settled(key));
    if (settled && describes(settled, file)) return this.#remember(settled);
    const prepared = readRecord(this.#prepared(key));
    return prepared && describes(prepared, file) ? this.settle(prepared) : undefined;
  }

  prepare(record: ObjectRecord): void {
    this.#makeFolder();
    fs.writeFileSync(this.#prepared(record.key), JSON.stringify(record));
  }

  settle(record: ObjectRecord): ObjectRecord {
    fs.renameSync(this.#prepared(record.key), this.#settled(record.key));
    return this.#remember(record);
  }

  /** Keys whose writer was killed before it could settle. `find` settles those that took effect. */
  unsettledKeys(): string[] {
    const folder = path.join(this.#folder, PREPARED);
    const names = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
    return names.flatMap((name) => readRecord(path.join(folder, name))?.key ?? []);
  }

  remove(key: string): void {
    this.#cache.delete(key);
    if (!this.#hasFolder()) return;
    fs.rmSync(this.#settled(key), { force: true });
    fs.rmSync(this.#prepared(key), { force: true });
  }

  /** The records, of either state, that may describe the object stored under this hash. */
  ofHash(keyHash: string): ObjectRecord[] {
    const files = [path.join(this.#folder, keyHash), path.join(this.#folder, PREPARED, keyHash)];
    return files.map((file) => readRecord(`${file}.json`)).filter((record) => record !== undefined);
  }

  #settled(key: string): string {
    return path.join(this.#folder, `${hashOfKey(key)}.json`);
  }

  #prepared(key: string): string {
    return path.join(this.#folder, PREPARED, `${hashOfKey(key)}.json`);
  }

  #remember(record: ObjectRecord): ObjectRecord {
    this.#cache.delete(record.key);
    this.#cache.set(record.key, record);
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > MAX_CACHED && oldest !== undefined) this.#cache.delete(oldest);
    return record;
  }

  // A folder served read-only has no sidecars: one check replaces two failed reads per object.
  #hasFolder(): boolean {
    this.#exists ??= fs.existsSync(path.join(this.#folder, PREPARED));
    return this.#exists;
  }

  #makeFolder(): void {
    if (this.#exists) return;
    fs.mkdirSync(path.join(this.#folder, PREPARED), { recursive: true });
    this.#exists = true;
  }
}

/** A file name for any key, of any length and alphabet. */
export function hashOfKey(key: string): string {
  return hash('sha256', key, 'hex').slice(0, 40);
}

/**
 * The record of a file that was not written through the server. Its ETag changes with the file, without reading it;
 * `-1`, as of a multipart upload, marks it as not an MD5.
 */
export function recordOfUntouched(key: string, file: fs.Stats): ObjectRecord {
  const etag = `${hash('md5', `${file.ino}:${file.size}:${file.mtimeMs}`)}-1`;
  return { key, ...identityOf(file), etag, headers: { 'content-type': contentTypeByName(key) } };
}

export function identityOf({ ino, size, mtimeMs }: fs.Stats): Pick<ObjectRecord, 'inode' | 'size' | 'mtimeMs'> {
  return { inode: ino, size, mtimeMs };
}

function describes(record: ObjectRecord, file: fs.Stats): boolean {
  return record.size === file.size && record.mtimeMs === file.mtimeMs && record.inode === file.ino;
}

function readRecord(file: string): ObjectRecord | undefined {
  if (!fs.existsSync(file)) return undefined;
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    // Cut short by a kill: the object that it describes was never moved into place.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
