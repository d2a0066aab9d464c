import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rawRequest, serveBucket, statusOf, temporaryFolder } from '../../support/served-bucket.ts';

const Bucket = 'photos';

const ODD_KEYS = [
  'plain.jpg',
  'a b/c d.jpg',
  'a+b.jpg',
  'ü/日本語.jpg',
  '100%.jpg',
  'a%20b.jpg',
  'x//y.jpg',
  '//',
  '/leading.jpg',
  'trailing/',
  'dot/./x.jpg',
  'dot/../x.jpg',
  '..',
  '../../escape.jpg',
  '.hidden',
  "q?'(1)!*&=;:@$,.jpg",
  '#hash.jpg',
  'b\\s.jpg',
  'a[1]{2}|^`".jpg',
  '<&amp;>.jpg',
  '😀.png',
  '\uFFEE.png',
  'folder\uFFFD/\uFFFD.png',
  'é.jpg',
  'e\u0301.jpg',
  'CON',
  'tab\there.jpg',
  `${'n'.repeat(300)}.jpg`,
  `deep/${'ü'.repeat(150)}/x.jpg`,
  'k'.repeat(1024),
  `${'s/'.repeat(511)}kk`,
  '.s3-staged-x',
];

function put(client: S3Client, Key: string, Body: string) {
  return client.send(new PutObjectCommand({ Bucket, Key, Body }));
}

async function textOf(client: S3Client, Key: string): Promise<string> {
  return (await client.send(new GetObjectCommand({ Bucket, Key }))).Body!.transformToString();
}

function byBytes(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

async function keysByPages(client: S3Client, pageSize: number, more: object = {}): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client, pageSize }, { Bucket, ...more })) {
    for (const entry of page.Contents ?? []) keys.push(entry.Key!);
  }
  return keys;
}

describe('keys that are not file names', () => {
  it('takes, lists, copies and deletes every key of up to 1,024 bytes, and none escapes the folders', async () => {
    const { client, folder, state } = await serveBucket();
    const before = readdirSync(path.dirname(folder));
    for (const key of ODD_KEYS) await put(client, key, `of ${key}`);
    for (const key of ODD_KEYS) expect(await textOf(client, key)).toBe(`of ${key}`);
    expect(await keysByPages(client, 3)).toEqual(byBytes(ODD_KEYS));
    expect(readdirSync(path.dirname(folder))).toEqual(before);
    for (const key of ODD_KEYS) {
      const CopySource = `photos/${key.split('/').map(encodeURIComponent).join('/')}`;
      await client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }));
      expect(await textOf(client, 'copy')).toBe(`of ${key}`);
    }
    for (const key of [...ODD_KEYS, 'copy']) await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
    expect(await keysByPages(client, 1000)).toEqual([]);
    expect([
      readdirSync(folder),
      readdirSync(path.join(state, 'odd')),
      readdirSync(path.join(state, 'sidecars')).filter((name) => name.endsWith('.json')),
    ]).toEqual([[], [], []]);
  });

  it.each([
    ['the file first', ['a', 'a/b', 'a/b/c']],
    ['the folder first', ['a/b/c', 'a/b', 'a']],
  ])('holds a, a/b and a/b/c together, %s', async (_, keys) => {
    const { client } = await serveBucket();
    for (const key of keys) await put(client, key, key);
    for (const key of keys) await put(client, key, `again ${key}`);
    for (const key of keys) expect(await textOf(client, key)).toBe(`again ${key}`);
    expect(await keysByPages(client, 1)).toEqual(['a', 'a/b', 'a/b/c']);
    for (const [index, key] of keys.entries()) {
      await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
      expect(await keysByPages(client, 1)).toEqual(keys.slice(index + 1).sort());
    }
  });

  it('has no key below a file, and none that is a folder', async () => {
    const { client } = await serveBucket();
    await put(client, 'a', 'file');
    await put(client, 'folder/b', 'file');
    for (const Key of ['a/b', 'a/b/c', 'folder', 'folder/']) {
      expect(await statusOf(client.send(new HeadObjectCommand({ Bucket, Key })))).toBe(404);
      expect(await statusOf(client.send(new DeleteObjectCommand({ Bucket, Key })))).toBe(204);
    }
    expect(await keysByPages(client, 10)).toEqual(['a', 'folder/b']);
  });

  it('takes a key back among the files once nothing is in its way', async () => {
    const { client, folder } = await serveBucket();
    await put(client, 'a', 'file');
    await put(client, 'a/b', 'odd');
    await client.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
    await put(client, 'a/b', 'plain');
    expect(readdirSync(path.join(folder, 'a'))).toEqual(['b']);
    expect(await textOf(client, 'a/b')).toBe('plain');
    expect(await keysByPages(client, 10)).toEqual(['a/b']);
  });

  it('is a bucket like any other under random puts and deletes', async () => {
    const segment = fc.constantFrom('a', 'b', 'a-b', 'A', '', '.', '..', 'ü', '😀', 'x+y z', '%2F');
    const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/') || '/');
    const step = fc.record({ key, deletes: fc.boolean(), body: fc.string({ minLength: 1, maxLength: 8 }) });
    const behavesAsMap = fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.integer({ min: 1, max: 5 }),
      async (steps, pageSize) => {
        const { client } = await serveBucket();
        const model = new Map<string, string>();
        for (const { key: Key, deletes, body } of steps) {
          if (deletes) await client.send(new DeleteObjectCommand({ Bucket, Key }));
          else await client.send(new PutObjectCommand({ Bucket, Key, Body: body }));
          if (deletes) model.delete(Key);
          else model.set(Key, body);
        }
        expect(await keysByPages(client, pageSize)).toEqual(byBytes([...model.keys()]));
        for (const [Key, body] of model) {
          const answer = await client.send(new GetObjectCommand({ Bucket, Key }));
          expect(await answer.Body!.transformToString()).toBe(body);
        }
      },
    );
    await fc.assert(behavesAsMap, { numRuns: 30 });
  });
});

