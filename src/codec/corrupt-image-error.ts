/** The bytes are of a known format, and its header cannot be read. */
export class CorruptImageError extends Error {
  override readonly name = 'CorruptImageError';
}

/** @param what was found instead of a readable header */
export function corruptHeader(format: string, what: string, at: number): CorruptImageError {
  return new CorruptImageError(`Expected a readable ${format} header but found ${what} at byte ${at}`);
}
