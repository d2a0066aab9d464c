import { expect } from 'vitest';

/** Runs it, and fails where it takes a second of CPU: far more than these take, and far less than quadratic work would. */
export function withinCpuSecond<T>(act: () => T): T {
  const started = process.threadCpuUsage();
  const answer = act();
  const { user, system } = process.threadCpuUsage(started);
  expect((user + system) / 1e6).toBeLessThan(1);
  return answer;
}
