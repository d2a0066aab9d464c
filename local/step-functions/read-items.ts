import type { StateMachineHost } from './execution.ts';
import { StatesError } from './states-error.ts';

/**
 * Reads the items of a JSON Lines object one after the other; memory does not grow with their number.
 * @throws StatesError `States.ItemReaderFailed`
 */
export async function* readItems(
  location: { readonly bucket: string; readonly key: string },
  readObject: StateMachineHost['readObject'],
): AsyncGenerator<unknown> {
  try {
    for await (const line of linesOf(readObject(location))) if (line.trim() !== '') yield JSON.parse(line);
  } catch (error) {
    const { name, message } = error as Error;
    const place = `s3://${location.bucket}/${location.key}`;
    throw new StatesError('States.ItemReaderFailed', `Error while reading ${place}: ${name}: ${message}`);
  }
}

/** Not node:readline: it ends without an error where the stream broke, and the remaining items would be lost. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  yield rest + decoder.decode();
}
