import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { compileWalk } from '../src/codec/jpeg/compile-walk.ts';

test('the module that walks through scans is what its sources compile to, byte for byte', async () => {
  const committed = path.join(import.meta.dirname, '../src/codec/jpeg/walk-module.ts');
  // Else: npm run build:wasm
  expect(await readFile(committed, 'utf8')).toBe(await compileWalk());
});
