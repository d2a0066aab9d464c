import { createHash, randomUUID } from 'node:crypto';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';

export interface QueueSettings {
  readonly name: string;
  /** The function that the queue invokes. A throw counts as a failure of every message of the event. */
  invoke(event: SQSEvent): Promise<SQSBatchResponse | undefined>;
  readonly batchSize: number;
  /** Invocations at once. */
  readonly concurrency: number;
  /** Deliveries of one message before it becomes a dead letter. */
  readonly maxReceiveCount: number;
  /** Before a failed message is delivered again. */
  readonly retryDelayMs: number;
  onDeadLetter(record: SQSRecord): void;
}

/** Replaces SQS with a dead-letter queue: delivery at least once, in batches, with partial failures. */
export interface LocalQueue {
  send(body: string): void;
  /** Resolves when no message is waiting, in flight or to be retried. */
  idle(): Promise<void>;
  /** Stops delivering, and waits for messages in flight. */
  close(): Promise<void>;
}

export function createQueue(settings: QueueSettings): LocalQueue {
  const { batchSize, concurrency, maxReceiveCount, retryDelayMs } = settings;
  const waiting: SQSRecord[] = [];
  const retries = new Set<NodeJS.Timeout>();
  const onIdle = new Set<() => void>();
  let inFlight = 0;
  let open = true;

  const deliverWaiting = () => {
    while (open && inFlight < concurrency && waiting.length > 0) void deliver(waiting.splice(0, batchSize));
    if (inFlight > 0 || (open && waiting.length + retries.size > 0)) return;
    for (const resolve of onIdle) resolve();
    onIdle.clear();
  };
  const deliver = async (records: readonly SQSRecord[]) => {
    inFlight += 1;
    const failed = await failuresOf(records, settings);
    inFlight -= 1;
    for (const record of failed) retry(record);
    deliverWaiting();
  };
  const retry = (record: SQSRecord) => {
    if (receiveCount(record) >= maxReceiveCount) return settings.onDeadLetter(record);
    const timer = setTimeout(() => {
      retries.delete(timer);
      waiting.push(receivedAgain(record));
      deliverWaiting();
    }, retryDelayMs);
    retries.add(timer);
  };
  const idle = () =>
    new Promise<void>((resolve) => {
      onIdle.add(resolve);
      deliverWaiting();
    });
  return {
    send: (body) => {
      waiting.push(newRecord(settings.name, body));
      // Events come in bursts: a short delay makes batches of them.
      setImmediate(deliverWaiting);
    },
    idle,
    close: () => {
      open = false;
      for (const timer of retries) clearTimeout(timer);
      return idle();
    },
  };
}

async function failuresOf(records: readonly SQSRecord[], { invoke }: QueueSettings) {
  try {
    const answer = await invoke({ Records: [...records] });
    const failed = new Set(answer?.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    return records.filter(({ messageId }) => failed.has(messageId));
  } catch {
    return records;
  }
}

function newRecord(queue: string, body: string): SQSRecord {
  const now = String(Date.now());
  const times = { SentTimestamp: now, ApproximateFirstReceiveTimestamp: now };
  return {
    messageId: randomUUID(),
    receiptHandle: randomUUID(),
    body,
    attributes: { ApproximateReceiveCount: '1', SenderId: 'local', ...times },
    messageAttributes: {},
    md5OfBody: createHash('md5').update(body).digest('hex'),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queue}`,
    awsRegion: 'us-east-1',
  };
}

function receiveCount(record: SQSRecord): number {
  return Number(record.attributes.ApproximateReceiveCount);
}

function receivedAgain(record: SQSRecord): SQSRecord {
  const attributes = { ...record.attributes, ApproximateReceiveCount: String(receiveCount(record) + 1) };
  return { ...record, receiptHandle: randomUUID(), attributes };
}
