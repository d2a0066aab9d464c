import { JSONParser } from '@streamparser/json';
import { explainFailure } from '../core/explain-failure.ts';
import { jobKeys } from '../core/job-keys.ts';
import type { ObjectStore, ObjectSummary } from '../core/object-store.ts';
import { parseJson } from '../core/parse-json.ts';
import type { JobFailure } from '../core/report.ts';
import type { S3Location } from '../core/s3-uri.ts';
import { readJson, readJsonLines } from '../store/json-lines.ts';

/**
 * Why batches have no results: the error of each child execution that failed, timed out, was aborted or never
 * started, by batchId, as the ResultWriter of the Distributed Map recorded them.
 */
export async function readFailedBatches(
  store: ObjectStore,
  bucket: string,
  jobId: string,
): Promise<Map<string, JobFailure>> {
  const failures = new Map<string, JobFailure>();
  for (const { key } of await manifestsInOrder(store, bucket, jobId)) {
    const manifest = await readJson<Manifest>(store, { bucket, key });
    const { PENDING = [], FAILED = [] } = manifest?.ResultFiles ?? {};
    for (const file of [...PENDING, ...FAILED]) {
      for await (const child of readChildren(store, { bucket, key: file.Key })) {
        const batchId = findBatchId(typeof child.Input === 'string' ? parseJson(child.Input) : child.Input);
        if (batchId !== undefined) failures.set(batchId, failureOf(child));
      }
    }
  }
  return failures;
}

type Manifest = { readonly ResultFiles?: Partial<Record<'FAILED' | 'PENDING', readonly { readonly Key: string }[]>> };
type Child = Readonly<{ Input?: unknown } & Partial<Record<'Status' | 'Error' | 'Cause', string>>>;

/** A redrive writes another manifest: the latest record of a batch counts. */
async function manifestsInOrder(store: ObjectStore, bucket: string, jobId: string): Promise<ObjectSummary[]> {
  const objects = await Array.fromAsync(store.list(bucket, `${jobKeys.mapRun(jobId)}/`));
  const time = ({ lastModified }: ObjectSummary) => lastModified?.getTime() ?? 0;
  return objects.filter(({ key }) => key.endsWith('/manifest.json')).sort((a, b) => time(a) - time(b));
}

/** Such a file may be 5 GB: its records are read one by one. */
async function* readChildren(store: ObjectStore, location: S3Location): AsyncGenerator<Child> {
  if (location.key.endsWith('.jsonl')) {
    yield* readJsonLines<Child>(store, location);
    return;
  }
  let parsed: Child[] = [];
  const parser = new JSONParser({ paths: ['$.*'], keepStack: false });
  parser.onValue = ({ value }) => void parsed.push(value as Child);
  for await (const chunk of store.read(location)) {
    parser.write(chunk);
    yield* parsed;
    parsed = [];
  }
}

/** A child's input is its BatchRef, alone or inside what the state machine put around it. */
function findBatchId(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const { batchId } = input as { batchId?: unknown };
  if (typeof batchId === 'string') return batchId;
  return Object.values(input)
    .map(findBatchId)
    .find((found) => found !== undefined);
}

function failureOf({ Error: error, Cause: cause, Status: status }: Child): JobFailure {
  if (status === undefined || status === 'PENDING')
    return { error: 'NeverStarted', cause: 'the map run ended before the batch was started' };
  return explainFailure(error ?? status, cause ?? '');
}
