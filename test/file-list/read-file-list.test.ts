import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FileListEntry, FileListError } from '../../src/core/file-list.ts';
import type { Job } from '../../src/core/job.ts';
import { ObjectStoreError } from '../../src/core/object-store.ts';
import { readFileList, readListBytes } from '../../src/file-list/read-file-list.ts';
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts';

const ALL: Job['select'] = { suffixes: null, minBytes: null, maxBytes: null, modifiedAfter: null };

interface Setting {
  readonly key?: string;
  readonly relativeTo?: string | null;
  readonly select?: Partial<Job['select']>;
  readonly chunkBytes?: number;
}

async function read(body: string | Uint8Array, setting: Setting = {}): Promise<FileListEntry[]> {
  const store = createMemoryStore({ chunkBytes: setting.chunkBytes ?? 16 });
  const fileList = `s3://lists/${setting.key ?? 'list'}`;
  store.seed(fileList, body);
  return entriesOf(store, fileList, setting);
}

async function entriesOf(store: MemoryStore, fileList: string, { relativeTo = null, select }: Setting = {}) {
  const chunks = readFileList({ fileList, relativeTo, select: { ...ALL, ...select } }, store);
  return (await Array.fromAsync(chunks)).flat();
}

async function problemsOf(body: string | Uint8Array, setting: Setting = {}): Promise<readonly string[]> {
  const error = await read(body, setting).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FileListError);
  return (error as FileListError).problems;
}

const entry = (key: string, more: Partial<FileListEntry> = {}) => ({ bucket: 'photos', key, ...more });
const A_AND_B = [entry('a b.jpg'), entry('sub/ö+%20.png')];

describe('recognises each format by its content', () => {
  const uris = A_AND_B.map(({ key }) => `s3://photos/${key}`);
  const objects = A_AND_B.map((each) => JSON.stringify(each));
  const formats: Record<string, string> = {
    'JSON array': JSON.stringify(uris),
    'JSON array of objects': JSON.stringify(A_AND_B, null, 2),
    'JSON Lines of objects': `${objects.join('\n')}\n`,
    'JSON Lines of strings': uris.map((uri) => JSON.stringify(uri)).join('\r\n'),
    'objects printed over several lines': A_AND_B.map((each) => JSON.stringify(each, null, 2)).join('\n'),
    text: uris.join('\n'),
    'text with CRLF, blank lines and comments': `# two images\r\n\r\n${uris.join('\r\n\r\n')}\r\n`,
    'text with a byte order mark': `\ufeff${uris.join('\n')}`,
    'lines of a listing': uris.map((uri) => `some words ${uri}`).join('\n'),
    CSV: 'photos,a%20b.jpg\r\nphotos,sub/%C3%B6%2B%2520.png\r\n',
    'CSV with header and quotes': '"Bucket","Key"\n"photos","a%20b.jpg"\n"photos","sub/%C3%B6+%2520.png"\n',
  };

  test.each(Object.entries(formats))('%s', async (_name, body) => {
    expect(await read(body)).toEqual(A_AND_B);
    expect(await read(gzipSync(body))).toEqual(A_AND_B);
  });

  test.each(Object.entries(formats))('%s, however the bytes are cut', async (_name, body) => {
    expect(await read(body, { chunkBytes: 1 })).toEqual(A_AND_B);
    expect(await read(body, { chunkBytes: 1 << 20 })).toEqual(A_AND_B);
  });
});

test('keeps the batches of a batch map, their names and their order', async () => {
  const map = {
    batch_2: ['s3://photos/b'],
    'camera left': ['s3://photos/a', { bucket: 'photos', key: 'c', size: 3 }],
    none: [],
  };
  const expected = [
    entry('b', { batch: 'batch_2' }),
    entry('a', { batch: 'camera left' }),
    entry('c', { batch: 'camera left', size: 3 }),
  ];
  expect(await read(JSON.stringify(map))).toEqual(expected);
  expect(await read(JSON.stringify(map, null, 4))).toEqual(expected);
  expect(await read(`${JSON.stringify(map)}\n`)).toEqual(expected);
});

