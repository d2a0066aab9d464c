import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FORMATS } from '../../src/codec/formats.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { chooseRecipe, type ImageFacts, type Recipe } from '../../src/core/recipe.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { factsOf } from '../support/image-facts.ts';

type Changes = Partial<CompressionSettings>;

const recipeFor = (facts: ImageFacts, changes: Changes = {}) =>
  chooseRecipe(facts, { ...DEFAULT_COMPRESSION, ...changes }, FORMATS);

const photo = (changes: Partial<ImageFacts> = {}) => factsOf({ format: 'jpeg', sourceQuality: 95, ...changes });
const png = (changes: Partial<ImageFacts> = {}) => factsOf({ format: 'png', lossless: true, ...changes });

const METADATA = { isPointedAt: false, isMetadata: true };

/** The rows of the table in docs/encoding.md. */
const PICTURES: readonly (readonly [string, ImageFacts])[] = [
  ['JPEG above the wanted quality', photo()],
  ['JPEG of the wanted quality or below', photo({ sourceQuality: 60 })],
  ['JPEG, CMYK', photo({ colour: 'cmyk', channels: 4 })],
  ['JPEG of 12 bits', photo({ bitsPerChannel: 12 })],
  ['JPEG with an HDR gain map', photo({ gainMap: true, multiPicture: true })],
  ['JPEG with previews after its end', photo({ multiPicture: true, trailingParts: METADATA })],
  [
    'JPEG with previews that its maker notes point at',
    photo({ multiPicture: true, trailingParts: { ...METADATA, isPointedAt: true } }),
  ],
  ['JPEG with Samsung’s SEF block after its end', photo({ trailingParts: METADATA })],
  ['JPEG with a video or sound after its end', photo({ trailingParts: { ...METADATA, isMetadata: false } })],
  ['JPEG of several pictures (MPO)', photo({ multiPicture: true })],
  ['any with content credentials (C2PA)', photo({ contentCredentials: true })],
  ['any with unknown data after its end that cannot go along²', photo({ trailingBytes: 5000 })],
  ['PNG, true colour', png()],
  ['PNG with transparency', png({ alpha: true })],
  ['PNG, palette', png({ colour: 'palette' })],
  ['PNG, grey, with a profile', png({ colour: 'grey', icc: true, channels: 1 })],
  ['PNG of colours that are not sRGB’s, without a profile', png({ ownColours: true })],
  ['PNG of 16 bits', png({ bitsPerChannel: 16 })],
  ['PNG, animated (APNG)', png({ pages: 8 })],
  ['WebP', factsOf({ format: 'webp' })],
  ['WebP, lossless', factsOf({ format: 'webp', lossless: true })],
  ['WebP, animated', factsOf({ format: 'webp', pages: 12 })],
  ['AVIF', factsOf({ format: 'avif' })],
  ['AVIF of 10 or 12 bits', factsOf({ format: 'avif', bitsPerChannel: 10 })],
  ['AVIF of colours that are not sRGB’s, without a profile', factsOf({ format: 'avif', ownColours: true })],
  ['AVIF rotated or mirrored by its properties', factsOf({ format: 'avif', orientation: 6 })],
  ['GIF', factsOf({ format: 'gif', colour: 'palette' })],
  ['GIF, animated', factsOf({ format: 'gif', colour: 'palette', pages: 20 })],
  ['TIFF', factsOf({ format: 'tiff' })],
  ['HEIC, JPEG XL, JPEG 2000, BMP, PSD, SVG, …', factsOf({ format: 'heif' })],
];

/** Its columns. */
const RUNS: readonly (readonly [string, Changes])[] = [
  ['lossless', { mode: 'lossless' }],
  ['quality', {}],
  ['quality, fast', { effort: 'fast' }],
  ['to JPEG', { format: 'jpeg' }],
  ['to WebP', { format: 'webp' }],
  ['to AVIF', { format: 'avif' }],
];

const NAMES = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP', avif: 'AVIF' } as const;

function inWords(recipe: Recipe): string {
  if (recipe.action === 'keep') return `kept: \`${recipe.reason}\``;
  const name = NAMES[recipe.format];
  if (recipe.tryPalette) return `${name}, lossless or palette¹`;
  return recipe.lossless ? `${name}, lossless` : name;
}

