/** Whether a source is whole; each format has one judge. */
export type Verdict = Sound | Damaged | Unproven;

/** Every part of the picture is there. */
export type Sound =
  | Readonly<{ is: 'whole' }>
  /** The file is not as the standard of its format wants it, and some decoders warn of that. */
  | Readonly<{ is: 'odd'; detail: string }>;

export type Damaged = Readonly<{ is: 'damaged'; detail: string }>;

/** Nothing here proves it either way: the image is kept as it is. */
export type Unproven = Readonly<{ is: 'unproven'; detail: string }>;

export const WHOLE: Verdict = { is: 'whole' };

export function odd(detail: string): Verdict {
  return { is: 'odd', detail };
}

export function damaged(detail: string): Verdict {
  return { is: 'damaged', detail };
}

export function unproven(detail: string): Verdict {
  return { is: 'unproven', detail };
}