test.each([
  null,
  's3://photos/2025/',
])("refuses lines of 'aws s3 ls', which name no bucket, instead of taking them for paths (relativeTo %s)", async (relativeTo) => {
  const lines = '2021-03-04 05:06:07     123456 a b.jpg\n2021-03-04 05:06:07    1.2 MiB c.jpg\n';
  await expect(read(lines, { relativeTo })).rejects.toThrow(
    /^Expected s3:\/\/bucket\/key \(lines of 'aws s3 ls' name no bucket: npm run list .*--bucket NAME.*\) at line 1 but received "2021.*\n.*at line 2/,
  );
});

test('reads the sizes of lines with more columns before the URI, and keys with spaces at their end', async () => {
  const line = '2021-03-04 05:06:07     123456 s3://photos/my holiday.jpg';
  expect(await read(line)).toEqual([entry('my holiday.jpg', { size: 123456 })]);
});

test('does not decode keys in JSON and percent-decodes keys in CSV, where a plus stays a plus', async () => {
  expect(await read('["s3://photos/a%20b+c.jpg"]')).toEqual([entry('a%20b+c.jpg')]);
  expect(await read('photos,a%20b+c.jpg,77')).toEqual([entry('a b+c.jpg', { size: 77 })]);
});

test('resolves paths against relativeTo', async () => {
  const relativeTo = 's3://photos/2025/';
  expect(await read('a, b.jpg\nsub/c.jpg\ns3://other/d.jpg', { relativeTo })).toEqual([
    entry('2025/a, b.jpg'),
    entry('2025/sub/c.jpg'),
    { bucket: 'other', key: 'd.jpg' },
  ]);
  expect(await read('img,1.jpg', { relativeTo })).toEqual([entry('2025/img,1.jpg')]);
  expect(await read('img,1.jpg', { relativeTo, key: 'list.csv' })).toEqual([{ bucket: 'img', key: '1.jpg' }]);
  expect(await read('{"batch_1":["a.jpg"]}', { relativeTo })).toEqual([entry('2025/a.jpg', { batch: 'batch_1' })]);
});

