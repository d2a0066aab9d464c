import { decodeStrictly } from './check-source.ts';
import { CorruptImageError } from './corrupt-image-error.ts';
import { EngineError } from './engines.ts';
import { EncoderCrashError } from './outcome.ts';
import type { EncodeTask } from './task.ts';

/**
 * One pipeline decodes and encodes: where it fails, the source is decoded once more, alone, to know which of the two
 * it was. @throws CorruptImageError, EncoderCrashError, or an error of our own code as it is
 */
export async function attributeError<T>(task: EncodeTask, act: (task: EncodeTask) => Promise<T>): Promise<T> {
  try {
    return await act(task);
  } catch (error) {
    const message = knownMessage(error);
    await decodeStrictly(task.source, task.facts);
    throw new EncoderCrashError(message, { cause: error });
  }
}

/** Why an engine failed or its output is unreadable. @throws any other error as it is: a bug of ours is no bad image */
export function knownMessage(error: unknown): string {
  if (error instanceof EngineError || error instanceof CorruptImageError) return error.message;
  throw error;
}
