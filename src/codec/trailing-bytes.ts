/** How many bytes lie behind the end of an image; none when they are only padding. */
export function countTrailing(bytes: Uint8Array, end: number): number {
  const rest = bytes.subarray(end);
  // Padding is no data: cameras and copying programs fill up with zeros.
  return rest.every((byte) => byte === 0) ? 0 : rest.length;
}
