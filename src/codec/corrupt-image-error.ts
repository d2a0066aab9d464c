/** The bytes are of a known format, and its header cannot be read. */
export class CorruptImageError extends Error {
  override readonly name = 'CorruptImageError';
}
