import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findConflicts } from '../../src/plan/conflicts.ts';
import { openSpillFolder } from '../../src/plan/spill.ts';

const at = (key: string) => ({ bucket: 'b', key });

/** What the finder should say, found the simple way. */
function expected(pairs: readonly (readonly [source: string, output: string])[]) {
  const firstOf = new Map<string, number>();
  const owners = new Map<string, string>();
  const duplicates = new Map<number, number>();
  let collisions = 0;
  pairs.forEach(([source, output], n) => {
    const owner = owners.get(output);
    if (owner === undefined) owners.set(output, source);
    if (owner === undefined) firstOf.set(output, n);
    else if (owner === source) duplicates.set(n, firstOf.get(output)!);
    else collisions += 1;
  });
  return { duplicates, collisions };
}

test.each([32, 64 * 1024])('agrees with a search in memory, with buffers of %s bytes', (bufferBytes) => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  fc.assert(
    fc.property(fc.array(fc.tuple(name, name), { maxLength: 60 }), (pairs) => {
      const folder = openSpillFolder(bufferBytes);
      try {
        const finder = findConflicts(folder);
        pairs.forEach(([source, output], n) => void finder.add(n, at(source), at(`out/${output}`), false));
        const found = finder.find();
        const { duplicates, collisions } = expected(pairs);
        expect(found.collisions).toBe(collisions);
        expect(pairs.map((_, n) => found.duplicateOf(n))).toEqual(pairs.map((_, n) => duplicates.get(n)));
        expect(found.duplicates).toBe(duplicates.size);
      } finally {
        folder.remove();
      }
    }),
    { numRuns: 60 },
  );
});

test('keeps ordinals beyond 32 bits', () => {
  const folder = openSpillFolder();
  const finder = findConflicts(folder);
  const n = 2 ** 33 + 5;
  finder.add(n, at('a'), at('out/a'), false);
  finder.add(n + 1, at('a'), at('out/a'), false);
  const found = finder.find();
  expect(found.duplicateOf(n)).toBeUndefined();
  expect(found.duplicateOf(n + 1)).toBe(n);
});

test('names the earliest collisions in the order of the list', () => {
  const folder = openSpillFolder();
  const finder = findConflicts(folder);
  for (let n = 0; n < 5000; n++) finder.add(n, at(`${n}`), at(`out/${n % 2000}`), false);
  const { collisions, named } = finder.find();
  expect(collisions).toBe(3000);
  expect(named.slice(0, 2)).toEqual([
    { first: 0, second: 2000, kind: 'output' },
    { first: 1, second: 2001, kind: 'output' },
  ]);
  expect(named).toHaveLength(200);
});
