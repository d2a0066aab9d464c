import path from 'node:path';
import { defineConfig } from 'vitest/config';

/** `npm run test:deployed`: against the stack that STATE_MACHINE_ARN names. Never part of `npm test`. */
export default defineConfig({
  root: path.join(import.meta.dirname, '../..'),
  test: {
    include: ['test/deployed/*.deployed.ts'],
    testTimeout: 900_000,
    hookTimeout: 900_000,
    pool: 'forks',
  },
});
