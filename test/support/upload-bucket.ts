import type { ImageContext } from '../../src/compress/image-context.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { formatS3Uri, type S3Location } from '../../src/core/s3-uri.ts';
import { recompressUploads, type UploadHost, type UploadMetric } from '../../src/uploads/recompress-upload.ts';
import { parseUploadSettings } from '../../src/uploads/upload-settings.ts';
import { createWriteRateLimit } from '../../src/uploads/write-rate-limit.ts';
import { halve } from './image-jobs.ts';
import { createMemoryStore, type MemoryStore } from './memory-store.ts';

/** A host for uploads that keeps its log and counts its metrics. */
export function uploadHost(overrides: Partial<UploadHost> & Pick<UploadHost, 'store'>) {
  const lines: { level: string; message: string; details: object }[] = [];
  const metrics: Partial<Record<UploadMetric, number>> = {};
  const write =
    (level: string) =>
    (message: unknown, ...details: unknown[]) =>
      void lines.push({ level, message: String(message), details: details[0] as object });
  const host: UploadHost = {
    compress: halve,
    settings: parseUploadSettings('{"maxWritesPerHour": 1000}'),
    writeRateLimit: createWriteRateLimit(1000),
    concurrency: 3,
    closing: new AbortController().signal,
    ending: new AbortController().signal,
    log: { info: write('info'), warn: write('warn'), error: write('error') },
    count: (metric, value) => {
      metrics[metric] = (metrics[metric] ?? 0) + value;
    },
    ...overrides,
  };
  return { host, lines, metrics };
}

export function messageFor(body: string, { id = 'm1', receives = 1 } = {}) {
  return { messageId: id, body, attributes: { ApproximateReceiveCount: String(receives) } };
}

/** S3's notification of an upload, keys form-URL-encoded. */
export function uploadEvent(...objects: S3Location[]): string {
  const encoded = (key: string) => encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/');
  return JSON.stringify({
    Records: objects.map(({ bucket, key }) => ({
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      s3: { bucket: { name: bucket }, object: { key: encoded(key) } },
    })),
  });
}

/** A bucket in memory whose writes raise events; `settle` delivers them until none is left. */
export interface UploadBucket {
  readonly store: MemoryStore;
  /** What `recompressUploads` sees: a guard can be switched off here. */
  readonly seen: ObjectStore;
  readonly writes: Map<string, number>;
  upload(key: string, body: string | Uint8Array): void;
  /** @returns the number of rounds until no event was left */
  settle(overrides?: Partial<UploadHost>, maxRounds?: number): Promise<number>;
}

export function createUploadBucket(
  see: (store: ObjectStore) => ObjectStore = (store) => store,
  compress: ImageContext['compress'] = halve,
): UploadBucket {
  const store = createMemoryStore();
  const writes = new Map<string, number>();
  let events: S3Location[] = [];
  const notifying: ObjectStore = {
    ...store,
    put: async (location, body, options) => {
      const written = await store.put(location, body, options);
      writes.set(formatS3Uri(location), (writes.get(formatS3Uri(location)) ?? 0) + 1);
      events.push(location);
      return written;
    },
  };
  const seen = see(notifying);
  return {
    store,
    seen,
    writes,
    upload: (key, body) => {
      store.seed(`s3://uploads/${key}`, body, { attributes: { contentType: 'image/jpeg' } });
      events.push({ bucket: 'uploads', key });
    },
    settle: async (overrides = {}, maxRounds = 50) => {
      const { host } = uploadHost({ store: seen, compress, ...overrides });
      let rounds = 0;
      for (; events.length > 0; rounds++) {
        if (rounds === maxRounds) throw new Error(`Events are left after ${maxRounds} rounds`);
        const batch = events;
        events = [];
        const Records = batch.map((object, n) => messageFor(uploadEvent(object), { id: `m${n}` }));
        await recompressUploads({ Records }, host);
      }
      return rounds;
    },
  };
}
