import { describe, expect, test } from 'vitest';
import { FORMATS } from '../../src/codec/formats.ts';
import { type Candidate, candidatesFor, limitFor, receiptOf, smallest, type Tried } from '../../src/core/candidates.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { chooseRecipe, type EncodeRecipe, type ImageFacts } from '../../src/core/recipe.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { randomFrom } from '../support/fixtures/pixels.ts';
import { factsOf } from '../support/image-facts.ts';

function ways(facts: ImageFacts, changes: Partial<CompressionSettings> = {}): string[] {
  const settings = { ...DEFAULT_COMPRESSION, ...changes };
  const recipe = chooseRecipe(facts, settings, FORMATS);
  if (recipe.action === 'keep') return ['kept'];
  return candidatesFor(recipe, facts, settings, FORMATS).map(
    ({ rank, recipe: { format, lossless } }) => `${rank}: ${format}${lossless ? ', lossless' : ''}`,
  );
}

const PHOTO = factsOf({ format: 'jpeg', sourceQuality: 95 });
const PNG = factsOf({ format: 'png', lossless: true });

describe('the candidates of an image, in their order', () => {
  test.each([
    ['a photograph', PHOTO, {}, ['rival: jpeg', 'rival: jpeg, lossless']],
    ['a photograph, fast', PHOTO, { effort: 'fast' }, ['rival: jpeg']],
    ['a photograph, lossless', PHOTO, { mode: 'lossless' }, ['rival: jpeg, lossless']],
    [
      'a photograph to WebP',
      PHOTO,
      { format: 'webp' },
      ['rival: webp', 'fallback: webp, lossless', 'fallback: jpeg', 'fallback: jpeg, lossless'],
    ],
    ['a resized photograph', PHOTO, { resize: { maxWidth: 10 } }, ['rival: jpeg']],
    ['a PNG', PNG, {}, ['rival: png, lossless']],
    ['a PNG to WebP', PNG, { format: 'webp' }, ['rival: webp', 'rival: webp, lossless', 'rival: png, lossless']],
    ['a PNG to AVIF', PNG, { format: 'avif' }, ['rival: avif', 'rival: png, lossless']],
    [
      'a PNG to WebP, lossless',
      PNG,
      { mode: 'lossless', format: 'webp' },
      ['rival: webp, lossless', 'fallback: png, lossless'],
    ],
    [
      'a GIF to WebP',
      factsOf({ format: 'gif', colour: 'palette' }),
      { format: 'webp' },
      ['rival: webp', 'rival: webp, lossless'],
    ],
  ] as const)('%s', (_name, facts, changes, expected) => expect(ways(facts, changes)).toEqual(expected));
});

const RECIPE: EncodeRecipe = { action: 'encode', format: 'webp', lossless: false };

describe('the choice among them', () => {
  test('takes the smallest output of any order, and the receipt has all others', () => {
    const random = randomFrom(7);
    for (let round = 0; round < 500; round++) {
      const tried: Tried<string>[] = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, index) => ({
        recipe: RECIPE,
        outcome: `output ${index}`,
        bytes: Math.floor(random() * 4),
        ...(random() < 0.3 && { why: 'no-gain' }),
      }));
      const outputs = tried.filter(({ why }) => why === undefined);
      const best = smallest(tried);
      expect(best?.bytes).toBe(outputs.length > 0 ? Math.min(...outputs.map(({ bytes = 0 }) => bytes)) : undefined);
      // Of equal ones the more promising.
      expect(best).toBe(outputs.find(({ bytes }) => bytes === best?.bytes));
      if (best) expect(receiptOf(tried, best)).toHaveLength(tried.length - 1);
    }
  });

  test('a fallback is made only without an output, a rival only where it may be smaller', () => {
    const source = { format: 'jpeg', bytes: 900 } as const;
    const [rival, fallback] = (['rival', 'fallback'] as const).map((rank): Candidate => ({ recipe: RECIPE, rank }));
    const output = { recipe: RECIPE, bytes: 500 };
    expect(limitFor(rival!, [], source)).toBeUndefined();
    expect(limitFor(rival!, [output], source)).toBe(500);
    expect(limitFor(fallback!, [output], source)).toBe('never');
    expect(limitFor(fallback!, [{ ...output, why: 'no-gain' }], source)).toBe(900);
    const packed = { ...rival!, leastShare: 0.85 };
    expect(limitFor(packed, [{ ...output, bytes: 765 }], source)).toBe('never');
    expect(limitFor(packed, [{ ...output, bytes: 766 }], source)).toBe(766);
    const own = { rank: 'fallback', recipe: { ...RECIPE, format: 'jpeg' } } as const;
    expect(limitFor(own, [{ ...output, why: 'no-gain' }], source)).toBeUndefined();
  });
});
