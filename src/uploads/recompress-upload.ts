import type { Logger } from '@aws-lambda-powertools/logger';
import type { BytesOutcome } from '../codec/outcome.ts';
import { compressInPlace } from '../compress/compress-in-place.ts';
import { logUnexpected } from '../compress/log-unexpected.ts';
import type { WriteCount } from '../core/compression-mark.ts';
import type { Outcome } from '../core/image-result.ts';
import type { CompressionSettings } from '../core/job.ts';
import type { ObjectStore } from '../core/object-store.ts';
import { outcomeOfError } from '../core/outcome-of-error.ts';
import { formatS3Uri, type S3Location } from '../core/s3-uri.ts';
import type { UndoEntry } from '../core/undo.ts';
import { readUploadEvent } from '../core/upload-event.ts';
import type { UploadSettings } from './upload-settings.ts';
import type { WriteLedger } from './write-rate-limit.ts';

export interface UploadHost {
  readonly store: ObjectStore;
  compress(bytes: Uint8Array, settings: CompressionSettings): Promise<BytesOutcome>;
  readonly settings: UploadSettings;
  /** One for the life of the process. */
  readonly ledger: WriteLedger;
  /** Messages in hand at once. */
  readonly concurrency: number;
  /** Aborted when the host's time is up: messages not yet begun go back to the queue. */
  readonly closing: AbortSignal;
  /** Aborted when there is no more than the time to answer: what is still in hand goes back as well. */
  readonly ending: AbortSignal;
  readonly maxBytes?: number;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  count(metric: UploadMetric, value: number): void;
}

export type UploadMetric =
  | 'UploadsCompressed'
  | 'UploadsKept'
  | 'UploadsSkipped'
  | 'UploadsFailed'
  | 'UploadsMissing'
  | 'WriteLimitReached'
  | 'UnreadableMessages'
  | 'BytesIn'
  | 'BytesOut';

/** What of an SQS event matters here. */
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
 * can help, or when a person should find it in the dead-letter queue; a broken image is reported and done with.
 */
export async function recompressUploads(
  { Records }: UploadMessages,
  host: UploadHost,
): Promise<{ batchItemFailures: { itemIdentifier: string }[] }> {
  const settled = new Set<Message>();
  const answered = new Set<Message>();
  const once = compressOnce(host);
  const queue = [...Records].sort((a, b) => turnOf(a) - turnOf(b)).values();
  const work = async () => {
    for (const message of queue) {
      if (host.closing.aborted) return;
      if (await settle(message, host, once)) settled.add(message);
      answered.add(message);
    }
  };
  const all = Promise.all(Array.from({ length: host.concurrency }, work));
  await Promise.race([all, aborted(host.ending)]);
  // A call that ends without an answer would send back what is done, too.
  for (const message of Records) if (!answered.has(message)) tellOutOfTime(message, host);
  const again = Records.filter((message) => !settled.has(message));
  return { batchItemFailures: again.map(({ messageId }) => ({ itemIdentifier: messageId })) };
}

/**
 * What failed once comes last, so that what it may do to this process harms nobody else's turn. From then on it comes
 * first: it may only have been left over, and would be again.
 */
