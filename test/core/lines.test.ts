import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linesIn, linesOf } from '../../src/core/lines.ts';

async function* arriving(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function read(chunks: readonly Uint8Array[]): Promise<string[]> {
  return Array.fromAsync(linesOf(arriving(chunks)));
}

/** Cuts bytes anywhere, in the middle of a letter too. */
function cutAt(bytes: Buffer, positions: readonly number[]): Uint8Array[] {
  const cuts = [0, ...positions.map((position) => position % (bytes.length + 1)), bytes.length];
  cuts.sort((a, b) => a - b);
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

describe('lines of bytes', () => {
  test('are the same however the bytes are cut into chunks', async () => {
    const line = fc.string({ unit: fc.constantFrom('a', 'ö', '漢', '😀', ' ') });
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { minLength: 1 }),
        fc.array(fc.nat()),
        fc.constantFrom('\n', '\r\n'),
        async (lines, cuts, end) => {
          const chunks = cutAt(Buffer.from(lines.map((text) => text + end).join('')), cuts);
          expect(await read(chunks)).toEqual(lines);
          expect([...linesIn(chunks)]).toEqual(lines);
        },
      ),
    );
  });

  test('end with the last line whether a line feed follows it or not', async () => {
    expect(await read([Buffer.from('a\nb')])).toEqual(['a', 'b']);
    expect(await read([Buffer.from('a\nb\n')])).toEqual(['a', 'b']);
    expect(await read([Buffer.from('a\n\nb\n\n')])).toEqual(['a', '', 'b', '']);
    expect(await read([])).toEqual([]);
  });

  test('stay as they were read when the sender uses its buffer again', async () => {
    const buffer = Buffer.from('one\ntw');
    async function* sender() {
      yield buffer;
      buffer.write('o\nnex\n');
      yield buffer.subarray(0, 2);
    }
    expect(await Array.fromAsync(linesOf(sender()))).toEqual(['one', 'two']);
  });

  test('fail where the bytes fail: a broken stream is no end', async () => {
    async function* broken() {
      yield Buffer.from('a\nb');
      throw new Error('connection lost');
    }
    await expect(Array.fromAsync(linesOf(broken()))).rejects.toThrow('connection lost');
  });
});
