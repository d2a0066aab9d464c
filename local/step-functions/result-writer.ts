import { createReadStream } from 'node:fs';
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { ResultWriter } from './definition.ts';
import { limitPayload, MAX_PAYLOAD_BYTES, payloadBytes, StatesError } from './states-error.ts';

/** What became of one child of a Distributed Map. PENDING: it was never started. */
export type ChildResult =
  | { readonly status: 'PENDING'; readonly input: unknown }
  | {
      readonly status: 'SUCCEEDED' | 'FAILED' | 'ABORTED';
      /** Ordinal among the children, from 0. */
      readonly index: number;
      readonly executionArn: string;
      readonly name: string;
      readonly stateMachineArn: string;
      readonly input: unknown;
      readonly startedAt: Date;
      readonly stoppedAt: Date;
      readonly output?: unknown;
      readonly error?: string;
      readonly cause?: string;
    };

/** Takes the results of a Map Run as they come and answers the output of the Map state. */
export interface ResultSink {
  add(child: ChildResult): Promise<void>;
  close(): Promise<unknown>;
  /** Removes what lies on this machine; to be called in any case. */
  discard(): Promise<void>;
}

export interface MapRunDestination {
  readonly s3: S3Client;
  readonly mapRunArn: string;
  readonly bucket: string;
  readonly prefix: string;
  /** AWS begins the next file at 5 GB. */
  readonly bytesPerFile?: number;
}

/**
 * Writes the results to S3 in AWS's layout: `<prefix>/<uuid of the Map Run>/manifest.json` and beside it
 * SUCCEEDED_n.json, FAILED_n.json (failed and aborted) and PENDING_n.json (never started). They are gathered in
 * files on this machine, so that memory does not grow with the number of children.
 * @throws StatesError `States.ResultWriterFailed`
 */
