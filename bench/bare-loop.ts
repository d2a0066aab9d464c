import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { FAST_JPEG, MOZJPEG } from '../src/codec/jpeg/encode.ts';
import { encoderQuality } from '../src/core/quality.ts';

/**
 * The baseline of image-press: read, sharp with the same encoder settings, write, as many images at once
 * as there are cores. No check of the output, no S3, no report. Run: node bench/bare-loop.ts IN OUT best|fast
 */
const [input, output, effort] = process.argv.slice(2) as [string, string, 'best' | 'fast'];
const options =
  effort === 'best'
    ? { quality: encoderQuality(MOZJPEG, 75), mozjpeg: true }
    : { quality: encoderQuality(FAST_JPEG, 75), quantisationTable: 3, optimiseCoding: false };

sharp.concurrency(1);
sharp.cache(false);
await mkdir(output, { recursive: true });
const names = (await readdir(input)).values();
const worker = async () => {
  for (const name of names) {
    const bytes = await readFile(path.join(input, name));
    const smaller = await sharp(bytes).keepMetadata().jpeg(options).toBuffer();
    await writeFile(path.join(output, name), smaller);
  }
};
await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
