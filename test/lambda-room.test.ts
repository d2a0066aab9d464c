import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { closingBefore, lambdaRoom } from '../src/lambda-room.ts';

describe('the room of a Lambda', () => {
  it('grows with its memory, and leaves some for the runtime', () => {
    expect(lambdaRoom(1769)).toEqual({ concurrency: 3, memoryBytes: 1569 * 1024 * 1024 });
    expect(lambdaRoom(3538).concurrency).toBe(4);
    expect(lambdaRoom(128).memoryBytes).toBe(64 * 1024 * 1024);
  });

  it('closes a fifth before the end of a short time', async () => {
    using closing = closingBefore(50);
    expect(closing.signal.aborted).toBe(false);
    await sleep(60);
    expect(closing.signal.aborted).toBe(true);
  });

  it('does not close after the work is done', async () => {
    const closing = closingBefore(20);
    closing[Symbol.dispose]();
    await sleep(40);
    expect(closing.signal.aborted).toBe(false);
  });
});
