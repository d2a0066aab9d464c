import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';
import type { FoundObject, ObjectRecord } from './object-record.ts';
import { Sequence } from './sequence.ts';
import { hashOfKey } from './sidecars.ts';

/** What a version id that is not the current object stands for: an earlier object, or a deletion. */
export type KeptVersion = FoundObject | 'delete-marker';

/** The version id of objects that are older than versioning. */
export const NULL_VERSION = 'null';

/** Earlier versions of a bucket's objects: one folder per key with `<version id>.object` and `<version id>.json`. */
export class Versions {
  readonly #folder: string;
  readonly #sequence = new Sequence();

  /** @param state the bucket's folder for everything but objects */
  constructor(state: string) {
    this.#folder = path.join(state, 'versions');
  }

  /** Opaque to clients; here, text that sorts by time. */
  newId(): string {
    return this.#sequence.next().toString(16).padStart(16, '0') + randomBytes(8).toString('hex');
  }

  /** Keeps the current object before it is replaced or deleted. Its bytes are linked, not copied, where possible. */
  keep({ file, record }: FoundObject): void {
    const kept = this.#fileOf(record.key, record.versionId ?? NULL_VERSION);
    fs.mkdirSync(path.dirname(kept), { recursive: true });
    fs.rmSync(`${kept}.object`, { force: true });
    linkOrCopy(file, `${kept}.object`);
    fs.writeFileSync(`${kept}.json`, JSON.stringify(record));
  }

  addDeleteMarker(key: string): string {
    const id = this.newId();
    const marker = this.#fileOf(key, id);
    fs.mkdirSync(path.dirname(marker), { recursive: true });
    fs.writeFileSync(`${marker}.json`, JSON.stringify('delete-marker'));
    return id;
  }

  find(key: string, id: string): KeptVersion | undefined {
    const kept = this.#fileOf(key, id);
    if (!/^[\w-]+$/.test(id) || !fs.existsSync(`${kept}.json`)) return undefined;
    const record: ObjectRecord | 'delete-marker' = JSON.parse(fs.readFileSync(`${kept}.json`, 'utf8'));
    return record === 'delete-marker' ? record : { file: `${kept}.object`, record };
  }

  /** The latest of those kept, with its id. */
  latest(key: string) {
    const folder = path.dirname(this.#fileOf(key, NULL_VERSION));
    const ids = fs.existsSync(folder)
      ? fs.readdirSync(folder).flatMap((name) => /^(.*)\.json$/.exec(name)?.[1] ?? [])
      : [];
    // The null version is older than every other: versioning is never suspended here.
    const id = ids.sort().findLast((one) => one !== NULL_VERSION) ?? ids[0];
    if (id === undefined) return undefined;
    const version = this.find(key, id);
    return version && { id, version };
  }

  remove(key: string, id: string): void {
    const kept = this.#fileOf(key, id);
    fs.rmSync(`${kept}.json`, { force: true });
    fs.rmSync(`${kept}.object`, { force: true });
    const folder = path.dirname(kept);
    if (fs.existsSync(folder) && fs.readdirSync(folder).length === 0) fs.rmdirSync(folder);
  }

  #fileOf(key: string, id: string): string {
    return path.join(this.#folder, hashOfKey(key), id);
  }
}

function linkOrCopy(from: string | Buffer, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch {
    fs.copyFileSync(from, to);
  }
}