describe('a prefix in a folder of its own', () => {
  it('stores its keys there and nowhere else, and lists them among the others', async () => {
    const root = await temporaryFolder();
    const place = (name: string) => ({
      folder: path.join(root, name),
      state: path.join(root, 'state', name),
    });
    const photos = { ...place('photos'), prefixes: { 'jobs/': place('job-files') } };
    const { client } = await serveBucket({ buckets: { photos } });
    const keys = ['jobs', 'jobs-old/c.jpg', 'jobs/a//b', 'jobs/a/report.json', 'jobs0', 'zoo/d.jpg'];
    for (const key of keys.toReversed()) await put(client, key, key);
    mkdirSync(path.join(root, 'photos/jobs-new'));
    writeFileSync(path.join(root, 'job-files/not-of-the-prefix'), 'x');
    for (const pageSize of [1, 2, 10]) expect(await keysByPages(client, pageSize)).toEqual(byBytes(keys));
    expect(await keysByPages(client, 2, { Prefix: 'jobs/a' })).toEqual(['jobs/a//b', 'jobs/a/report.json']);
    const page = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }));
    expect(page.CommonPrefixes?.map((one) => one.Prefix)).toEqual(['jobs-old/', 'jobs/', 'zoo/']);
    expect(readdirSync(path.join(root, 'job-files/jobs/a'))).toEqual(['report.json']);
    expect(readdirSync(path.join(root, 'photos')).sort()).toEqual(['jobs', 'jobs-new', 'jobs-old', 'jobs0', 'zoo']);
    expect(await textOf(client, 'jobs/a//b')).toBe('jobs/a//b');
    await client.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: 'photos/jobs/a/report.json' }));
    expect(await textOf(client, 'copy')).toBe('jobs/a/report.json');
    for (const Key of keys) await client.send(new DeleteObjectCommand({ Bucket, Key }));
    expect(await keysByPages(client, 10)).toEqual(['copy']);
  });
});

