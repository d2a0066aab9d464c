import type { Logger } from '@aws-lambda-powertools/logger';
import type { BytesOutcome } from '../codec/outcome.ts';
import { compressInPlace } from '../compress/compress-in-place.ts';
import { outcomeOrError } from '../compress/outcome-or-error.ts';
import type { WriteCount } from '../core/compression-mark.ts';
import { FAILURE_CODES, type Outcome, UPLOAD_ATTEMPTS } from '../core/image-result.ts';
import type { CompressionSettings } from '../core/job.ts';
import type { EndpointCheck, ObjectStore } from '../core/object-store.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import type { UndoEntry } from '../core/undo.ts';
import { readUploadEvent } from '../core/upload-event.ts';
import type { UploadSettings } from './upload-settings.ts';
import type { WriteRateLimit } from './write-rate-limit.ts';

export interface UploadHost {
  readonly store: ObjectStore;
  compress(bytes: Uint8Array, settings: CompressionSettings): Promise<BytesOutcome>;
  readonly settings: UploadSettings;
  /** One for the life of the process. */
  readonly writeRateLimit: WriteRateLimit;
  /** Whether images of a bucket may be replaced: one for the life of the process. */
  readonly endpointCheck?: EndpointCheck;
  /** Messages in flight at once. */
  readonly concurrency: number;
  /** Aborted when the host's time is up: messages not yet started go back to the queue. */
  readonly closing: AbortSignal;
  /** Aborted when there is only time to answer: messages still in flight go back as well. */
  readonly ending: AbortSignal;
  readonly maxBytes?: number;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  count(metric: UploadMetric, value: number): void;
}

export type UploadMetric =
  | (typeof METRICS)[Outcome['status']]
  | 'UploadsMissing'
  | 'WriteLimitReached'
  | 'UnreadableMessages'
  | 'BytesIn'
  | 'BytesOut';

/** The fields of an SQS event that are used here. */
export interface UploadMessages {
  readonly Records: readonly {
    readonly messageId: string;
    readonly body: string;
    readonly attributes: { readonly ApproximateReceiveCount: string };
  }[];
}
type Message = UploadMessages['Records'][number];

/**
 * Recompresses in place what the messages say was uploaded. A message goes back to the queue only when another try
 * can help, or when a person should find it in the dead-letter queue; a broken image is reported and not tried again.
 */
export async function recompressUploads({ Records }: UploadMessages, host: UploadHost) {
  const settled = new Set<Message>();
  const answered = new Set<Message>();
  const compress = compressOnce(host);
  const queue = [...Records].sort((a, b) => priorityOf(a) - priorityOf(b)).values();
  const work = async () => {
    for (const message of queue) {
      if (host.closing.aborted) return;
      if (await settle(message, host, compress)) settled.add(message);
      answered.add(message);
    }
  };
  const all = Promise.all(Array.from({ length: host.concurrency }, work));
  await Promise.race([all, aborted(host.ending)]);
  // A call that ends without an answer would send back the finished messages, too.
  for (const message of Records)
    if (!answered.has(message)) logReturned(message, host, { reason: 'the time of this call was up' });
  const again = Records.filter((message) => !settled.has(message));
  return { batchItemFailures: again.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

/**
 * A message that failed once comes last: should it crash this process, the others are already done. From then on it
 * comes first: it may only have run out of time, and would again.
 */
function priorityOf(message: Message): number {
  const count = receiveCount(message);
  if (count === 2) return 2;
  return count > 2 ? 0 : 1;
}

function receiveCount({ attributes }: Message): number {
  return Number(attributes.ApproximateReceiveCount);
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** Several messages of one batch may name one object: it is compressed once, as it is now. */
function compressOnce(host: UploadHost) {
  const seen = new Map<string, Promise<Outcome>>();
  return (location: S3Location): Promise<Outcome> => {
    const uri = formatS3Uri(location);
    const outcome = seen.get(uri) ?? compressUpload(location, host);
    seen.set(uri, outcome);
    return outcome;
  };
}

/** @returns whether the message can leave the queue */
async function settle(message: Message, host: UploadHost, compress: ReturnType<typeof compressOnce>) {
  const uploads = readMessage(message, host);
  if (!uploads) return false;
  let settled = true;
  for (const upload of uploads) {
    const outcome = await compress(upload);
    if (isSettled(outcome, receiveCount(message))) continue;
    settled = false;
    logReturned(message, host, { source: formatS3Uri(upload), ...logFields(outcome) });
  }
  return settled;
}

/** At every try, so that a message in the dead-letter queue can be looked up with its reason. */
function logReturned(message: Message, { log }: UploadHost, fields: object): void {
  log.warn('message goes back to the queue', { ...idOf(message), ...fields });
}

function idOf(message: Message) {
  return { messageId: message.messageId, receives: receiveCount(message) };
}

function readMessage(message: Message, { log, count }: UploadHost): readonly S3Location[] | undefined {
  try {
    return readUploadEvent(message.body);
  } catch (error) {
    count('UnreadableMessages', 1);
    log.error('message is no S3 event', { ...idOf(message), reason: (error as Error).message });
    return undefined;
  }
}

async function compressUpload(location: S3Location, host: UploadHost): Promise<Outcome> {
  const { store, compress, settings, writeRateLimit, endpointCheck, maxBytes, log } = host;
  let writes: WriteCount | undefined;
  let undo: UndoEntry | undefined;
  const compressing = compressInPlace(location, {
    ...settings,
    settings: settings.compression,
    store,
    compress,
    maxBytes,
    endpointCheck,
    countWrite: (before) => {
      writes = writeRateLimit.next(location, before);
      return writes;
    },
    onUndo: (entry) => {
      undo = entry;
    },
  });
  const outcome = await outcomeOrError(compressing, location, {}, log);
  if (outcome.status === 'compressed' && writes) writeRateLimit.record(location, writes);
  report(outcome, { source: formatS3Uri(location), ...logFields(outcome), ...(undo && { undo }) }, host);
  return outcome;
}

// No further try changes a bad image: log and metric report it to its owner.
function isSettled(outcome: Outcome, receives: number): boolean {
  return outcome.status !== 'failed' || receives >= UPLOAD_ATTEMPTS[FAILURE_CODES[outcome.code].retry];
}

const METRICS = {
  compressed: 'UploadsCompressed',
  kept: 'UploadsKept',
  skipped: 'UploadsSkipped',
  failed: 'UploadsFailed',
} as const satisfies Record<Outcome['status'], string>;

function report(outcome: Outcome, fields: Record<string, unknown>, { count, log }: UploadHost): void {
  const isBad = isOverLimit(outcome) || (outcome.status === 'failed' && !isMissing(outcome));
  log[isBad ? 'error' : 'info'](`upload ${outcome.status}`, fields);
  count(isMissing(outcome) ? 'UploadsMissing' : METRICS[outcome.status], 1);
  if (outcome.status === 'compressed') {
    count('BytesIn', outcome.bytesIn);
    count('BytesOut', outcome.bytesOut);
  }
  if (isOverLimit(outcome)) count('WriteLimitReached', 1);
}

function isMissing(outcome: Outcome): boolean {
  return outcome.status === 'failed' && outcome.code === 'NotFound';
}

function isOverLimit(outcome: Outcome): boolean {
  return outcome.status === 'skipped' && outcome.reason === 'write-limit';
}

/** The outcome as fields of a log line, where `message` is the line's own. */
function logFields(outcome: Outcome): object {
  if (outcome.status !== 'failed') return outcome;
  const { message, ...failure } = outcome;
  return { ...failure, reason: message };
}
