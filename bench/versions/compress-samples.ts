/** Compresses samples by the checkout in the first argument, and answers each message with the CPU milliseconds. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CompressionSettings } from '../../src/core/job.ts';

export interface VersionTask {
  readonly settings: Partial<CompressionSettings>;
  readonly photos: number;
}

export interface Sample {
  readonly files: readonly string[];
  readonly settings: Partial<CompressionSettings>;
}

const [root = ''] = process.argv.slice(2);
const load = (file: string) => import(path.join(root, 'src', file));
const { compressBytes }: typeof import('../../src/codec/compress-bytes.ts') = await load('codec/compress-bytes.ts');
const { createMemoryBudget }: typeof import('../../src/codec/memory-budget.ts') = await load('codec/memory-budget.ts');
const { DEFAULT_COMPRESSION }: typeof import('../../src/settings/job-input.ts') = await load('settings/job-input.ts');
const budget = createMemoryBudget(8e9);

process.on('message', async ({ files, settings }: Sample) => {
  const images = await Promise.all(files.map((file) => readFile(file)));
  const from = process.cpuUsage();
  for (const bytes of images) {
    const outcome = await compressBytes(bytes, { ...DEFAULT_COMPRESSION, ...settings }, { budget });
    if (outcome.status === 'failed') throw new Error(`Expected an output but received ${outcome.message}`);
  }
  const { user, system } = process.cpuUsage(from);
  process.send?.((user + system) / 1000);
});
