/** Numbers that only grow: microseconds since 1970, so that they grow across restarts too. */
export class Sequence {
  #last = 0n;

  next(): bigint {
    const now = BigInt(Date.now()) * 1000n;
    this.#last = now > this.#last ? now : this.#last + 1n;
    return this.#last;
  }
}