function gateTable(): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const head = ['picture', ...RUNS.map(([name]) => name)];
  const rows = PICTURES.map(([name, facts]) => row([name, ...RUNS.map(([, run]) => inWords(recipeFor(facts, run)))]));
  return [row(head), row(head.map(() => '---')), ...rows].join('\n');
}

const PAGE = new URL('../../docs/encoding.md', import.meta.url);
const TABLE = /(<!-- gates -->\n)[\s\S]*?(\n<!-- end of gates -->)/;

test('docs/encoding.md says what happens to each kind of picture (UPDATE_DOCS=1 writes it)', () => {
  const page = readFileSync(PAGE, 'utf8');
  const current = page.replace(TABLE, (_, start, end) => `${start}${gateTable()}${end}`);
  if (process.env.UPDATE_DOCS) writeFileSync(PAGE, current);
  expect(process.env.UPDATE_DOCS ? current : page).toBe(current);
  expect(page).toMatch(TABLE);
});

describe('what a re-encode would lose', () => {
  test.each([
    [1, '1 byte after the end of the image'],
    [9, '9 bytes after the end of the image'],
  ])('is counted where %i bytes trail', (trailingBytes, detail) => {
    expect(recipeFor(photo({ trailingBytes }))).toMatchObject({ reason: 'trailing-data', detail });
  });

  test('decides before everything else, in every mode', () => {
    for (const mode of ['quality', 'lossless', 'auto'] as const) {
      for (const format of ['keep', 'jpeg', 'webp', 'avif'] as const) {
        expect(recipeFor(photo({ contentCredentials: true }), { mode, format })).toEqual({
          action: 'keep',
          reason: 'content-credentials',
        });
        expect(recipeFor(photo({ trailingBytes: 9 }), { mode, format })).toMatchObject({
          reason: 'trailing-data',
        });
        expect(recipeFor(photo({ multiPicture: true }), { mode, format })).toMatchObject({
          reason: 'multi-picture',
        });
      }
    }
  });

  test('a gain map goes along only where all metadata does', () => {
    expect(recipeFor(photo({ gainMap: true }))).toMatchObject({ action: 'encode', lossless: true });
    for (const metadata of ['copyright', 'strip'] as const) {
      expect(recipeFor(photo({ gainMap: true }), { metadata })).toMatchObject({ reason: 'hdr-gain-map' });
    }
    expect(recipeFor(factsOf({ format: 'avif', gainMap: true }))).toMatchObject({ reason: 'hdr-gain-map' });
  });
});

describe('a picture that is longer than a format can be', () => {
  const tall = { width: 16, height: 17_000 };

  test('keeps its format, also where that is an AVIF of several tiles', () => {
    expect(recipeFor(factsOf({ format: 'avif', ...tall }))).toMatchObject({ reason: 'unsupported-format' });
    expect(recipeFor(photo(tall), { format: 'webp' })).toMatchObject({ format: 'jpeg' });
  });

  test('is what it will be once it is resized', () => {
    const resize = { maxHeight: 8000 };
    expect(recipeFor(factsOf({ format: 'avif', ...tall }), { resize })).toMatchObject({ format: 'avif' });
    expect(recipeFor(photo(tall), { format: 'webp', resize })).toMatchObject({ format: 'webp' });
  });
});

