/**
 * The bytes of one image, which nobody changes, and what was found out about them: a container is parsed once per image,
 * and judged once, however many questions are asked of it.
 */
export class ImageFile {
  readonly bytes: Uint8Array;
  readonly #known = new Map<unknown, unknown>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** What `reader` makes of the bytes. @throws what `reader` throws, each time anew */
  read<Reading>(reader: (bytes: Uint8Array) => Reading): Reading {
    return this.once(reader, () => reader(this.bytes));
  }

  /**
   * What `find` found the first time, for everything of this key. A promise that rejects is forgotten again.
   * @param key belongs to one kind of answer
   */
  once<Answer>(key: unknown, find: () => Answer): Answer {
    if (this.#known.has(key)) return this.#known.get(key) as Answer;
    const answer = find();
    this.#known.set(key, answer);
    if (answer instanceof Promise) answer.catch(() => this.#known.delete(key));
    return answer;
  }
}