it.runIf(process.platform === 'linux')(
  'serves files whose names are no UTF-8, and does not write beside them',
  async () => {
    const { client, folder } = await serveBucket();
    const place = Buffer.concat([Buffer.from(`${folder}/Gr`), Buffer.from([0xfc]), Buffer.from('n')]);
    mkdirSync(place);
    writeFileSync(Buffer.concat([place, Buffer.from('/caf'), Buffer.from([0xe9]), Buffer.from('.jpg')]), 'pixels');
    const key = 'Gr\uFFFDn/caf\uFFFD.jpg';
    expect(await keysByPages(client, 10)).toEqual([key]);
    expect(await textOf(client, key)).toBe('pixels');
    await expect(put(client, key, 'other')).rejects.toMatchObject({ name: 'InvalidFileName' });
    expect(await textOf(client, key)).toBe('pixels');
    await client.send(new DeleteObjectCommand({ Bucket, Key: key }));
    expect(await keysByPages(client, 10)).toEqual([]);
  },
);

describe('listings', () => {
  it('lose none of 4,000 keys with unicode, plus, spaces and double slashes, in UTF-8 order', async () => {
    const { client, folder } = await serveBucket();
    const names = ['a+b', 'c d', 'ü', '日本', '😀', '\uFFEE', 'e-f', 'e.f', 'e', '%2B'];
    const plain = Array.from({ length: 4_000 - 60 }, (_, index) => {
      const name = names[index % names.length];
      return index % 3 === 0 ? `${name}/${index % 70}/${index}.jpg` : `${name}-${index}.jpg`;
    });
    for (const key of plain) {
      mkdirSync(path.dirname(path.join(folder, key)), { recursive: true });
      writeFileSync(path.join(folder, key), '');
    }
    const odd = Array.from({ length: 60 }, (_, index) => `${names[index % names.length]}//${index}+ü.jpg`);
    await Promise.all(odd.map((key) => put(client, key, 'x')));
    const expected = byBytes([...plain, ...odd]);
    expect(await keysByPages(client, 1000)).toEqual(expected);
    expect(await keysByPages(client, 997)).toEqual(expected);
    const prefix = 'e/1';
    expect(await keysByPages(client, 7, { Prefix: prefix })).toEqual(expected.filter((key) => key.startsWith(prefix)));
  });

  it('order a-b, a.b, a/b and ab by their bytes, across the edge of the folder', async () => {
    const { client } = await serveBucket();
    const keys = [
      'a',
      'a-b',
      'a.b',
      'a/',
      'a/b',
      'a/b-c',
      'a/b/c',
      'a0',
      'ab',
      'a\u0301',
      'a\uFFEE',
      'a😀',
      'B',
      '_',
      '~',
    ];
    for (const key of keys) await put(client, key, 'x');
    for (const pageSize of [1, 2, 100]) expect(await keysByPages(client, pageSize)).toEqual(byBytes(keys));
  });

  it('group by a delimiter, page by page, each group once', async () => {
    const { client } = await serveBucket();
    const keys = ['a/1', 'a/2', 'a/b/3', 'a-1', 'b', 'c/1', 'c//2', 'd+e/ü/1', 'z'];
    for (const key of keys) await put(client, key, 'x');
    const list = async (MaxKeys: number, more: object = {}) => {
      const found: string[] = [];
      const config = { client, pageSize: MaxKeys };
      for await (const page of paginateListObjectsV2(config, { Bucket, Delimiter: '/', ...more })) {
        expect(page.KeyCount).toBeLessThanOrEqual(MaxKeys);
        found.push(
          ...(page.Contents ?? []).map((one) => one.Key!),
          ...(page.CommonPrefixes ?? []).map((one) => one.Prefix!),
        );
      }
      return byBytes(found);
    };
    for (const size of [1, 2, 1000]) {
      expect(await list(size)).toEqual(byBytes(['a-1', 'a/', 'b', 'c/', 'd+e/', 'z']));
      expect(await list(size, { Prefix: 'a/' })).toEqual(['a/1', 'a/2', 'a/b/']);
      expect(await list(size, { Prefix: 'c/' })).toEqual(byBytes(['c/1', 'c//']));
      expect(await list(size, { Prefix: 'a' })).toEqual(byBytes(['a-1', 'a/']));
      expect(await list(size, { Delimiter: '+e' })).toEqual(
        byBytes([...keys.filter((key) => !key.startsWith('d')), 'd+e']),
      );
    }
  });

  it('start after a key, whether it exists or not, and stop at MaxKeys', async () => {
    const { client } = await serveBucket();
    for (const key of ['a', 'b/1', 'b/2', 'c']) await put(client, key, 'x');
    const list = async (more: object) => {
      const page = await client.send(new ListObjectsV2Command({ Bucket, ...more }));
      return [(page.Contents ?? []).map((one) => one.Key).join(), page.IsTruncated, page.KeyCount];
    };
    expect(await list({ StartAfter: 'b/1' })).toEqual(['b/2,c', false, 2]);
    expect(await list({ StartAfter: 'b' })).toEqual(['b/1,b/2,c', false, 3]);
    expect(await list({ StartAfter: 'b/' })).toEqual(['b/1,b/2,c', false, 3]);
    expect(await list({ StartAfter: 'z' })).toEqual(['', false, 0]);
    expect(await list({ MaxKeys: 4 })).toEqual(['a,b/1,b/2,c', false, 4]);
    expect(await list({ MaxKeys: 3 })).toEqual(['a,b/1,b/2', true, 3]);
    expect(await list({ MaxKeys: 0 })).toEqual(['', false, 0]);
    expect(await statusOf(client.send(new ListObjectsV2Command({ Bucket, ContinuationToken: 'no token' })))).toBe(400);
  });

  it('of version 1 are refused', async () => {
    const { server } = await serveBucket();
    for (const query of ['', '?list-type=1'])
      expect(await rawRequest(server, 'GET', `/photos${query}`)).toMatchObject({ status: 501 });
  });

  it('have size, ETag, storage class and checksum algorithm', async () => {
    const { client } = await serveBucket();
    const { ETag } = await client.send(
      new PutObjectCommand({
        Bucket,
        Key: 'a',
        Body: 'four',
        StorageClass: 'GLACIER',
        ChecksumAlgorithm: 'SHA256',
      }),
    );
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket }));
    const { LastModified } = await client.send(new HeadObjectCommand({ Bucket, Key: 'a' }));
    expect(Contents).toMatchObject([
      { Key: 'a', Size: 4, ETag, StorageClass: 'GLACIER', ChecksumAlgorithm: ['SHA256'] },
    ]);
    expect(Math.floor(Contents![0]!.LastModified!.getTime() / 1000)).toBe(LastModified!.getTime() / 1000);
  });

  it('form-encode keys on request, so that none can break the XML', async () => {
    const { client, server } = await serveBucket();
    await put(client, 'a b+c/ü&\u0001.jpg', 'x');
    const answer = await rawRequest(server, 'GET', '/photos?list-type=2&encoding-type=url&prefix=a%20b%2B');
    expect(answer.body.toString()).toContain('<Key>a+b%2Bc/%C3%BC%26%01.jpg</Key>');
    expect(answer.body.toString()).toContain('<Prefix>a+b%2B</Prefix>');
  });

  it('see at once what is put into the folder or taken from it by others', async () => {
    const { client, folder } = await serveBucket();
    for (let round = 0; round < 5; round++) {
      await writeFile(path.join(folder, `${round}.jpg`), 'x');
      expect(await keysByPages(client, 2)).toHaveLength(round + 1);
    }
  });

  it('contain no empty folder, and no key twice', async () => {
    const { client, folder } = await serveBucket();
    await mkdir(path.join(folder, 'empty/deeper'), { recursive: true });
    await put(client, 'a', 'x');
    await put(client, 'a/b', 'x');
    const page = await client.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }));
    expect(page.Contents?.map((one) => one.Key)).toEqual(['a']);
    expect(page.CommonPrefixes?.map((one) => one.Prefix)).toEqual(['a/']);
  });
});
