import { appendFileSync, createReadStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { ExecutionResult } from './execution.ts';
import { StatesError } from './states-error.ts';

/** A child execution of a Distributed Map, as it ended. PENDING: it was never started. */
type ChildResult =
  | { readonly status: 'PENDING'; readonly input: unknown }
  | ({
      readonly executionArn: string;
      readonly name: string;
      readonly stateMachineArn: string;
      readonly input: unknown;
      readonly startedAt: Date;
      readonly stoppedAt: Date;
    } & ExecutionResult);

interface ResultDestination {
  readonly s3: S3Client;
  readonly mapRunArn: string;
  readonly bucket: string;
  readonly prefix: string;
}

/**
 * Writes the results of a Map Run to S3 in AWS's layout: `<prefix>/<uuid of the Map Run>/manifest.json` beside
 * SUCCEEDED_0.json, FAILED_0.json (failed and aborted) and PENDING_0.json (never started). Until `close` the records
 * are kept in temporary files, so that memory does not grow with the number of children. Every method throws
 * StatesError `States.ResultWriterFailed`.
 */
export class ResultWriter {
  readonly #destination: ResultDestination;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'map-run-'));
  readonly #files = {
    FAILED: new RecordFile(path.join(this.#folder, 'FAILED_0.json')),
    PENDING: new RecordFile(path.join(this.#folder, 'PENDING_0.json')),
    SUCCEEDED: new RecordFile(path.join(this.#folder, 'SUCCEEDED_0.json')),
  };

  constructor(destination: ResultDestination) {
    this.#destination = destination;
  }

  async add(child: ChildResult): Promise<void> {
    const status = child.status === 'ABORTED' ? 'FAILED' : child.status;
    await orFail(() => this.#files[status].add(recordOf(child)));
  }

  /** @returns the output of the Map state */
  async close(): Promise<unknown> {
    const { bucket, prefix, mapRunArn } = this.#destination;
    const folder = `${prefix.replace(/\/$/, '')}/${mapRunArn.split(':').at(-1)}`;
    const ResultFiles: Record<string, { Key: string; Size: number }[]> = {};
    for (const [status, file] of Object.entries(this.#files)) {
      const Size = await orFail(() => file.end());
      const Key = `${folder}/${path.basename(file.name)}`;
      ResultFiles[status] = Size === 0 ? [] : [{ Key, Size }];
      if (Size > 0) await this.#put(Key, createReadStream(file.name));
    }
    const Key = `${folder}/manifest.json`;
    await this.#put(Key, JSON.stringify({ DestinationBucket: bucket, MapRunArn: mapRunArn, ResultFiles }));
    return { MapRunArn: mapRunArn, ResultWriterDetails: { Bucket: bucket, Key } };
  }

  /** Deletes the temporary files; call it in any case. */
  discard(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #put(Key: string, Body: ReturnType<typeof createReadStream> | string): Promise<void> {
    const { s3, bucket } = this.#destination;
    const params = { Bucket: bucket, Key, Body, ContentType: 'application/json' };
    await orFail(() => new Upload({ client: s3, params }).done());
  }
}

function recordOf(child: ChildResult): object {
  const Input = JSON.stringify(child.input);
  if (child.status === 'PENDING') return { Input, InputDetails: { Included: true }, Status: 'PENDING' };
  return {
    ...(child.status === 'FAILED' && { Cause: child.cause, Error: child.error }),
    ExecutionArn: child.executionArn,
    Input,
    InputDetails: { Included: true },
    Name: child.name,
    ...(child.status === 'SUCCEEDED' && { Output: JSON.stringify(child.output) }),
    OutputDetails: { Included: true },
    RedriveCount: 0,
    ...REDRIVE[child.status],
    StartDate: child.startedAt.toISOString(),
    StateMachineArn: child.stateMachineArn,
    Status: child.status,
    StopDate: child.stoppedAt.toISOString(),
  };
}

const REDRIVABLE = { RedriveStatus: 'REDRIVABLE_BY_MAP_RUN' };
const REDRIVE = {
  SUCCEEDED: { RedriveStatus: 'NOT_REDRIVABLE', RedriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven' },
  FAILED: REDRIVABLE,
  ABORTED: REDRIVABLE,
};

async function orFail<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, message } = error as Error;
    throw new StatesError('States.ResultWriterFailed', `${name}: ${message}`);
  }
}

const MAX_BUFFERED_CHARACTERS = 65_536;

/** A JSON array on this machine that grows record by record; it exists once there is a record. */
class RecordFile {
  readonly name: string;
  #records = 0;
  #buffer = '';

  constructor(name: string) {
    this.name = name;
  }

  add(record: object): void {
    this.#buffer += (this.#records++ === 0 ? '[' : ',') + JSON.stringify(record);
    if (this.#buffer.length > MAX_BUFFERED_CHARACTERS) this.#flush();
  }

  /** @returns the size of the file in bytes; 0: there is no record and no file */
  end(): number {
    if (this.#records === 0) return 0;
    this.#buffer += ']';
    this.#flush();
    return statSync(this.name).size;
  }

  #flush(): void {
    appendFileSync(this.name, this.#buffer);
    this.#buffer = '';
  }
}
