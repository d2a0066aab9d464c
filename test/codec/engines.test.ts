import sharp from 'sharp';
import { expect, test } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { EngineError, fromEngine, openSharp, withWarnings } from '../../src/codec/engines.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { truncated } from '../support/fixtures/damage.ts';
import { makeJpeg } from '../support/fixtures/jpeg.ts';

const decode = (bytes: Uint8Array, failOn: 'none' | 'warning') =>
  fromEngine(openSharp(bytes, { failOn }).raw().toBuffer());

test('libvips is configured by the first image that is compressed, not by an import', async () => {
  expect(sharp.cache().memory.max).toBeGreaterThan(0);
  const host = { budget: createMemoryBudget(1e9) };
  await compressBytes(await makeJpeg(), DEFAULT_COMPRESSION, host);
  expect(sharp.cache().memory.max).toBe(0);
  expect(sharp.concurrency()).toBe(1);
});

test('a warning counts for every decode that is going on, and for none after it', async () => {
  const sound = await makeJpeg();
  const damaged = truncated(sound, 0.5);
  const inner = withWarnings(() => decode(damaged, 'none'));
  const outer = await withWarnings(() => inner);
  expect([outer.warned, outer.answer.warned]).toEqual([true, true]);
  expect(await withWarnings(() => decode(sound, 'none'))).toMatchObject({ warned: false });
});

test('a failed decode counts as a warning: its message may hold those of others', async () => {
  const damaged = truncated(await makeJpeg(), 0.5);
  const { answer, warned } = await withWarnings(() => decode(damaged, 'warning').catch((error: unknown) => error));
  expect(answer).toBeInstanceOf(EngineError);
  expect(warned).toBe(true);
});
