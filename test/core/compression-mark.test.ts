import { describe, expect, test } from 'vitest';
import {
  type CompressionMark,
  fingerprintSettings,
  fingerprintSource,
  isTooLongForMark,
  MARK_KEY,
  mayCompressAgain,
  readMark,
  withMark,
} from '../../src/core/compression-mark.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';

const lossless: CompressionSettings = { ...DEFAULT_COMPRESSION, mode: 'lossless' };

const mark: CompressionMark = {
  of: fingerprintSource({ bucket: 'b', key: 'k' }),
  from: '9dd4e461268c8034f5c8564e155c67a6',
  version: 'kq1hL2FgB1TrfCmNd1SsfO9bTq.1v0e_',
  settings: fingerprintSettings(DEFAULT_COMPRESSION),
  sha256: 'LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=',
  job: 'photos-2026',
  bytesIn: 2_000_000,
  encoding: { format: 'jpeg', lossless: false, quality: 74, effort: 'best', progressive: true },
  lossy: true,
};

describe('the mark', () => {
  test('is read back as it was written', () => {
    expect(readMark(withMark({}, mark)!)).toEqual(mark);
    const kept: CompressionMark = { ...mark, encoding: undefined, kept: 'no-gain', lossy: false };
    expect(readMark(withMark({}, kept)!)).toEqual({ ...kept, encoding: undefined });
  });

  test('is read from objects that earlier versions wrote', () => {
    const stored =
      '{"v":1,"of":"0123456789abcdef","from":"e1","version":"v1","settings":"fedcba9876543210","job":"night",' +
      '"bytesIn":9,"lossy":true,"sha256":"abc=","encoding":{"format":"jpeg","lossless":false,"quality":78},' +
      '"writes":{"count":2,"since":1700000000}}';
    expect(readMark({ [MARK_KEY]: stored })).toEqual({
      of: '0123456789abcdef',
      from: 'e1',
      version: 'v1',
      settings: 'fedcba9876543210',
      job: 'night',
      bytesIn: 9,
      lossy: true,
      sha256: 'abc=',
      encoding: { format: 'jpeg', lossless: false, quality: 78 },
      writes: { count: 2, since: 1_700_000_000 },
    });
  });

  test('is one short line of US-ASCII next to the user’s own metadata', () => {
    const marked = withMark({ camera: 'left' }, { ...mark, job: 'Füße 🙂' })!;
    expect(marked.camera).toBe('left');
    expect(marked[MARK_KEY]).toMatch(/^[ -~]{1,460}$/);
    expect(readMark(marked)?.job).toBe('Füße 🙂');
  });

  test('must fit into 2 KB together with the user’s metadata, counted in UTF-8', () => {
    const markBytes = Buffer.byteLength(withMark({}, mark)![MARK_KEY]!) + MARK_KEY.length;
    const left = 2048 - markBytes - 'n'.length;
    expect(withMark({ n: 'x'.repeat(left) }, mark)).toBeDefined();
    expect(withMark({ n: 'x'.repeat(left + 1) }, mark)).toBeUndefined();
    expect(withMark({ n: 'ä'.repeat(left / 2 + 1) }, mark)).toBeUndefined();
    expect(isTooLongForMark({ n: 'x'.repeat(left + 1) })).toBe(true);
    expect(isTooLongForMark({ n: 'x' })).toBe(false);
  });

  test.each([
    undefined,
    '',
    'yes',
    'null',
    '[]',
    '{}',
    '{"v":1}',
    JSON.stringify({ ...mark, v: 2 }),
    JSON.stringify({ ...mark, v: 1, sha256: 7 }),
    JSON.stringify({ ...mark, v: 1, bytesIn: 'many' }),
  ])('is not read out of %j', (text) => {
    expect(readMark(text === undefined ? {} : { [MARK_KEY]: text })).toBeUndefined();
  });
});

describe('the fingerprint of settings', () => {
  test('changes with every setting and not with their order', () => {
    const others: CompressionSettings[] = [
      { ...DEFAULT_COMPRESSION, mode: 'auto' },
      { ...DEFAULT_COMPRESSION, quality: 74 },
      { ...DEFAULT_COMPRESSION, effort: 'fast' },
      { ...DEFAULT_COMPRESSION, format: 'webp' },
      { ...DEFAULT_COMPRESSION, progressive: true },
      { ...DEFAULT_COMPRESSION, background: '#ffffff' },
      { ...DEFAULT_COMPRESSION, autoOrient: true },
      { ...DEFAULT_COMPRESSION, resize: { maxWidth: 4096 } },
      { ...DEFAULT_COMPRESSION, resize: { maxHeight: 4096 } },
      { ...DEFAULT_COMPRESSION, metadata: 'strip' },
      { ...DEFAULT_COMPRESSION, minSavings: { percent: 3, bytes: 513 } },
    ];
    const all = [DEFAULT_COMPRESSION, ...others].map(fingerprintSettings);
    expect(new Set(all).size).toBe(all.length);
    const reordered = Object.fromEntries(Object.entries(DEFAULT_COMPRESSION).reverse());
    expect(fingerprintSettings(reordered as unknown as CompressionSettings)).toBe(all[0]);
  });

  test('differs for 20,000 settings', () => {
    const fingerprints = new Set<string>();
    for (let quality = 1; quality <= 100; quality++)
      for (let bytes = 0; bytes < 200; bytes++)
        fingerprints.add(fingerprintSettings({ ...DEFAULT_COMPRESSION, quality, minSavings: { percent: 3, bytes } }));
    expect(fingerprints.size).toBe(20_000);
  });

  test('of sources differs by bucket and key', () => {
    expect(fingerprintSource({ bucket: 'a', key: 'b/c' })).not.toBe(fingerprintSource({ bucket: 'a', key: 'b/d' }));
  });
});

describe('whether an own output may be compressed again', () => {
  const quality60 = { ...DEFAULT_COMPRESSION, quality: 60 };
  const unlossy = { ...mark, lossy: false };

  test.each([
    ['the same settings again', mark, DEFAULT_COMPRESSION, false, false],
    ['a second lossy generation', mark, quality60, false, false],
    ['a second lossy generation, forced', mark, quality60, true, false],
    ['a lossless pass over a lossy output', mark, lossless, false, true],
    ['a resized lossless pass over a lossy output', mark, { ...lossless, resize: { maxWidth: 9 } }, true, false],
    ['a first lossy generation after a lossless pass', unlossy, quality60, false, true],
    ['the same settings again, forced, where nothing was lossy', unlossy, DEFAULT_COMPRESSION, true, true],
  ] as const)('%s', (_case, present, settings, force, allowed) => {
    expect(mayCompressAgain(present, settings, force)).toBe(allowed);
  });
});
