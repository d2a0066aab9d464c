import { randomUUID } from 'node:crypto';
import type { ImageResult } from '../core/image-result.ts';
import type { BatchRef } from '../core/job.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { ObjectStore } from '../core/object-store.ts';
import type { UndoEntry } from '../core/undo.ts';

const LINES_PER_PART = 100;
const SECONDS_PER_PART = 15;

/**
 * Writes the results of one call part by part. What a worker that crashed had not written yet, the next one finds by
 * the marks on the outputs.
 */
export function openResultLog(store: ObjectStore, bucket: string, ref: BatchRef, attempt: number) {
  const run = `${String(attempt).padStart(3, '0')}-${randomUUID().slice(0, 8)}`;
  let results: ImageResult[] = [];
  let undo: UndoEntry[] = [];
  let parts = 0;
  let flushedAt = performance.now();
  let writing = Promise.resolve();

  const writePart = async (folder: string, part: number, lines: readonly object[]) => {
    if (lines.length === 0) return;
    const key = `${folder}${run}-${String(part).padStart(5, '0')}.jsonl`;
    const body = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    await store.put({ bucket, key }, body, { attributes: { contentType: 'application/jsonl' } });
  };
  const flush = () => {
    const [part, lines] = [parts++, { results, undo }];
    [results, undo, flushedAt] = [[], [], performance.now()];
    // The caller of an earlier flush got its failure; its lines are written again with these.
    writing = writing.catch(() => {}).then(() => writeOrKeep(part, lines));
    return writing;
  };
  const writeOrKeep = async (part: number, lines: { results: ImageResult[]; undo: UndoEntry[] }) => {
    try {
      await writePart(`${jobKeys.undoParts(ref.jobId)}${ref.batchId}-`, part, lines.undo);
      lines.undo = [];
      await writePart(jobKeys.batchResults(ref.jobId, ref.batchId), part, lines.results);
    } catch (error) {
      undo.unshift(...lines.undo);
      results.unshift(...lines.results);
      throw error;
    }
  };
  return {
    flush,
    /** In place only: where the original of a replaced image is. */
    addUndo: (entry: UndoEntry) => void undo.push(entry),
    add: async (result: ImageResult) => {
      results.push(result);
      if (results.length >= LINES_PER_PART || performance.now() - flushedAt > SECONDS_PER_PART * 1000) await flush();
    },
  };
}
