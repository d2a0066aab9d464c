import { expect, test } from 'vitest';
import { createMemoryStore } from '../support/memory-store.ts';

const at = (key: string) => ({ bucket: 'photos', key });
const body = Buffer.from('0123456789');

test('returns what was put, with its attributes and tags', async () => {
  const store = createMemoryStore();
  await store.put(at('a'), body, {
    attributes: { contentType: 'image/png', metadata: { Origin: 'x' } },
    tags: { team: 'blue' },
  });
  const found = await store.get(at('a'));
  expect(found).toMatchObject({ contentType: 'image/png', metadata: { origin: 'x' }, tagCount: 1, size: 10 });
  expect(await store.tags(at('a'))).toEqual({ team: 'blue' });
  expect(await store.get(at('a'), { ifNoneMatch: (found as { etag: string }).etag })).toBe('not-modified');
  expect(await store.get(at('b'))).toBeUndefined();
  expect(await store.head(at('b'))).toBeUndefined();
});

test('writes only when the condition is met', async () => {
  const store = createMemoryStore();
  const missing = store.put(at('a'), body, { condition: { etag: 'x' } });
  await expect(missing).rejects.toMatchObject({ code: 'PreconditionFailed' });
  const { etag } = await store.put(at('a'), body, { condition: 'absent' });
  const taken = store.put(at('a'), body, { condition: 'absent' });
  await expect(taken).rejects.toMatchObject({ code: 'PreconditionFailed' });
  await store.put(at('a'), Buffer.from('newer'), { condition: { etag } });
  const stale = store.put(at('a'), body, { condition: { etag } });
  await expect(stale).rejects.toMatchObject({ code: 'PreconditionFailed' });
  expect(store.text('s3://photos/a')).toBe('newer');
});

test('reads byte ranges with both ends included, in chunks', async () => {
  const store = createMemoryStore({ chunkBytes: 3 });
  store.seed('s3://photos/a', body);
  const chunks = await Array.fromAsync(store.read(at('a'), { start: 2, end: 8 }));
  expect(chunks.map((chunk) => Buffer.from(chunk).toString())).toEqual(['234', '567', '8']);
  await expect(Array.fromAsync(store.read(at('b')))).rejects.toMatchObject({ code: 'NotFound' });
});

test('lists below a prefix in the order of UTF-8 bytes', async () => {
  const store = createMemoryStore();
  for (const key of ['p/b', 'p/a', 'q/c', 'p/\u{1f600}', 'p/\uffee']) store.seed(`s3://photos/${key}`, 'x');
  const keys = (await Array.fromAsync(store.list('photos', 'p/'))).map(({ key }) => key);
  expect(keys).toEqual(['p/a', 'p/b', 'p/\uffee', 'p/\u{1f600}']);
});

test('writes nothing when the chunks of an upload throw', async () => {
  const store = createMemoryStore();
  async function* chunks() {
    yield 'half';
    throw new Error('source gone');
  }
  await expect(store.upload(at('a'), chunks(), 'text/plain')).rejects.toThrow('source gone');
  expect(store.uris()).toEqual([]);
});

test('refuses to read an archived object', async () => {
  const store = createMemoryStore();
  store.seed('s3://photos/a', body, { attributes: { storageClass: 'DEEP_ARCHIVE' } });
  expect((await store.head(at('a')))?.archived).toBe(true);
  await expect(store.get(at('a'))).rejects.toMatchObject({ code: 'Archived' });
});
