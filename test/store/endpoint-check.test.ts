import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Job } from '../../src/core/job.ts';
import { PlanError } from '../../src/core/plan.ts';
import { planJob } from '../../src/plan/plan-job.ts';
import { createEndpointCheck, PROBE_KEY } from '../../src/store/endpoint-check.ts';
import { recompressUploads } from '../../src/uploads/recompress-upload.ts';
import { halve } from '../support/image-jobs.ts';
import { injectFaults } from '../support/s3-faults.ts';
import { serveStore, storeAt } from '../support/served-store.ts';
import { messageFor, uploadEvent, uploadHost } from '../support/upload-bucket.ts';

const PHOTO = { bucket: 'photos', key: 'a.jpg' };
const PICTURE = Buffer.from('x'.repeat(1000));

/** A proxy before the server that drops headers of requests, as some S3-compatible endpoints ignore them. */
async function storeThatDrops(...dropped: string[]) {
  const served = await serveStore();
  const proxy = createServer((request, response) => {
    const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !dropped.includes(name)));
    const { method, url } = request;
    const forwarded = httpRequest({ port: served.server.port, host: '127.0.0.1', method, path: url, headers });
    forwarded.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    request.pipe(forwarded);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void proxy.close());
  const store = storeAt(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  await store.put(PHOTO, PICTURE, { attributes: { contentType: 'image/jpeg' } });
  return { ...served, store };
}

const checkOf = (store: Parameters<typeof createEndpointCheck>[0]) => createEndpointCheck(store, false);

describe('an endpoint', () => {
  test('that supports everything may have images replaced, and is asked once', async () => {
    const { store, events } = await serveStore();
    const check = checkOf(store);
    expect(await check('photos')).toBeUndefined();
    expect(await check('photos')).toBeUndefined();
    expect(events.map(({ s3 }) => s3.object.key)).toEqual([PROBE_KEY]);
    // The next process finds the probe, and writes nothing.
    expect(await checkOf(store)('photos')).toBeUndefined();
    expect(events).toHaveLength(1);
  });

  test.each([
    ['if-match', 'ignores If-Match, so that a newer upload could be overwritten'],
    ['x-amz-meta-image-press-probe', 'does not return user metadata'],
    ['x-amz-tagging', 'does not return the tags of an object'],
  ])('that drops %s is found out', async (header, problem) => {
    const { store } = await storeThatDrops(header);
    expect(await checkOf(store)('photos')).toBe(problem);
  });

  test('that keeps no SHA-256 checksum will do: the bytes are hashed instead', async () => {
    const { store } = await serveStore();
    const forgetful = {
      ...store,
      head: async (at: typeof PHOTO) => {
        const found = await store.head(at);
        return found && { ...found, checksumSha256: undefined };
      },
    };
    expect(await checkOf(forgetful)('photos')).toBeUndefined();
  });

  test('that returns a wrong SHA-256 checksum is found out', async () => {
    const { store } = await serveStore();
    const forgetful = {
      ...store,
      head: async (at: typeof PHOTO) => {
        const found = await store.head(at);
        return found && { ...found, checksumSha256: 'AAAA' };
      },
    };
    expect(await checkOf(forgetful)('photos')).toBe('returns a wrong SHA-256 checksum of an object');
  });

  test('that refuses If-Match is found out', async () => {
    const { store } = await serveStore({
      beforeRequest: injectFaults(({ method, count }) =>
        method === 'PUT' && count === 2 ? { status: 501, code: 'NotImplemented' } : undefined,
      ),
    });
    expect(await checkOf(store)('photos')).toMatch(/^refuses If-Match /);
  });

  test('that fails is asked again, and nothing is known of it', async () => {
    const { store } = await serveStore({
      beforeRequest: injectFaults(({ method, count }) =>
        method === 'HEAD' && count === 1 ? { status: 503, code: 'SlowDown' } : undefined,
      ),
    });
    const check = checkOf(store);
    await expect(check('photos')).rejects.toMatchObject({ code: 'Throttled' });
    expect(await check('photos')).toBeUndefined();
  });

  test('of AWS is not asked', async () => {
    const { store, events } = await serveStore();
    expect(await createEndpointCheck(store, true)('photos')).toBeUndefined();
    expect(events).toEqual([]);
  });
});

describe('where If-Match is ignored', () => {
  const planned = async (settings: Partial<Job>) => {
    const { store } = await storeThatDrops('if-match');
    const input = { fileList: 's3://photos/', irreversible: settings.output === 'in-place', ...settings };
    const context = { store, workBucket: 'photos', defaultOutput: 's3://photos/out/', endpointCheck: checkOf(store) };
    const plan = planJob({ jobId: 'monday', startedAt: '2026-01-05T00:00:00Z', input }, context);
    return plan.catch((error: unknown) => error);
  };

  test('a job in place is refused by name, one with outputs elsewhere runs', async () => {
    const refused = await planned({ output: 'in-place' });
    expect(refused).toBeInstanceOf(PlanError);
    expect((refused as Error).message).toContain('the endpoint of s3://photos/ ignores If-Match');
    expect(await planned({})).toMatchObject({ images: 1 });
  });

  test('an upload that is replaced by a newer one meanwhile is not destroyed: nothing is written', async () => {
    const { store } = await storeThatDrops('if-match');
    const newer = Buffer.from('newer '.repeat(300));
    const { host, metrics, lines } = uploadHost({
      store,
      endpointCheck: checkOf(store),
      compress: async (bytes, settings) => {
        await store.put(PHOTO, newer);
        return halve(bytes, settings);
      },
    });
    const answer = await recompressUploads({ Records: [messageFor(uploadEvent(PHOTO))] }, host);
    expect(answer.batchItemFailures).toHaveLength(1);
    expect(metrics).toEqual({ UploadsFailed: 1 });
    expect(JSON.stringify(lines)).toContain('UnsafeEndpoint');
    expect((await store.head(PHOTO))?.size).toBe(newer.length);
  });
});
