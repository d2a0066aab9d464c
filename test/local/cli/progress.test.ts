import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createProgress } from '../../../local/cli/progress.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function streamOf(isTTY: boolean) {
  let text = '';
  const write = (chunk: string) => {
    text += chunk;
    return true;
  };
  return { stream: { isTTY, write } as unknown as NodeJS.WriteStream, text: () => text };
}

test('says now and then that the job is being planned, until the plan is ready', () => {
  const { stream, text } = streamOf(false);
  const progress = createProgress(stream);
  progress.planning();
  vi.advanceTimersByTime(11_000);
  expect(text()).toBe('planning … 5 s\nplanning … 10 s\n');
  progress.planned(3);
  vi.advanceTimersByTime(60_000);
  expect(text().split('\n').slice(2)).toEqual(['[........................] 0/3 images', '']);
});

test('shows the end once, however often it is ended', () => {
  const { stream, text } = streamOf(false);
  const progress = createProgress(stream);
  progress.planned(1);
  vi.advanceTimersByTime(3000);
  progress.batchFinished({ images: 1, failed: 0 });
  progress.end();
  progress.end();
  expect(text().match(/1\/1 images/g)).toHaveLength(1);
});

test('leaves nothing on a terminal of a plan that failed', () => {
  const { stream, text } = streamOf(true);
  const progress = createProgress(stream);
  progress.planning();
  vi.advanceTimersByTime(2000);
  progress.end();
  vi.advanceTimersByTime(2000);
  expect(text()).toBe('\r\x1b[2Kplanning … 1 s\r\x1b[2Kplanning … 2 s\r\x1b[2K');
});
