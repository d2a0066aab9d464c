let last = 0n;

/** A number greater than every one before: microseconds since 1970, so that it grows across restarts too. */
export function nextInSequence(): bigint {
  const now = BigInt(Date.now()) * 1000n;
  last = now > last ? now : last + 1n;
  return last;
}