describe('what follows the end of a picture', () => {
  const besides = (trailingParts: ImageFacts['trailingParts'], changes: Partial<CompressionSettings> = {}) =>
    recipeFor(photo({ multiPicture: true, trailingParts }), changes);
  const pointedAt = { ...METADATA, isPointedAt: true };
  const video = { ...METADATA, isMetadata: false };

  test('goes along with a JPEG, and where nothing can carry it the picture stays a JPEG', () => {
    for (const trailingParts of [METADATA, video]) {
      expect(besides(trailingParts)).toEqual(recipeFor(photo()));
      expect(besides(trailingParts, { mode: 'auto' })).toEqual(recipeFor(photo(), { mode: 'auto' }));
      for (const changes of [
        { mode: 'lossless' },
        { format: 'webp' },
        { format: 'avif' },
        { resize: { maxWidth: 100 } },
      ] as const) {
        expect(besides(trailingParts, changes)).toEqual({ action: 'encode', format: 'jpeg', lossless: true });
      }
    }
  });

  test('goes into no other format as metadata, as comments do not, and allows another size', () => {
    for (const isPointedAt of [false, true]) {
      const notes = photo({ trailingParts: { ...METADATA, isPointedAt } });
      expect(recipeFor(notes, { format: 'webp' })).toEqual(recipeFor(photo(), { format: 'webp' }));
    }
    const resize = { maxWidth: 100 };
    for (const trailingParts of [METADATA, video]) {
      expect(recipeFor(photo({ trailingParts }), { resize })).toEqual(recipeFor(photo(), { resize }));
    }
    expect(recipeFor(photo({ trailingParts: video }), { format: 'webp' })).toMatchObject({
      format: 'jpeg',
      lossless: true,
    });
  });

  test('keeps the image where something points there, and where it is a picture of its own', () => {
    for (const format of ['keep', 'jpeg', 'webp'] as const) {
      expect(besides(pointedAt, { format })).toMatchObject({
        reason: 'multi-picture',
        detail: expect.stringContaining('metadata copyright or strip'),
      });
      expect(besides(undefined, { format, metadata: 'strip' })).toMatchObject({ reason: 'multi-picture' });
    }
    expect(recipeFor(photo({ trailingParts: pointedAt }))).toMatchObject({ reason: 'trailing-data' });
  });

  test.each([
    'copyright',
    'strip',
  ] as const)('is removed under %s if it is metadata, and else keeps the image', (metadata) => {
    for (const trailingParts of [METADATA, pointedAt]) {
      expect(besides(trailingParts, { metadata })).toEqual(recipeFor(photo(), { metadata }));
    }
    expect(recipeFor(photo({ trailingParts: video }), { metadata })).toMatchObject({
      reason: 'trailing-data',
      detail: expect.stringContaining('video'),
    });
  });
});

describe('what is not in the header, or cannot be done', () => {
  test.each([
    [factsOf({ format: 'webp', undeclaredAlpha: true }), {}, 'alpha'],
    [factsOf({ format: 'avif', cropped: true }), {}, 'unsupported-format'],
    [factsOf({ format: 'avif', cropped: true }), { format: 'jpeg' }, 'unsupported-format'],
    [photo({ arithmetic: true }), { mode: 'lossless' }, 'unsupported-format'],
    // R17: the lossless encoder has no baseline.
    [photo(), { mode: 'lossless', progressive: false }, 'unsupported-format'],
    [photo({ sourceQuality: 60 }), { progressive: false }, 'unsupported-format'],
    [factsOf({ format: 'webp', pages: 4, orientation: 6 }), { autoOrient: true }, 'animation'],
    [factsOf({ format: 'tiff', colour: 'other' }), { format: 'jpeg' }, 'colour-space'],
  ] as const)('is kept: %j %j', (facts, changes, reason) => {
    expect(recipeFor(facts, changes)).toMatchObject({ action: 'keep', reason });
  });
});

describe('fine colours', () => {
  const full = photo({ chromaSubsampling: '4:4:4' });
  test.each([
    [full, { quality: 85 }, true],
    [full, { quality: 84 }, undefined],
    [photo({ chromaSubsampling: '4:2:0' }), { quality: 90 }, undefined],
    [photo({ chromaSubsampling: '4:4:4', sourceQuality: 80 }), { quality: 90, format: 'webp' }, undefined],
    [png(), { quality: 90, format: 'jpeg' }, true],
    [png({ colour: 'grey' }), { quality: 90, format: 'jpeg' }, undefined],
    [factsOf({ format: 'webp', chromaSubsampling: '4:2:0' }), { quality: 90 }, undefined],
  ] as const)('stay fine from quality 85 on: %j %j', (facts, changes, expected) => {
    expect((recipeFor(facts, changes) as { fullChroma?: boolean }).fullChroma).toBe(expected);
  });
});

