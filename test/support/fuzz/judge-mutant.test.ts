import { beforeAll, describe, expect, it } from 'vitest';
import { CorruptImageError } from '../../../src/codec/corrupt-image-error.ts';
import { type BytesOutcome, EncoderCrashError, failedOutcome, keptOutcome } from '../../../src/codec/outcome.ts';
import type { ImageFormat } from '../../../src/core/image-result.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { makeJpeg } from '../fixtures/jpeg.ts';
import { makePng } from '../fixtures/png.ts';
import { judgeOutcome } from './judge-mutant.ts';
import type { Judge, Reading } from './judges/judge.ts';
import { NPM_JUDGES } from './judges/npm-judges.ts';
import type { FuzzFormat } from './mutate.ts';

const png = makePng();
const cut = png.slice(0, png.length / 2);
let jpeg: Uint8Array = new Uint8Array();

beforeAll(async () => {
  jpeg = await makeJpeg();
});

describe('an outcome is an offence', () => {
  it('where a damaged file was kept as if it were sound, or compressed', async () => {
    expect(await kindOf('png', cut, png, keptOutcome('png', 'no-gain'))).toBe('laundered');
    expect(await kindOf('png', cut, png, compressed('png', makePng({ compressionLevel: 9 }), true))).toBe('laundered');
  });

  it('where a sound file was called damaged', async () => {
    expect(await kindOf('png', png, png, failedOutcome(new CorruptImageError('damaged')))).toBe('falselyRefused');
  });

  it('where the output shows other pixels, is larger, or cannot be read', async () => {
    const other = makePng({ seed: 2, compressionLevel: 9 });
    expect(await kindOf('png', png, png, compressed('png', other, true))).toBe('differing');
    expect(await kindOf('png', png, png, compressed('png', cut, true))).toBe('differing');
    expect(await kindOf('jpeg', jpeg, jpeg, compressed('jpeg', await makeJpeg({ seed: 9, quality: 60 }), false))).toBe(
      'differing',
    );
    expect(await kindOf('jpeg', jpeg, jpeg, compressed('jpeg', await makeJpeg({ quality: 95 }), false))).toBe(
      'differing',
    );
  });

  it('where damage is not called damage', async () => {
    expect(await kindOf('png', cut, png, failedOutcome(new EncoderCrashError('crash')))).toBe('crashed');
    expect(await kindOf('png', cut, png, failedOutcome(new TypeError('bug')))).toBe('crashed');
  });
});

describe('an outcome is none', () => {
  it('where damage is called damage, and a sound file is kept or compressed', async () => {
    expect(await kindOf('png', cut, png, failedOutcome(new CorruptImageError('damaged')))).toBe(undefined);
    expect(await kindOf('png', png, png, keptOutcome('png', 'no-gain'))).toBe(undefined);
    expect(await kindOf('png', png, png, compressed('png', makePng({ compressionLevel: 9 }), true))).toBe(undefined);
    expect(await kindOf('jpeg', jpeg, jpeg, compressed('jpeg', await makeJpeg({ quality: 70 }), false))).toBe(
      undefined,
    );
  });
});

describe('of several judges', () => {
  const pixels = new Uint8Array(4).fill(9);
  const read: Reading = { verdict: 'read', width: 1, height: 1, frames: 1, pixels };
  const otherwise = { ...read, pixels: new Uint8Array(4).fill(200) };
  const refused: Reading = { verdict: 'refused', message: 'no' };
  const kept = keptOutcome('png', 'no-gain');
  const corrupt = failedOutcome(new CorruptImageError('damaged'));

  it.each([
    ['two refusals prove damage', [refused, refused, read], kept, 'laundered'],
    ['one refusal does not where a strict judge reads it', [read, refused, read], kept, undefined],
    [
      'one does where no strict judge reads it and the pixels are others',
      [refused, otherwise, otherwise],
      kept,
      'laundered',
    ],
    ['one does not where the pixels are as before', [refused, read, read], kept, undefined],
    [
      'left-over data prove damage where the pixels are others',
      [{ ...otherwise, verdict: 'doubtful' }],
      kept,
      'laundered',
    ],
    ['left-over data do not where they are as before', [{ ...read, verdict: 'doubtful' }], kept, undefined],
    ['two readings prove that a file is sound', [read, read], corrupt, 'falselyRefused'],
    ['one does not', [read], corrupt, undefined],
    ['two do not where they differ', [read, otherwise], corrupt, undefined],
    ['two do not where a third refuses', [read, read, refused], corrupt, undefined],
    ['two do not where none of them is strict', [{ verdict: 'unable' }, read, read], corrupt, undefined],
  ] as const)('%s', async (_title, readings, outcome, kind) => {
    const judges = readings.map((reading, index) => judgeOf(`judge ${index}`, index === 0, reading));
    const sound = new Map(judges.map(({ name }) => [name, read]));
    const offence = await judgeOutcome({ bytes: png, format: 'png', sound }, outcome, DEFAULT_COMPRESSION, judges);
    expect(offence?.kind).toBe(kind);
  });
});

function judgeOf(name: string, strict: boolean, reading: Reading): Judge {
  return { name, formats: ['png'], strict, read: async () => reading };
}

async function kindOf(format: FuzzFormat, bytes: Uint8Array, before: Uint8Array, outcome: BytesOutcome) {
  const able = NPM_JUDGES.filter(({ formats }) => formats.includes(format));
  const sound = new Map(await Promise.all(able.map(async ({ name, read }) => [name, await read(before)] as const)));
  return (await judgeOutcome({ bytes, format, sound }, outcome, DEFAULT_COMPRESSION, NPM_JUDGES))?.kind;
}

function compressed(format: ImageFormat, bytes: Uint8Array, lossless: boolean): BytesOutcome {
  return { status: 'compressed', bytes, contentType: `image/${format}`, encoding: { format, lossless } };
}