describe('names the position of each problem', () => {
  test.each<[string, string, string[]]>([
    [
      'a batch map',
      '{"batch_1":["s3://photos/a","s3://photos/b","s3://photos/c","http://x"]}',
      ['Expected s3://bucket/key at batch_1[3] but received "http://x"'],
    ],
    [
      'an array',
      '["s3://photos/a", 7]',
      ['Expected s3://bucket/key or an object with bucket and key at [1] but received 7'],
    ],
    [
      'nested lists',
      '[["s3://photos/a"]]',
      ['Expected s3://bucket/key or an object with bucket and key at [0] but received []'],
    ],
    [
      'JSON Lines',
      '{"bucket":"photos","key":"a"}\n{"bucket":"photos"}\n',
      ['Expected s3://bucket/key or an object with bucket and key at line 2 but received {"bucket":"photos"}'],
    ],
    [
      'a line that is no JSON',
      '{"bucket":"photos","key":"a"}\n{"bucket":"photos","key":}\n',
      ['Expected a JSON value at line 2, column 26 but received "}" in "{\\"bucket\\":\\"photos\\",\\"key\\":}"'],
    ],
    [
      'text',
      's3://photos/a\n\n# note\nhttp://x\nplain',
      [
        'Expected s3://bucket/key at line 4 but received "http://x"',
        'Expected s3://bucket/key at line 5 but received "plain"',
      ],
    ],
    [
      'CSV',
      'photos,a\nphotos,b%zz\nphotos\nphotos,c,v1\n',
      [
        'Expected a percent-encoded key at line 2 but received "b%zz"',
        'Expected bucket,key or bucket,key,size at line 3 but received "photos"',
        'Expected a size in bytes in the third column (a version id cannot be chosen: the current one is read) at line 4 but received "v1"',
      ],
    ],
    [
      'a batch that is no list',
      '{"batch_1":["s3://photos/a"],"batch_2":"s3://photos/b"}',
      ['Expected a list of images at batch_2 but received "s3://photos/b"'],
    ],
    [
      'a batch named twice',
      '{"b":["s3://photos/a"],"b":["s3://photos/c"]}',
      ['Expected each batch once at b but received it again'],
    ],
  ])('in %s', async (_name, body, problems) => {
    expect(await problemsOf(body)).toEqual(problems);
  });

  test.each<[string, string]>([
    [
      '{"batch_1": ["s3://photos/a",]}',
      'Expected a JSON value at line 1, column 30 of s3://lists/list but received "]"',
    ],
    [
      '{"batch_1": [\n  "s3://photos/a"\n  "s3://photos/b"]}',
      'Expected "," or "]" at line 3, column 3 of s3://lists/list but received "s3://photos/b"',
    ],
    [
      '{"batch_1": ["s3://photos/a"',
      'Expected "," or "]" at line 1, column 29 of s3://lists/list but received the end of the text',
    ],
    [
      '{"batch_1": ["s3://photos/a',
      'Expected a JSON value or "]" at line 1, column 28 of s3://lists/list but received the end of the text',
    ],
    ['{batch_1: []}', 'Expected JSON at line 1, column 2 of s3://lists/list but received "b"'],
    ["['s3://photos/a']", 'Expected JSON at line 1, column 2 of s3://lists/list but received "\'"'],
    ['["s3://photos/a"] more', 'Expected JSON at line 1, column 19 of s3://lists/list but received "m"'],
    [
      '["s3://photos/a"]\n["s3://photos/b"]',
      'Expected the end of the list at line 2, column 1 of s3://lists/list but received more',
    ],
  ])('in JSON that breaks off or breaks the rules: %s', async (body, problem) => {
    expect(await problemsOf(body)).toEqual([problem]);
    expect(await problemsOf(body, { chunkBytes: 1 })).toEqual([problem]);
  });

  test('in a file named .json that is not JSON', async () => {
    expect(await problemsOf('not json at all', { key: 'photos.json' })).toEqual([
      'Expected JSON at line 1, column 1 of s3://lists/photos.json but received "not json at all"',
    ]);
  });

  test('for the first 20 of many, with their number', async () => {
    const error = await read(JSON.stringify(Array.from({ length: 50 }, () => 'x'))).catch((reason) => reason);
    expect(error).toMatchObject({ name: 'FileListError', total: 50 });
    expect(error.message).toMatch(/at \[19\] but received "x"\nand 30 more$/);
  });
});

describe('refuses what is not a list', () => {
  test.each(['', '\n \n', '[]', '{}', '{"batch_1":[]}', '# nothing\n'])('an empty one: %j', async (body) => {
    expect(await problemsOf(body)).toEqual([
      'Expected at least one image in s3://lists/list but received an empty list',
    ]);
  });

  test('a missing one', async () => {
    await expect(entriesOf(createMemoryStore(), 's3://lists/none')).rejects.toThrow(
      'Expected a file list at s3://lists/none: no such object',
    );
  });

  test.each(['s3://lists/private.json', 's3://lists/private/'])('no right to read %s', async (fileList) => {
    const denied = new ObjectStoreError('AccessDenied', 'access denied; the role needs s3:…');
    const refuse = () => {
      throw denied;
    };
    const store = { ...createMemoryStore(), read: refuse, list: refuse };
    const chunks = readFileList({ fileList, relativeTo: null, select: ALL }, store);
    const error = await Array.fromAsync(chunks).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'FileListError', message: denied.message, cause: denied });
  });

  test.each<[string, Buffer, RegExp]>([
    [
      'binary',
      Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]),
      /Expected UTF-8 text .* received binary data \(ffd8ffe00010/,
    ],
    ['UTF-16', Buffer.from('\ufeffs3://photos/a', 'utf16le'), /received UTF-16: save the list as UTF-8/],
    ['Latin-1', Buffer.from('s3://photos/a\ns3://photos/stra\xdfe', 'latin1'), /Expected UTF-8 at line 2 .*straße/],
    [
      'Latin-1 in JSON',
      Buffer.from('["s3://photos/a",\n "s3://photos/stra\xdfe"]', 'latin1'),
      /^Expected UTF-8 at line 1, column 18 of .* received a string in another encoding: save the list as UTF-8$/,
    ],
    [
      'broken gzip',
      gzipSync('s3://photos/a'.repeat(99)).subarray(0, 40),
      /Expected gzip in s3:\/\/lists\/list but received broken data/,
    ],
  ])('%s bytes', async (_name, body, problem) => {
    expect((await problemsOf(body))[0]).toMatch(problem);
  });

  test.each<[string, string, RegExp]>([
    ['of text', 's3://photos/aaaa', /line 1 is longer than 65536 bytes/],
    ['within a JSON string', '["s3://photos/', /Expected values of at most 65536 bytes at line 1/],
    ['of JSON Lines', '{"bucket":"photos","key":"', /Expected values of at most 65536 bytes at line 1/],
  ])('a single line of 1 GB %s, without reading it all', async (_name, opening, problem) => {
    let given = 0;
    async function* bytes() {
      yield Buffer.from(opening);
      const megabyte = Buffer.alloc(1 << 20, 'a');
      for (; given < 1024; given++) yield megabyte;
    }
    const listing = { store: createMemoryStore(), select: ALL };
    const chunks = readListBytes(bytes(), { name: 'huge', relativeTo: null }, listing);
    await expect(Array.fromAsync(chunks)).rejects.toThrow(problem);
    expect(given).toBeLessThan(4);
  });
});

