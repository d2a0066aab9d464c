import sharp, { type Sharp, type SharpInput, type SharpOptions } from 'sharp';

/** An engine in native code (libvips, mozjpeg, oxipng) refused or failed; the message is the engine's. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
}

/** What an engine answers; its rejection as EngineError, so that no error of our own code is taken for one. */
export async function fromEngine<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    noteWarning();
    throw new EngineError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** One image, one thread: hosts run as many images at once as they have cores. */
export function configureLibvips(): void {
  sharp.concurrency(1);
  sharp.cache(false);
}

/** Every image that libvips opens for us is opened here, so that none of its warnings is lost. */
export function openSharp(input: SharpInput, options: SharpOptions = {}): Sharp {
  return sharp(input, options).on('warning', noteWarning) as Sharp;
}

/**
 * Whether libvips warned while `work` was going on. It keeps its warnings in one queue of the process, sharp hands them
 * to whichever call ends next, and a call that fails takes them into its own message. So a warning, and a failure,
 * counts for every `work` in progress: too often is safe, once too seldom is not.
 */
export async function withWarnings<T>(work: () => Promise<T>): Promise<{ answer: T; warned: boolean }> {
  const watch = { warned: false };
  watches.add(watch);
  try {
    return { answer: await work(), warned: watch.warned };
  } finally {
    watches.delete(watch);
  }
}

const watches = new Set<{ warned: boolean }>();

function noteWarning(): void {
  for (const watch of watches) watch.warned = true;
}
