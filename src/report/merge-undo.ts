import { jobKeys } from '../core/job-keys.ts';
import type { Replaced } from '../core/report.ts';
import { formatS3Uri } from '../core/s3-uri.ts';
import { parseUndoEntry } from '../core/undo.ts';
import { readLines } from '../file-list/lines.ts';
import { jobFile, type ReportHost } from './report-host.ts';

/** In place, each host wrote its own part of undo.jsonl. @returns undefined when there are no parts */
export async function mergeUndo(jobId: string, host: ReportHost): Promise<Replaced | undefined> {
  const parts: string[] = [];
  for await (const { key } of host.store.list(host.workBucket, jobKeys.undoParts(jobId))) parts.push(key);
  if (parts.length === 0) return undefined;
  const replaced = { images: 0, irreversible: 0 };
  await host.store.upload(
    jobFile(host, jobKeys.undo(jobId)),
    countedLines(parts, host, replaced),
    'application/jsonl',
  );
  return replaced;
}

async function* countedLines(
  keys: readonly string[],
  host: ReportHost,
  replaced: { images: number; irreversible: number },
): AsyncGenerator<string> {
  for (const key of keys) {
    const part = jobFile(host, key);
    for await (const { lines } of readLines(host.store.read(part), formatS3Uri(part))) {
      const entries = lines.filter((line) => line !== '');
      replaced.images += entries.length;
      replaced.irreversible += entries.filter((line) => !isReversible(line)).length;
      yield entries.map((line) => `${line}\n`).join('');
    }
  }
}

function isReversible(line: string): boolean {
  const { versionId, backup } = parseUndoEntry(line) ?? {};
  return versionId !== undefined || backup !== undefined;
}