describe('lists the objects below a prefix', () => {
  function bucket(): MemoryStore {
    const store = createMemoryStore({ clock: () => new Date('2026-01-10T00:00:00Z') });
    for (const key of ['2025/', '2025/a.jpg', '2025/b.PNG', '2025/sub/', '2025/sub/c.txt', '20250/no.jpg'])
      store.seed(`s3://photos/${key}`, key.endsWith('/') ? '' : key);
    return store;
  }
  const keys = async (select: Partial<Job['select']>) =>
    (await entriesOf(bucket(), 's3://photos/2025/', { select })).map(({ key }) => key);

  test('with sizes and etags, but without the marker of the folder itself', async () => {
    const entries = await entriesOf(bucket(), 's3://photos/2025/');
    expect(entries.map(({ key }) => key)).toEqual(['2025/a.jpg', '2025/b.PNG', '2025/sub/', '2025/sub/c.txt']);
    expect(entries[0]).toMatchObject({ size: 10, etag: expect.stringMatching(/^[0-9a-f]{32}$/) });
  });

  test('filtered by suffix (ignoring case), by size and by time', async () => {
    expect(await keys({ suffixes: ['.png', '.JPG'] })).toEqual(['2025/a.jpg', '2025/b.PNG']);
    expect(await keys({ minBytes: 11 })).toEqual(['2025/sub/c.txt']);
    expect(await keys({ minBytes: 1, maxBytes: 10 })).toEqual(['2025/a.jpg', '2025/b.PNG']);
    expect(await keys({ modifiedAfter: '2026-01-09' })).toHaveLength(4);
    await expect(keys({ modifiedAfter: '2026-01-10T00:00:00Z' })).rejects.toThrow(
      /Expected images below s3:\/\/photos\/2025\/ that match 'select' but found none/,
    );
  });

  test('and refuses filters on a list that names each image', async () => {
    expect((await problemsOf('s3://photos/a', { select: { minBytes: 1 } }))[0]).toMatch(
      /'select' filters a prefix or an S3 Inventory, but s3:\/\/lists\/list already names each image/,
    );
  });

  test('a prefix without images is an error', async () => {
    await expect(entriesOf(bucket(), 's3://photos/2024/')).rejects.toThrow(
      'Expected images below s3://photos/2024/ but found none: check the spelling of the prefix',
    );
  });
});

