/** An image takes longer to be compressed than its host allows. It is sound, and kept. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError';
}
