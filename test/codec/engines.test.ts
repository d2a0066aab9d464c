import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const SCRIPT = `
import sharp from 'sharp';
import { compressBytes } from './src/codec/compress-bytes.ts';
import { createMemoryBudget } from './src/codec/memory-budget.ts';
import { DEFAULT_COMPRESSION } from './src/settings/job-input.ts';
const memory = () => sharp.cache().memory.max;
const before = memory();
const picture = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } }).jpeg().toBuffer();
await compressBytes(new Uint8Array(picture), DEFAULT_COMPRESSION, { budget: createMemoryBudget(1e9) });
console.log(JSON.stringify({ before, after: memory(), threads: sharp.concurrency() }));
`;

test('libvips is configured by the first image that is compressed, not by an import', async () => {
  const node = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', SCRIPT]);
  const { before, ...after } = JSON.parse((await node).stdout);
  expect(before).toBeGreaterThan(0);
  expect(after).toEqual({ after: 0, threads: 1 });
});