describe('one lossy generation at most', () => {
  test('a JPEG of the wanted quality or below is packed losslessly, or kept by the fast preset', () => {
    const spent = photo({ sourceQuality: 75 });
    expect(recipeFor(spent, { quality: 75 })).toEqual({ action: 'encode', format: 'jpeg', lossless: true });
    expect(recipeFor(spent, { quality: 75, effort: 'fast' })).toMatchObject({ reason: 'already-compressed' });
    expect(recipeFor(spent, { quality: 74 })).toMatchObject({ lossless: false, quality: 74 });
  });

  test('another format spends no more than the quality of the source', () => {
    expect(recipeFor(photo({ sourceQuality: 50 }), { format: 'webp' })).toMatchObject({
      format: 'webp',
      quality: 50,
    });
    expect(recipeFor(photo({ sourceQuality: 95 }), { format: 'avif' })).toMatchObject({ quality: 75 });
  });

  test('auto leaves alone what auto may have written', () => {
    expect(recipeFor(photo({ sourceQuality: 88 }), { mode: 'auto' })).toMatchObject({ lossless: true });
    expect(recipeFor(photo({ sourceQuality: 89 }), { mode: 'auto' })).toMatchObject({
      lossless: false,
      search: true,
    });
  });
});

describe('resize and autoOrient', () => {
  test.each([
    [1, { maxWidth: 600 }, { width: 600, height: 400, upright: false }],
    [1, { maxHeight: 400 }, { width: 600, height: 400, upright: false }],
    [6, { maxWidth: 400 }, { width: 600, height: 400, upright: false }],
    [3, { maxWidth: 600 }, { width: 600, height: 400, upright: false }],
    [1, { maxWidth: 5000, maxHeight: 5000 }, undefined],
    [6, { maxWidth: 800, maxHeight: 1200 }, undefined],
  ] as const)('orientation %i within %o is stored as %o', (orientation, resize, reshape) => {
    const recipe = recipeFor(photo({ orientation }), { resize });
    expect(recipe).toMatchObject({ action: 'encode', format: 'jpeg' });
    expect('reshape' in recipe ? recipe.reshape : undefined).toEqual(reshape);
  });

  test('autoOrient swaps width and height only for orientations 5 to 8', () => {
    expect(recipeFor(photo({ orientation: 8 }), { autoOrient: true })).toMatchObject({
      reshape: { width: 800, height: 1200, upright: true },
    });
    expect(recipeFor(photo({ orientation: 1 }), { autoOrient: true })).not.toHaveProperty('reshape');
  });

  test('a resized JPEG of a low quality is encoded at its own quality', () => {
    expect(recipeFor(photo({ sourceQuality: 60 }), { resize: { maxWidth: 300 } })).toMatchObject({
      lossless: false,
      quality: 60,
    });
  });

  test('a lossless run neither resizes nor rotates', () => {
    const changes = { mode: 'lossless', resize: { maxWidth: 10 }, autoOrient: true } as const;
    for (const facts of [photo({ orientation: 6 }), png({ orientation: 6 })]) {
      expect(recipeFor(facts, changes)).not.toHaveProperty('reshape');
    }
  });

  test('what cannot be resized as it is, is kept', () => {
    const resize = { maxWidth: 100 };
    expect(recipeFor(png({ pages: 3 }), { resize })).toMatchObject({ reason: 'animation' });
    expect(recipeFor(png({ colour: 'palette' }), { resize })).toMatchObject({ reason: 'colour-space' });
    expect(recipeFor(photo({ colour: 'cmyk' }), { resize })).toMatchObject({ reason: 'cmyk' });
  });
});

describe('another format', () => {
  test('is refused where it holds less, and the own format stays', () => {
    expect(recipeFor(png({ alpha: true }), { format: 'jpeg' })).toMatchObject({
      format: 'png',
      lossless: true,
    });
    expect(recipeFor(png({ bitsPerChannel: 16 }), { format: 'avif' })).toMatchObject({ format: 'png' });
    expect(recipeFor(photo({ width: 20_000 }), { format: 'webp' })).toMatchObject({ format: 'jpeg' });
    expect(recipeFor(factsOf({ format: 'tiff', colour: 'lab' }), { format: 'jpeg' })).toMatchObject({
      action: 'keep',
    });
  });

  test('JPEG takes transparency only on a given background', () => {
    expect(recipeFor(png({ alpha: true }), { format: 'jpeg', background: '#336699' })).toMatchObject({
      format: 'jpeg',
      flattenOn: '#336699',
    });
    expect(recipeFor(png(), { format: 'jpeg', background: '#336699' })).not.toHaveProperty('flattenOn');
  });
});
