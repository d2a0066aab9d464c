import sharp from 'sharp';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { ImageFile } from '../../src/codec/image-file.ts';
import { inspectImage } from '../../src/codec/inspect-image.ts';
import { findScanFault } from '../../src/codec/jpeg/faults.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import type { CompressionSettings } from '../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { fuzzSeeds, mutate } from './mutations.ts';

const EAGER = { ...DEFAULT_COMPRESSION, minSavings: { percent: 0, bytes: 1 } };

/** Used in turn over the files. */
const SETTINGS: readonly CompressionSettings[] = [
  { ...EAGER, mode: 'lossless' },
  { ...EAGER, quality: 60 },
  { ...EAGER, mode: 'lossless', metadata: 'copyright' },
  { ...EAGER, quality: 50, effort: 'fast', metadata: 'strip' },
  { ...EAGER, quality: 40, format: 'webp' },
  { ...EAGER, mode: 'auto', format: 'jpeg', background: '#ffffff' },
  { ...EAGER, quality: 70, resize: { maxWidth: 40 }, autoOrient: true },
];

export interface FuzzRun {
  readonly outcomes: Readonly<Record<string, number>>;
  /** Outcomes that must not occur: each names the seed file, the mutation and the outcome. */
  readonly faults: readonly string[];
}

/** Compresses `count` damaged files and checks each outcome with another decoder. */
export async function runFuzz(count: number, firstSeed = 0): Promise<FuzzRun> {
  const seeds = [...(await fuzzSeeds())];
  const outcomes: Record<string, number> = {};
  const faults: string[] = [];
  for (let number = firstSeed; number < firstSeed + count; number++) {
    const [name, sound] = seeds[number % seeds.length]!;
    const settings = SETTINGS[Math.floor(number / seeds.length) % SETTINGS.length]!;
    const { outcome, fault } = await judge(mutate(sound, number), settings);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (fault) faults.push(`${name}, mutation ${number}, ${settings.mode}: ${fault}`);
  }
  return { outcomes, faults };
}

const TIME_LIMIT_MS = 20_000;

async function judge(file: Uint8Array, settings: CompressionSettings): Promise<{ outcome: string; fault?: string }> {
  const before = Buffer.from(file).toString('base64');
  const budget = createMemoryBudget(2e9);
  const result = await compressBytes(file, settings, { budget, timeLimitMs: TIME_LIMIT_MS });
  if (Buffer.from(file).toString('base64') !== before) return { outcome: result.status, fault: 'source changed' };
  if (result.status === 'failed') {
    const isNamed = result.code === 'CorruptImage' || result.code === 'TooLarge';
    return { outcome: result.code, ...(isNamed ? {} : { fault: `${result.code}: ${result.message}` }) };
  }
  if (result.status !== 'compressed') return { outcome: result.status };
  const fault = await faultOf(file, result.bytes, settings);
  return { outcome: 'compressed', ...(fault ? { fault } : {}) };
}

async function faultOf(source: Uint8Array, output: Uint8Array, settings: CompressionSettings) {
  if (output.length >= source.length) return `grew from ${source.length} to ${output.length}`;
  const after = await strictPixels(output);
  if (!after) return 'a strict decoder refuses the output';
  if (isDamagedJpeg(source) && settings.effort === 'best') return 'a source with damage in its codes was compressed';
  const before = await strictPixels(source);
  if (!before) return 'a source that a strict decoder refuses was compressed';
  if (settings.mode === 'lossless' && !before.equals(after)) return 'pixels differ';
  if (
    !settings.autoOrient &&
    inspectImage(new ImageFile(source))!.orientation !== inspectImage(new ImageFile(output))!.orientation
  ) {
    return 'orientation lost';
  }
  return undefined;
}

async function strictPixels(bytes: Uint8Array): Promise<Buffer | undefined> {
  const image = sharp(bytes, { failOn: 'warning', animated: true, ignoreIcc: true });
  return image
    .toColourspace('rgb16')
    .ensureAlpha()
    .raw({ depth: 'ushort' })
    .toBuffer()
    .catch(() => undefined);
}

function isDamagedJpeg(source: Uint8Array): boolean {
  if (inspectImage(new ImageFile(source))?.format !== 'jpeg') return false;
  const fault = findScanFault(new ImageFile(source));
  return fault !== undefined && fault !== 'unknown-kind';
}
