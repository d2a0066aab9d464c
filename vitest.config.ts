import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Inherited by the workers and by every process that a test starts: compiling modules was a third of their CPU time.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/image-press', import.meta.url));

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    // What is waited for comes late on a busy machine: only the test's own limit ends the wait.
    expect: { poll: { timeout: 50_000 } },
    hookTimeout: 120_000,
    pool: 'forks',
    // Vitest's default leaves one core idle.
    maxWorkers: availableParallelism(),
  },
});
