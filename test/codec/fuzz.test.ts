import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { NPM_JUDGES } from '../support/fuzz/judges/npm-judges.ts';
import { FUZZ_FORMATS } from '../support/fuzz/mutate.ts';
import { type FuzzResult, prepareFuzz } from '../support/fuzz/run-fuzz.ts';
import { makeSeedFiles } from '../support/fuzz/seed-files.ts';

// `npm run bench -- fuzz` runs thousands, and asks the decoders of the system as well.
const FILES_PER_FORMAT = 40;
const FRESH_SEED = randomInt(2 ** 31);

test.each([1, FRESH_SEED])('damaged files are reported as damaged, and nothing else is (seed %i)', async (seed) => {
  const results = await run(seed);
  expect(results.filter(mustNotOccur).map(describe)).toEqual([]);
  // A run in which nothing is compressed, or nothing refused, would prove nothing.
  const count = (outcome: string) => results.filter((result) => result.outcome === outcome).length;
  expect(count('compressed')).toBeGreaterThan(results.length / 50);
  expect(count('CorruptImage')).toBeGreaterThan(results.length / 4);
});

async function run(seed: number): Promise<FuzzResult[]> {
  const runCase = await prepareFuzz({ seed, files: await makeSeedFiles(), judges: NPM_JUDGES });
  const results: FuzzResult[] = [];
  for (const format of FUZZ_FORMATS) {
    for (let number = 0; number < FILES_PER_FORMAT; number++) results.push(await runCase({ format, number }));
  }
  return results;
}

function mustNotOccur({ format, offence }: FuzzResult): boolean {
  if (!offence || offence.kind === 'refusedAlone') return false;
  return offence.kind !== 'falselyRefused' || !READ_IN_PART.includes(format);
}

/**
 * Of these the decoders from npm read the first picture, and nothing of what follows, and of a JPEG not the codes that
 * are left over. That no sound one is refused, `npm run bench -- fuzz` shows by decoders of the system.
 */
const READ_IN_PART = ['jpeg', 'png', 'webp', 'tiff'];

function describe({ format, number, seedFile, mutations, offence }: FuzzResult): string {
  const what = `${offence?.kind}, ${offence?.cause}, ${offence?.detail}`;
  return `${format}:${number} of ${seedFile} (${mutations.join(', ')}): ${what}`;
}
