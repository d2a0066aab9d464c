import type { SQSEvent, SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { createQueue } from '../../../local/cloud/queue.ts';

function queueOn(
  invoke: (event: SQSEvent) => Promise<{ batchItemFailures: { itemIdentifier: string }[] } | undefined>,
) {
  const dead: SQSRecord[] = [];
  const queue = createQueue({
    name: 'q',
    invoke,
    batchSize: 4,
    concurrency: 2,
    maxReceiveCount: 3,
    retryDelayMs: 1,
    onDeadLetter: (record) => dead.push(record),
  });
  return { queue, dead };
}

describe('the local queue', () => {
  it('delivers every message once, in batches', async () => {
    const batches: string[][] = [];
    const { queue } = queueOn(async ({ Records }) => {
      batches.push(Records.map(({ body }) => body));
      return undefined;
    });
    for (let n = 0; n < 10; n++) queue.send(String(n));
    await queue.idle();
    expect(batches.flat().sort()).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
    expect(Math.max(...batches.map((batch) => batch.length))).toBe(4);
  });

  it('retries only failed messages, and makes them dead letters in the end', async () => {
    const seen: Record<string, number> = {};
    const { queue, dead } = queueOn(async ({ Records }) => {
      for (const { body } of Records) seen[body] = (seen[body] ?? 0) + 1;
      return {
        batchItemFailures: Records.filter(({ body }) => body === 'bad').map(({ messageId }) => ({
          itemIdentifier: messageId,
        })),
      };
    });
    queue.send('good');
    queue.send('bad');
    await queue.idle();
    expect(seen).toEqual({ good: 1, bad: 3 });
    expect(dead.map(({ body }) => body)).toEqual(['bad']);
  });

  it('counts a throw as a failure of all messages of the event', async () => {
    const delivered: string[] = [];
    let calls = 0;
    const { queue, dead } = queueOn(async ({ Records }) => {
      calls += 1;
      if (calls === 1) throw new Error('crash');
      delivered.push(...Records.map(({ body }) => body));
      return undefined;
    });
    queue.send('a');
    queue.send('b');
    await queue.idle();
    expect(delivered.sort()).toEqual(['a', 'b']);
    expect(dead).toEqual([]);
  });
});
