import { readableSeconds } from '../../src/core/readable.ts';

const MILLISECONDS_BETWEEN_LINES = 2000;
const MILLISECONDS_BETWEEN_PLANNING_LINES = 5000;

export interface Progress {
  /** Nothing is known yet but that time passes: said until the plan is made. */
  planning(): void;
  /** How many images there are, once the plan is made. */
  planned(images: number): void;
  /** One output was written. */
  wrote(): void;
  /** A batch came to its end with so many images accounted for, so many of them failed. */
  finishedBatch(batch: { images: number; failed: number }): void;
  /** So many are done now, so many of them failed. */
  stands(at: { done: number; failed: number }): void;
  /** A line that stays. */
  say(text: string): void;
  end(): void;
}

/** Tells on stderr how far a job is: one line that rewrites itself on a terminal, a line now and then elsewhere. */
export function createProgress(stream: NodeJS.WriteStream, things = 'images'): Progress {
  const startedAt = performance.now();
  let total: number | undefined;
  let outputs = 0;
  let finished = 0;
  let failed = 0;
  let shownAt = Number.NEGATIVE_INFINITY;
  let ticking: NodeJS.Timeout | undefined;

  const done = () => Math.min(Math.max(outputs, finished), total ?? Number.POSITIVE_INFINITY);
  const line = () => {
    const seconds = (performance.now() - startedAt) / 1000;
    const pace = done() > 0 ? ` · ${(done() / seconds).toFixed(1)} ${things}/s` : '';
    const faults = failed > 0 ? ` · ${failed} failed` : '';
    return `${bar(done(), total)} ${done()}/${total ?? '?'} ${things}${pace}${faults}`;
  };
  const write = (text: string) => stream.write(stream.isTTY ? `\r\x1b[2K${text}` : `${text}\n`);
  const show = (force = false) => {
    const now = performance.now();
    if (!force && now - shownAt < (stream.isTTY ? 100 : MILLISECONDS_BETWEEN_LINES)) return;
    shownAt = now;
    write(line());
  };
  return {
    planning: () => {
      const tell = () => write(`planning … ${readableSeconds((performance.now() - startedAt) / 1000)}`);
      ticking = setInterval(tell, stream.isTTY ? 1000 : MILLISECONDS_BETWEEN_PLANNING_LINES).unref();
    },
    planned: (images) => {
      clearInterval(ticking);
      total = images;
      show(true);
    },
    wrote: () => {
      outputs += 1;
      show();
    },
    finishedBatch: (batch) => {
      finished += batch.images;
      failed += batch.failed;
      show();
    },
    stands: (at) => {
      finished = at.done;
      failed = at.failed;
      show();
    },
    say: (text) => void stream.write(stream.isTTY ? `\r\x1b[2K${text}\n` : `${text}\n`),
    end: () => {
      clearInterval(ticking);
      if (total === undefined) {
        if (ticking && stream.isTTY) stream.write('\r\x1b[2K');
        return;
      }
      show(true);
      if (stream.isTTY) stream.write('\n');
    },
  };
}

function bar(done: number, total: number | undefined): string {
  const width = 24;
  const full = total ? Math.floor((done / total) * width) : 0;
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}
