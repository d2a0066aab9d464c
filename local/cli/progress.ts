import { readableSeconds } from '../../src/core/readable.ts';

const LINE_INTERVAL_MS = 2000;
const PLANNING_INTERVAL_MS = 5000;

export type Progress = ReturnType<typeof createProgress>;

/** Shows the progress of a job on stderr: one line that is updated on a terminal, a new line now and then elsewhere. */
export function createProgress(stream: NodeJS.WriteStream, things = 'images') {
  const startedAt = performance.now();
  let total: number | undefined;
  let outputs = 0;
  let finished = 0;
  let ended = false;
  let failed = 0;
  let shownAt = Number.NEGATIVE_INFINITY;
  let ticking: NodeJS.Timeout | undefined;
  let shownCounts = '';
  const clear = stream.isTTY ? '\r\x1b[2K' : '';
  const done = () => Math.min(Math.max(outputs, finished), total ?? Number.POSITIVE_INFINITY);
  const line = () => {
    const seconds = (performance.now() - startedAt) / 1000;
    const pace = done() > 0 ? ` · ${(done() / seconds).toFixed(1)} ${things}/s` : '';
    const faults = failed > 0 ? ` · ${failed} failed` : '';
    return `${bar(done(), total)} ${done()}/${total ?? '?'} ${things}${pace}${faults}`;
  };
  const write = (text: string) => stream.write(stream.isTTY ? clear + text : `${text}\n`);
  const show = (force = false) => {
    const now = performance.now();
    if (!force && now - shownAt < (stream.isTTY ? 100 : LINE_INTERVAL_MS)) return;
    shownAt = now;
    shownCounts = `${done()} ${failed}`;
    write(line());
  };
  return {
    /** Shows the time until the plan is ready. */
    planning: () => {
      const showTime = () => write(`planning … ${readableSeconds((performance.now() - startedAt) / 1000)}`);
      ticking = setInterval(showTime, stream.isTTY ? 1000 : PLANNING_INTERVAL_MS).unref();
    },
    /** The plan is ready, with so many images. */
    planned: (images: number) => {
      clearInterval(ticking);
      total = images;
      show(true);
    },
    outputWritten: () => {
      outputs += 1;
      show();
    },
    /** So many images of a batch are accounted for, and so many of them failed. */
    batchFinished: (batch: { readonly images: number; readonly failed: number }) => {
      finished += batch.images;
      failed += batch.failed;
      show();
    },
    /** So many are finished now, and so many of them failed. */
    update: (now: { readonly done: number; readonly failed: number }) => {
      finished = now.done;
      failed = now.failed;
      show();
    },
    /** Prints a line that stays. */
    print: (text: string) => void stream.write(`${clear}${text}\n`),
    end: () => {
      clearInterval(ticking);
      if (ended) return;
      ended = true;
      if (total === undefined) {
        if (ticking) stream.write(clear);
        return;
      }
      if (stream.isTTY || shownCounts !== `${done()} ${failed}`) show(true);
      if (stream.isTTY) stream.write('\n');
    },
  };
}

function bar(done: number, total: number | undefined): string {
  const width = 24;
  const full = total ? Math.floor((done / total) * width) : 0;
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`;
}