function turnOf(message: Message): number {
  const before = receives(message);
  return before === 2 ? 2 : before > 2 ? 0 : 1;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function tellOutOfTime(message: Message, { log }: UploadHost): void {
  log.warn('message goes back to the queue', {
    messageId: message.messageId,
    receives: receives(message),
    reason: 'the time of this call was up before its turn was over',
  });
}

type CompressUpload = (location: S3Location) => Promise<Outcome>;

/** Several messages of one batch may tell of one object: it is looked at once, as it is now. */
function compressOnce(host: UploadHost): CompressUpload {
  const seen = new Map<string, Promise<Outcome>>();
  return (location) => {
    const uri = formatS3Uri(location);
    const outcome = seen.get(uri) ?? compressUpload(location, host);
    seen.set(uri, outcome);
    return outcome;
  };
}

/** Whether the message is done with. */
async function settle(message: Message, host: UploadHost, compress: CompressUpload): Promise<boolean> {
  const uploads = readMessage(message, host);
  if (!uploads) return false;
  let settled = true;
  for (const upload of uploads) {
    const outcome = await compress(upload);
    if (isSettled(outcome, receives(message))) continue;
    settled = false;
    const { messageId } = message;
    // Said at every try, so that a message in the dead-letter queue can be looked up with its reason.
    host.log.warn('message goes back to the queue', {
      messageId,
      receives: receives(message),
      source: formatS3Uri(upload),
      ...told(outcome),
    });
  }
  return settled;
}

function readMessage(message: Message, { log, count }: UploadHost): readonly S3Location[] | undefined {
  try {
    return readUploadEvent(message.body);
  } catch (error) {
    const { messageId } = message;
    count('UnreadableMessages', 1);
    log.error('message is no S3 event', {
      messageId,
      receives: receives(message),
      reason: (error as Error).message,
    });
    return undefined;
  }
}

async function compressUpload(location: S3Location, host: UploadHost): Promise<Outcome> {
  const { store, settings, ledger, maxBytes } = host;
  let writes: WriteCount | undefined;
  let undo: UndoEntry | undefined;
  const inPlace = compressInPlace(location, {
    ...settings,
    settings: settings.compression,
    store,
    compress: host.compress,
    maxBytes,
    countWrite: (before) => {
      writes = ledger.next(location, before);
      return writes;
    },
    onUndo: (entry) => {
      undo = entry;
    },
  });
  const outcome = logUnexpected(await inPlace.catch(outcomeOfError), location, {}, host.log);
  if (outcome.status === 'compressed' && writes) ledger.record(location, writes);
  report(location, outcome, undo, host);
  return outcome;
}

/** An event can be quicker than the object; after this many looks it is taken for deleted. */
const LOOKS_FOR_MISSING = 3;

function isSettled(outcome: Outcome, receives: number): boolean {
  if (outcome.status !== 'failed') return true;
  switch (outcome.code) {
    case 'CorruptImage':
    case 'TooLarge':
      return true; // no further try changes the image: its owner hears of it by log and metric
    case 'NotFound':
      return receives >= LOOKS_FOR_MISSING;
    default:
      return false;
  }
}

const METRICS: Readonly<Record<Outcome['status'], UploadMetric>> = {
  compressed: 'UploadsCompressed',
  kept: 'UploadsKept',
  skipped: 'UploadsSkipped',
  failed: 'UploadsFailed',
};

function report(
  location: S3Location,
  outcome: Outcome,
  undo: UndoEntry | undefined,
  { log, count }: UploadHost,
): void {
  const isMissing = outcome.status === 'failed' && outcome.code === 'NotFound';
  count(isMissing ? 'UploadsMissing' : METRICS[outcome.status], 1);
  if (outcome.status === 'compressed') {
    count('BytesIn', outcome.bytesIn);
    count('BytesOut', outcome.bytesOut);
  }
  const overLimit = outcome.status === 'skipped' && outcome.reason === 'write-limit';
  if (overLimit) count('WriteLimitReached', 1);
  const isBad = overLimit || (outcome.status === 'failed' && !isMissing);
  log[isBad ? 'error' : 'info'](`upload ${outcome.status}`, {
    source: formatS3Uri(location),
    ...told(outcome),
    ...(undo && { undo }),
  });
}

/** As fields of a log line, where `message` is the line's own. */
function told(outcome: Outcome): object {
  if (outcome.status !== 'failed') return outcome;
  const { message, ...failure } = outcome;
  return { ...failure, reason: message };
}

function receives({ attributes }: Message): number {
  return Number(attributes.ApproximateReceiveCount);
}
