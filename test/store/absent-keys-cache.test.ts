import { beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { createAbsentKeysCache, createListingBackoff } from '../../src/store/absent-keys-cache.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';

let memory: MemoryStore;
const body = Buffer.from('x');

beforeEach(() => {
  memory = createMemoryStore();
});

const outputs = (count: number, prefix = 'out/') =>
  Array.from({ length: count }, (_, n) => ({
    bucket: 'b',
    key: `${prefix}${String(n).padStart(4, '0')}.jpg`,
  }));

const heads = () => memory.calls.filter((call) => call.startsWith('HEAD')).length;

async function present(store: ObjectStore, locations: readonly { bucket: string; key: string }[]) {
  const found = await Promise.all(locations.map((location) => store.head(location)));
  return locations.filter((_, n) => found[n]).map(({ key }) => key);
}

describe('the cache of absent keys', () => {
  it('answers for a whole batch with one listing', async () => {
    const locations = outputs(200);
    const { store, prefetch } = createAbsentKeysCache(memory, createListingBackoff());
    await prefetch(locations);
    expect(await present(store, locations)).toEqual([]);
    expect(memory.calls).toHaveLength(1);
  });

  it('asks with HEAD for what the listing showed, whatever characters the keys have', async () => {
    const names = ['a b.jpg', 'a+b.jpg', 'ä.jpg', '日本.png', '😀.png', '\u{ff5e}.png', 'z//y.jpg', 'Z.jpg'];
    const locations = [...outputs(30), ...names.map((key) => ({ bucket: 'b', key }))];
    const there = locations.filter((_, n) => n % 3 === 0);
    for (const { key } of there) memory.seed(`s3://b/${key}`, body);
    const { store, prefetch } = createAbsentKeysCache(memory, createListingBackoff());
    await prefetch(locations);
    expect(await present(store, locations)).toEqual(there.map(({ key }) => key));
    expect(heads()).toBe(there.length);
  });

  it('forgets a key that is written', async () => {
    const locations = outputs(30);
    const { store, prefetch } = createAbsentKeysCache(memory, createListingBackoff());
    await prefetch(locations);
    await store.put(locations[3]!, body);
    expect(await present(store, locations)).toEqual([locations[3]!.key]);
  });

  it('knows nothing of keys after the first page', async () => {
    const locations = [...outputs(30), { bucket: 'b', key: 'out/9999.jpg' }];
    for (const { key } of outputs(1500, 'out/0005-')) memory.seed(`s3://b/${key}`, body);
    const { store, prefetch } = createAbsentKeysCache(memory, createListingBackoff());
    await prefetch(locations);
    expect(await present(store, locations)).toEqual([]);
    expect(heads()).toBe(26);
  });

  it('knows nothing when the listing is in no order, or is refused', async () => {
    const locations = outputs(30);
    const disorder = async function* () {
      for (const key of ['out/0004.jpg', 'out/0002.jpg']) yield { key, size: 1, etag: '' };
    };
    const refusal = async function* (): AsyncGenerator<never> {
      yield await Promise.reject(new Error('AccessDenied'));
    };
    for (const list of [disorder, refusal]) {
      const { store, prefetch } = createAbsentKeysCache({ ...memory, list }, createListingBackoff());
      await prefetch(locations);
      memory.calls.length = 0;
      await present(store, locations);
      expect(heads()).toBe(30);
    }
  });

  it('skips listings for a while after one took longer than the calls that it saves', async () => {
    const list = async function* () {
      await new Promise((resolve) => setTimeout(resolve, 100));
      yield* [];
    };
    let listings = 0;
    const store: ObjectStore = {
      ...memory,
      list: () => {
        listings += 1;
        return list();
      },
    };
    const backoff = createListingBackoff();
    for (let batch = 0; batch < 22; batch++) await createAbsentKeysCache(store, backoff).prefetch(outputs(30));
    expect(listings).toBe(2);
  });

  it('lists nothing for a handful of outputs', async () => {
    const { store, prefetch } = createAbsentKeysCache(memory, createListingBackoff());
    await prefetch(outputs(5));
    await present(store, outputs(5));
    expect(memory.calls).toHaveLength(5);
    expect(heads()).toBe(5);
  });
});
