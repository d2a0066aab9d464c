import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { compressBytes } from '../../src/codec/compress-bytes.ts';
import { createMemoryBudget } from '../../src/codec/memory-budget.ts';
import type { BytesOutcome } from '../../src/codec/outcome.ts';
import { recompressUploads } from '../../src/uploads/recompress-upload.ts';
import { FUZZ_FORMATS } from '../support/fuzz/mutate.ts';
import { makeCase } from '../support/fuzz/run-fuzz.ts';
import { makeSeedFiles } from '../support/fuzz/seed-files.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { messageFor, uploadEvent, uploadHost } from '../support/upload-bucket.ts';

const FILES_PER_FORMAT = 40;

test.each([
  1,
  randomInt(2 ** 31),
])('no damaged file is tried again, and each is reported in plain words (seed %i)', async (seed) => {
  const files = await makeSeedFiles();
  const outcomes: BytesOutcome[] = [];
  const host = { budget: createMemoryBudget(1e9), maxPixels: 500_000, replacesSource: true };
  for (const format of FUZZ_FORMATS) {
    for (let number = 0; number < FILES_PER_FORMAT; number++) {
      const { mutant, seedFile } = makeCase({ format, number }, { seed, files });
      const store = createMemoryStore();
      store.seed('s3://uploads/file', mutant.bytes);
      const upload = uploadHost({
        store,
        compress: async (bytes, settings) => {
          // Every second one as it goes to another format.
          const changes = number % 2 === 0 ? {} : ({ mode: 'quality', quality: 60 } as const);
          const outcome = await compressBytes(bytes, { ...settings, ...changes }, host);
          outcomes.push(outcome);
          return outcome;
        },
      });
      const Records = [messageFor(uploadEvent({ bucket: 'uploads', key: 'file' }))];
      const { batchItemFailures } = await recompressUploads({ Records }, upload.host);
      expect([`${seedFile.name}:${number}`, batchItemFailures, outcomes.at(-1)]).toEqual([
        expect.any(String),
        [],
        expect.anything(),
      ]);
    }
  }
  expect(outcomes.filter(({ status }) => status === 'failed').length).toBeGreaterThan(outcomes.length / 4);
  const texts = outcomes.map((outcome) => ('message' in outcome ? outcome.message : (outcome.detail ?? '')));
  expect(texts.filter((text) => LIBRARY_WORDS.test(text))).toEqual([]);
});

// HEIF is also a format, whose name may be said.
const LIBRARY_WORDS = /vips|failOn|libpng|libspng|libwebp|libheif|napi|Any \{|input buffer|\n/i;
