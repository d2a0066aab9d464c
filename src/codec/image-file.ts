/**
 * The bytes of one image, which nobody changes, and what was read of them: a container is parsed once per image, however
 * many questions are asked of it.
 */
export class ImageFile {
  readonly bytes: Uint8Array;
  readonly #readings = new Map<unknown, unknown>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** What `reader` makes of the bytes. @throws what `reader` throws, each time anew */
  read<Reading>(reader: (bytes: Uint8Array) => Reading): Reading {
    if (!this.#readings.has(reader)) this.#readings.set(reader, reader(this.bytes));
    return this.#readings.get(reader) as Reading;
  }
}
