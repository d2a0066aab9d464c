import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Inherited by the workers and by every process that a test starts: compiling modules was a third of their CPU time.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/image-press', import.meta.url));

/** A process for each file: they start programs, load handlers that read their environment, or call `vi.mock`. */
const ISOLATED = ['deploy', 'fargate', 'functions', 'hosts', 'local', 'store', 'support'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);
const ALL = ['test/**/*.test.ts'];

export default defineConfig({
  test: {
    // They end tests that hang. Another program on the machine may slow the others down by ten.
    testTimeout: 300_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 30_000 } },
    pool: 'forks',
    // Vitest's default leaves one core idle.
    maxWorkers: availableParallelism(),
    projects: [
      { extends: true, test: { name: 'isolated', include: ISOLATED } },
      // Loading Vitest, sharp and the SDK anew for every file took half a CPU second each.
      { extends: true, test: { name: 'shared', include: ALL, exclude: ISOLATED, isolate: false } },
    ],
  },
});
