import { createHash, randomUUID } from 'node:crypto';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';

export interface QueueSettings {
  readonly name: string;
  /** The function behind the queue; a throw counts for every message handed over. */
  invoke(event: SQSEvent): Promise<SQSBatchResponse | undefined>;
  readonly batchSize: number;
  /** Invocations at once. */
  readonly concurrency: number;
  /** Deliveries of one message before it goes to the dead letters. */
  readonly maxReceiveCount: number;
  /** Until a message that failed is seen again. */
  readonly retryDelayMs: number;
  onDeadLetter(record: SQSRecord): void;
}

/** What stands in for SQS with its dead-letter queue: at least once, in batches, with partial failures. */
export interface LocalQueue {
  send(body: string): void;
  /** Resolves when no message waits, is in hand, or is to be tried again. */
  idle(): Promise<void>;
  /** Hands nothing more over, and waits for what is in hand. */
  close(): Promise<void>;
}

export function createQueue(settings: QueueSettings): LocalQueue {
  const { batchSize, concurrency, maxReceiveCount, retryDelayMs } = settings;
  const waiting: SQSRecord[] = [];
  const retries = new Set<NodeJS.Timeout>();
  const atRest = new Set<() => void>();
  let inHand = 0;
  let open = true;

  const handOver = () => {
    while (open && inHand < concurrency && waiting.length > 0) void deliver(waiting.splice(0, batchSize));
    if (inHand > 0 || (open && waiting.length + retries.size > 0)) return;
    for (const tell of atRest) tell();
    atRest.clear();
  };
  const deliver = async (records: readonly SQSRecord[]) => {
    inHand += 1;
    const failed = await failuresOf(records, settings);
    inHand -= 1;
    for (const record of failed) again(record);
    handOver();
  };
  const again = (record: SQSRecord) => {
    if (receivedTimes(record) >= maxReceiveCount) return settings.onDeadLetter(record);
    const retry = setTimeout(() => {
      retries.delete(retry);
      waiting.push(receivedAgain(record));
      handOver();
    }, retryDelayMs);
    retries.add(retry);
  };
  const rest = () =>
    new Promise<void>((resolve) => {
      atRest.add(resolve);
      handOver();
    });
  return {
    send: (body) => {
      waiting.push(newRecord(settings.name, body));
      // Events come in bursts: a moment's patience makes batches of them.
      setImmediate(handOver);
    },
    idle: rest,
    close: () => {
      open = false;
      for (const retry of retries) clearTimeout(retry);
      return rest();
    },
  };
}

async function failuresOf(
  records: readonly SQSRecord[],
  { invoke }: QueueSettings,
): Promise<readonly SQSRecord[]> {
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
  return {
    messageId: randomUUID(),
    receiptHandle: randomUUID(),
    body,
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: now,
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: now,
    },
    messageAttributes: {},
    md5OfBody: createHash('md5').update(body).digest('hex'),
    eventSource: 'aws:sqs',
    eventSourceARN: `arn:aws:sqs:us-east-1:000000000000:${queue}`,
    awsRegion: 'us-east-1',
  };
}

function receivedTimes(record: SQSRecord): number {
  return Number(record.attributes.ApproximateReceiveCount);
}

function receivedAgain(record: SQSRecord): SQSRecord {
  const times = String(receivedTimes(record) + 1);
  return {
    ...record,
    receiptHandle: randomUUID(),
    attributes: { ...record.attributes, ApproximateReceiveCount: times },
  };
}