describe('reads an S3 Inventory', () => {
  const SCHEMA = 'Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag';
  const row = (key: string, latest = true, deleted = false, size = '5') =>
    [`photos`, key, 'v1', latest, deleted, size, '2026-01-10T00:00:00.000Z', 'e1']
      .map((field) => `"${field}"`)
      .join(',');

  function inventory(manifest: object = {}, spacing?: number): MemoryStore {
    const store = createMemoryStore();
    const files = [
      { key: 'inv/data/1.csv.gz', size: 1, MD5checksum: 'x' },
      { key: 'inv/data/2.csv.gz', size: 1, MD5checksum: 'y' },
    ];
    const content = {
      sourceBucket: 'photos',
      destinationBucket: 'arn:aws:s3:::reports',
      version: '2016-11-30',
      creationTimestamp: '1',
      fileFormat: 'CSV',
      fileSchema: SCHEMA,
      files,
      ...manifest,
    };
    store.seed('s3://reports/inv/2026-01-10T01-00Z/manifest.json', JSON.stringify(content, null, spacing));
    store.seed(
      's3://reports/inv/data/1.csv.gz',
      gzipSync([row('a+b%2Bc.jpg'), row('old.jpg', false), row('gone.jpg', true, true, '')].join('\n')),
    );
    store.seed('s3://reports/inv/data/2.csv.gz', gzipSync(`${row('x//%C3%B6.png')}\n`));
    return store;
  }
  const MANIFEST = 's3://reports/inv/2026-01-10T01-00Z/manifest.json';

  test.each([undefined, 2])('with decoded keys, current versions only (spacing %s)', async (spacing) => {
    expect(await entriesOf(inventory({}, spacing), MANIFEST)).toEqual([
      entry('a b+c.jpg', { size: 5, etag: 'e1' }),
      entry('x//ö.png', { size: 5, etag: 'e1' }),
    ]);
  });

  test('without what is excluded from a prefix too', async () => {
    const isExcluded = ({ key }: { key: string }) => key.startsWith('x//');
    const chunks = readFileList({ fileList: MANIFEST, relativeTo: null, select: ALL }, inventory(), isExcluded);
    expect((await Array.fromAsync(chunks)).flat().map(({ key }) => key)).toEqual(['a b+c.jpg']);
  });

  test('filtered as a prefix is', async () => {
    const entries = await entriesOf(inventory(), MANIFEST, { select: { suffixes: ['.png'] } });
    expect(entries.map(({ key }) => key)).toEqual(['x//ö.png']);
  });

  test('and says why it cannot be read', async () => {
    const reason = (manifest: object) => entriesOf(inventory(manifest), MANIFEST);
    await expect(reason({ fileFormat: 'ORC' })).rejects.toThrow(/Expected an S3 Inventory in CSV .* received "ORC"/);
    await expect(reason({ fileSchema: 'Bucket, Size' })).rejects.toThrow(/Expected Bucket and Key in 'fileSchema'/);
    await expect(reason({ files: [{ key: 'inv/data/none.csv.gz' }] })).rejects.toThrow(
      /Expected the data file s3:\/\/reports\/inv\/data\/none.csv.gz that .* names: no such object/,
    );
  });
});

test('reads every text as entries or a FileListError, never anything else', async () => {
  const piece = fc.oneof(
    fc.constantFrom('{', '}', '[', ']', '"', ',', ':', '\n', '\r\n', '#', '\\', '\u0000', 'null', '1e9', '-'),
    fc.constantFrom('s3://photos/a', '"bucket":"photos"', '"key":"k"', 'photos,k', '"fileSchema":"Key"', '"files":['),
    fc.string({ unit: 'binary', maxLength: 5 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.integer({ min: 1, max: 9 }), async (pieces, chunkBytes) => {
      const outcome = await read(pieces.join(''), { chunkBytes }).catch((error: unknown) => error);
      if (!Array.isArray(outcome)) expect(outcome).toBeInstanceOf(FileListError);
      for (const { bucket, key } of Array.isArray(outcome) ? outcome : [])
        expect(`${bucket}/${key}`).toMatch(/^[a-z0-9.-]{3,63}\/./s);
    }),
    { numRuns: 2000 },
  );
});
