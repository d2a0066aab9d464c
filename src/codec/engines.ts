/** An engine in native code (libvips, mozjpeg, oxipng) refused or failed; the message is the engine's. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** What an engine answers; its rejection as EngineError, so that no error of our own code is taken for one. */
export async function fromEngine<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new EngineError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