export async function writeResults(
  { s3, mapRunArn, bucket, prefix, bytesPerFile = 5_000_000_000 }: MapRunDestination,
  { Transformation = 'NONE', OutputType = 'JSON' }: NonNullable<ResultWriter['WriterConfig']> = {},
): Promise<ResultSink> {
  const folder = await mkdtemp(path.join(tmpdir(), 'map-run-'));
  const isLines = OutputType === 'JSONL';
  const series = Object.fromEntries(
    ['FAILED', 'PENDING', 'SUCCEEDED'].map((status) => [
      status,
      new FileSeries(folder, status, isLines, bytesPerFile),
    ]),
  );
  const runPrefix = `${prefix === '' ? '' : `${prefix.replace(/\/$/, '')}/`}${mapRunArn.split(':').at(-1)}`;
  const put = (Key: string, Body: Readable | string) =>
    new Upload({ client: s3, params: { Bucket: bucket, Key, Body, ContentType: 'application/json' } }).done();

  return {
    async add(child) {
      const file = series[child.status === 'ABORTED' ? 'FAILED' : child.status]!;
      for (const record of recordsOf(child, Transformation)) await orFail(file.add(JSON.stringify(record)));
    },
    async close() {
      const ResultFiles: Record<string, { Key: string; Size: number }[]> = {};
      for (const [status, files] of Object.entries(series)) {
        ResultFiles[status] = [];
        for (const { name, bytes } of await orFail(files.end())) {
          const Key = `${runPrefix}/${name}`;
          await orFail(put(Key, createReadStream(path.join(folder, name))));
          ResultFiles[status].push({ Key, Size: bytes });
        }
      }
      const manifest = { DestinationBucket: bucket, MapRunArn: mapRunArn, ResultFiles };
      const Key = `${runPrefix}/manifest.json`;
      await orFail(put(Key, JSON.stringify(manifest)));
      return { MapRunArn: mapRunArn, ResultWriterDetails: { Bucket: bucket, Key } };
    },
    async discard() {
      for (const files of Object.values(series)) await files.abandon();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * Keeps the results for the Map state's output, in the order of the items.
 * @throws StatesError `States.DataLimitExceeded` on closing when they are too many: use a ResultWriter then
 */
export function collectResults({
  Transformation = 'COMPACT',
}: NonNullable<ResultWriter['WriterConfig']> = {}): ResultSink {
  const kept: (readonly unknown[])[] = [];
  let bytes = 0;
  return {
    async add(child) {
      if (child.status === 'PENDING') return;
      const records = recordsOf(child, Transformation);
      bytes += payloadBytes(records);
      // Above the limit only the sum matters: it makes closing fail.
      if (bytes <= 2 * MAX_PAYLOAD_BYTES) kept[child.index] = records;
    },
    async close() {
      if (bytes > 2 * MAX_PAYLOAD_BYTES) {
        const cause = `The outputs of the children have more than ${MAX_PAYLOAD_BYTES} bytes: use a ResultWriter.`;
        throw new StatesError('States.DataLimitExceeded', cause);
      }
      return limitPayload(kept.flat(), 'output of the Map state');
    },
    async discard() {},
  };
}

/** Failed children are written with their metadata whatever the transformation. */
function recordsOf(child: ChildResult, transformation: string): readonly unknown[] {
  if (child.status !== 'SUCCEEDED' || transformation === 'NONE') return [recordOf(child)];
  return transformation === 'FLATTEN' && Array.isArray(child.output) ? child.output : [child.output];
}

function recordOf(child: ChildResult): object {
  const Input = JSON.stringify(child.input);
  if (child.status === 'PENDING') return { Input, InputDetails: { Included: true }, Status: 'PENDING' };
  const isSucceeded = child.status === 'SUCCEEDED';
  return {
    ...(child.cause === undefined ? {} : { Cause: child.cause }),
    ...(child.error === undefined ? {} : { Error: child.error }),
    ExecutionArn: child.executionArn,
    Input,
    InputDetails: { Included: true },
    Name: child.name,
    ...(isSucceeded ? { Output: JSON.stringify(child.output) } : {}),
    OutputDetails: { Included: true },
    RedriveCount: 0,
    RedriveStatus: isSucceeded ? 'NOT_REDRIVABLE' : 'REDRIVABLE_BY_MAP_RUN',
    ...(isSucceeded ? { RedriveStatusReason: 'Execution is SUCCEEDED and cannot be redriven' } : {}),
    StartDate: child.startedAt.toISOString(),
    StateMachineArn: child.stateMachineArn,
    Status: child.status,
    StopDate: child.stoppedAt.toISOString(),
  };
}

async function orFail<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { name, message } = error as Error;
    throw new StatesError('States.ResultWriterFailed', `${name}: ${message}`);
  }
}

const BUFFERED_LETTERS = 65_536;

/** The files `<status>_0.json`, `<status>_1.json`, … of one status, each a JSON array or JSON Lines. */
class FileSeries {
  readonly #folder: string;
  readonly #status: string;
  readonly #isLines: boolean;
  readonly #bytesPerFile: number;
  readonly #ended: { name: string; bytes: number }[] = [];
  #current: { name: string; handle: FileHandle; bytes: number } | undefined;
  #buffer = '';
  #bufferBytes = 0;
  /** One write after the other: children end at the same time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: string, status: string, isLines: boolean, bytesPerFile: number) {
    this.#folder = folder;
    this.#status = status;
    this.#isLines = isLines;
    this.#bytesPerFile = bytesPerFile;
  }

  add(record: string): Promise<void> {
    return this.#inTurn(() => this.#append(record));
  }

  end(): Promise<readonly { name: string; bytes: number }[]> {
    return this.#inTurn(async () => {
      await this.#endFile();
      return this.#ended;
    });
  }

  async abandon(): Promise<void> {
    await this.#turn.catch(() => {});
    await this.#current?.handle.close();
    this.#current = undefined;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #append(record: string): Promise<void> {
    const bytes = Buffer.byteLength(record) + 2;
    if (this.#current && this.#current.bytes + this.#bufferBytes + bytes > this.#bytesPerFile) {
      await this.#endFile();
    }
    if (!this.#current) await this.#beginFile();
    const isFirst = this.#current!.bytes + this.#bufferBytes <= 1;
    const separator = this.#isLines ? '' : isFirst ? '' : ',';
    this.#buffer += separator + record + (this.#isLines ? '\n' : '');
    this.#bufferBytes += bytes;
    if (this.#buffer.length > BUFFERED_LETTERS) await this.#flush();
  }

  async #beginFile(): Promise<void> {
    const name = `${this.#status}_${this.#ended.length}.${this.#isLines ? 'jsonl' : 'json'}`;
    const handle = await open(path.join(this.#folder, name), 'w');
    this.#current = { name, handle, bytes: 0 };
    if (!this.#isLines) this.#buffer = '[';
  }

  async #flush(): Promise<void> {
    const text = this.#buffer;
    this.#buffer = '';
    this.#bufferBytes = 0;
    await this.#current!.handle.appendFile(text);
    this.#current!.bytes += Buffer.byteLength(text);
  }

  async #endFile(): Promise<void> {
    if (!this.#current) return;
    if (!this.#isLines) this.#buffer += ']';
    await this.#flush();
    const { name, handle, bytes } = this.#current;
    this.#current = undefined;
    await handle.close();
    this.#ended.push({ name, bytes });
  }
}
