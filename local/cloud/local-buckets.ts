import { existsSync, renameSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import type { Folders } from '../../src/core/report.ts';
import type { BucketFolder } from '../s3/s3-server.ts';

/** Outputs, and job files below jobs/, as in a deployment's OutputBucket. */
export const OUTPUT_BUCKET = 'local-output';
/** The folder of `--out`, which a job of the command line names as its `output`: there jobs/ is like any other folder. */
export const OUT_BUCKET = 'local-out';
export const INPUT_BUCKET = 'local-input';
export const UPLOAD_BUCKET = 'local-uploads';
/** The user's folder, read-only. */
export const SOURCE_BUCKET = 'local-source';
/** The folder of the file list, read-only. */
export const LIST_BUCKET = 'local-lists';

/** Beside the outputs: job files, logs and the state of the buckets. A folder of that name is never a source. */
export const OWN_FOLDER = '.image-press';

/** The folder with `jobs/<jobId>/`. */
export function jobFilesIn(home: string): string {
  return path.join(home, 'job-files');
}

/**
 * Moves the job files of earlier versions, which were in `papers`, so that `resume` finds them. A link stays there: the
 * user may have the path of a failed.jsonl, or may be starting a job with it.
 */
export function moveEarlierJobFiles(home: string): void {
  const early = path.join(home, 'papers');
  if (!existsSync(early) || existsSync(jobFilesIn(home))) return;
  renameSync(early, jobFilesIn(home));
  const earlyState = stateOf(home, 'papers');
  if (existsSync(earlyState)) renameSync(earlyState, stateOf(home, 'job-files'));
  try {
    symlinkSync(path.basename(jobFilesIn(home)), early, 'junction');
  } catch {
    // A file system without links.
  }
}

/** The output bucket stores its job files in `home`, so that `out` contains only outputs. */
export function outputBuckets(home: string, out: string): Readonly<Record<string, BucketFolder>> {
  const outputs = { folder: out, state: stateOf(home, `output-${path.basename(out)}`) };
  const jobFiles = { folder: jobFilesIn(home), state: stateOf(home, 'job-files') };
  return { [OUTPUT_BUCKET]: { ...outputs, prefixes: { 'jobs/': jobFiles } }, [OUT_BUCKET]: outputs };
}

/** The buckets where an object starts work. Both are versioned, as in deploy/buckets.yml. */
export function triggerBuckets(home: string): Readonly<Record<string, BucketFolder>> {
  const place = (name: string) => ({ folder: path.join(home, name), state: stateOf(home, name), versioned: true });
  return { [INPUT_BUCKET]: place(INPUT_BUCKET), [UPLOAD_BUCKET]: place(UPLOAD_BUCKET) };
}

/** Which folder each bucket, or prefix of a bucket, is stored in; prefixes before the bucket that contains them. */
export function foldersOf(buckets: Readonly<Record<string, BucketFolder>>): Folders {
  const entries = Object.entries(buckets).flatMap(([bucket, { folder, prefixes = {} }]) => [
    ...Object.entries(prefixes).map(([prefix, files]) => [
      `${bucket}/${prefix}`.replace(/\/$/, ''),
      path.join(files.folder, prefix),
    ]),
    [bucket, folder],
  ]);
  return Object.fromEntries(entries);
}

function stateOf(home: string, name: string): string {
  return path.join(home, 'state', name);
}
