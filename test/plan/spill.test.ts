import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openSpillFolder } from '../../src/plan/spill.ts';

test('gives back every byte in order, whether it stayed in memory or not', () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 40 });
  fc.assert(
    fc.property(chunks, fc.integer({ min: 1, max: 64 }), (appended, bufferBytes) => {
      const folder = openSpillFolder(bufferBytes);
      try {
        const file = folder.file();
        for (const bytes of appended) file.append(bytes);
        const all = Buffer.concat(appended);
        expect(file.length).toBe(all.byteLength);
        expect(Buffer.concat([...file.pieces(7)])).toEqual(all);
        expect(file.readAll()).toEqual(all);
        expect(file.readAll(Buffer.alloc(2000))).toEqual(all);
      } finally {
        folder.remove();
      }
    }),
    { numRuns: 60 },
  );
});
