import { compressBytes } from '../../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../../src/codec/memory-budget.ts';
import type { BytesOutcome } from '../../../src/codec/outcome.ts';
import type { CompressionSettings } from '../../../src/core/job.ts';
import { DEFAULT_COMPRESSION } from '../../../src/settings/job-input.ts';
import { isUnproven, judgeOutcome, type Offence } from './judge-mutant.ts';
import type { Judge, Reading } from './judges/judge.ts';
import { FUZZ_FORMATS, type FuzzFormat, type Mutant, mutate, randomOf } from './mutate.ts';
import type { Random } from './piece.ts';
import type { SeedFile } from './seed-files.ts';

export interface FuzzCase {
  readonly format: FuzzFormat;
  readonly number: number;
}

/** What came of one mutant. */
export interface FuzzResult extends FuzzCase {
  readonly outcome: string;
  readonly offence?: Offence;
  readonly seedFile: string;
  readonly mutations: readonly string[];
  readonly settings: string;
}

export interface FuzzRun {
  readonly seed: number;
  readonly files: readonly SeedFile[];
  readonly judges: readonly Judge[];
  /** The files are taken as they are, each once. */
  readonly undamaged?: boolean;
}

/** The function that makes a mutant by its number, compresses it and judges the outcome. */
export async function prepareFuzz(run: FuzzRun): Promise<(one: FuzzCase) => Promise<FuzzResult>> {
  const sound = new Map<SeedFile, ReadonlyMap<string, Reading>>();
  const soundOf = async (file: SeedFile) => {
    const readings = sound.get(file) ?? (await readSeed(file, run.judges));
    sound.set(file, readings);
    return readings;
  };
  return async (one) => {
    const { seedFile, mutant, settingsName } = makeCase(one, run);
    const settings = SETTINGS[settingsName];
    const before = Buffer.from(mutant.bytes);
    const outcome = await compressBytes(mutant.bytes, settings, hostOf(settings, run));
    const file = { bytes: before, format: one.format, ...(!run.undamaged && { sound: await soundOf(seedFile) }) };
    const offence = before.equals(mutant.bytes)
      ? await judgeOutcome(file, outcome, settings, run.judges)
      : ({ kind: 'differing', cause: 'the source in memory was changed', detail: '' } as const);
    const made = { seedFile: seedFile.name, mutations: mutant.mutations, settings: settingsName };
    return { ...one, ...made, outcome: nameOf(outcome), ...(offence && { offence }) };
  };
}

function nameOf(outcome: BytesOutcome): string {
  if (outcome.status === 'failed') return outcome.code;
  return isUnproven(outcome) ? 'kept (unproven)' : outcome.status;
}

async function readSeed({ bytes, format }: SeedFile, judges: readonly Judge[]): Promise<ReadonlyMap<string, Reading>> {
  const able = judges.filter(({ formats }) => formats.includes(format));
  return new Map(await Promise.all(able.map(async (judge) => [judge.name, await judge.read(bytes)] as const)));
}

// Within these limits no image takes more than a second.
const TIME_LIMIT_MS = 20_000;
const MAX_PIXELS = 500_000;

function hostOf({ mode }: CompressionSettings, { undamaged }: FuzzRun) {
  const replacesSource = mode === 'lossless';
  const budget = createMemoryBudget(1e9);
  return { budget, replacesSource, ...(!undamaged && { timeLimitMs: TIME_LIMIT_MS, maxPixels: MAX_PIXELS }) };
}

interface MadeCase {
  readonly seedFile: SeedFile;
  readonly mutant: Mutant;
  readonly settingsName: SettingsName;
}

/** Everything about a case follows from the seed of the run, its format and its number. */
export function makeCase({ format, number }: FuzzCase, { seed, files, undamaged }: Omit<FuzzRun, 'judges'>): MadeCase {
  const random = randomOf(seed, number * FUZZ_FORMATS.length + FUZZ_FORMATS.indexOf(format));
  const same = files.filter((file) => file.format === format);
  const seedFile = same[undamaged ? number : random(same.length)];
  const other = same[random(same.length)];
  if (!seedFile || !other) throw new Error(`Expected a seed file of the format ${format}`);
  const mutant = undamaged
    ? { bytes: seedFile.bytes, mutations: [] }
    : mutate(format, seedFile.bytes, other.bytes, random);
  return { seedFile, mutant, settingsName: settingsFor(random) };
}

function settingsFor(random: Random): SettingsName {
  // A search takes as long as ten encodes.
  return random(96) === 0 ? 'auto' : COMMON_SETTINGS[random(COMMON_SETTINGS.length)]!;
}

const EAGER = { ...DEFAULT_COMPRESSION, minSavings: { percent: 0, bytes: 1 } };
const QUICK = { background: '#ffffff' } as const;

const SETTINGS = {
  lossless: { ...EAGER, mode: 'lossless' },
  quality: { ...EAGER, quality: 60 },
  copyright: { ...EAGER, mode: 'lossless', metadata: 'copyright' },
  fast: { ...EAGER, ...QUICK, quality: 50, effort: 'fast', format: 'jpeg', metadata: 'strip' },
  webp: { ...EAGER, quality: 40, format: 'webp' },
  avif: { ...EAGER, quality: 40, format: 'avif' },
  resize: { ...EAGER, ...QUICK, quality: 70, format: 'jpeg', resize: { maxWidth: 40 }, autoOrient: true },
  auto: { ...EAGER, ...QUICK, mode: 'auto', format: 'jpeg' },
} as const satisfies Readonly<Record<string, CompressionSettings>>;

type SettingsName = keyof typeof SETTINGS;

const COMMON_SETTINGS = Object.keys(SETTINGS).filter((name) => name !== 'auto') as SettingsName[];
