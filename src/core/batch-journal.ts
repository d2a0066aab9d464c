/**
 * What a batch remembers of its hosts, so that an image that kills them is found. The first host works on several
 * images at once and notes nothing but that it began. A host that finds its forerunner dead goes one by one, noting
 * each image before it touches it; what was in hand at a death becomes a suspect and is tried last, and a suspect
 * that kills again is condemned. A good image loses nothing by having been in hand when its host was taken away.
 */
export interface Journal {
  readonly attempt: number;
  /** False while a host works, and for ever when it died. */
  readonly closed: boolean;
  /** Ordinal of the image in hand, noted only when going one by one. */
  readonly trying: number | null;
  readonly suspects: readonly number[];
}

export interface Attempt {
  readonly number: number;
  readonly oneByOne: boolean;
  readonly suspects: readonly number[];
  /** Killed its host twice, or once in the last attempt: not tried again. */
  readonly condemned: number | null;
}

/** From here on there is no second chance: the state machine will not call for ever. */
const LAST_CHANCE = 6;

/** How to go about a batch, given what the host before left behind. */
export function nextAttempt(journal: Journal | undefined, isDone: (n: number) => boolean): Attempt {
  if (!journal) return { number: 1, oneByOne: false, suspects: [], condemned: null };
  const number = journal.attempt + 1;
  const { suspects } = journal;
  if (journal.closed) return { number, oneByOne: suspects.length > 0, suspects, condemned: null };
  const inHand = journal.trying !== null && !isDone(journal.trying) ? journal.trying : null;
  if (inHand === null) return { number, oneByOne: true, suspects, condemned: null };
  if (suspects.includes(inHand) || number > LAST_CHANCE) {
    return { number, oneByOne: true, suspects: suspects.filter((n) => n !== inHand), condemned: inHand };
  }
  return { number, oneByOne: true, suspects: [...suspects, inHand], condemned: null };
}
