/**
 * What a batch remembers of its hosts, so that an image that kills them is found. A host works on several images at
 * once and notes only how far it may have come. After a death the images up to there are done one by one, each noted
 * before it is touched; what was in hand at a death becomes a suspect and is tried last, and a suspect that kills
 * again is condemned. A good image loses nothing by having been in hand when its host was taken away.
 */
export interface Journal {
  /** Counts the calls of hosts for this batch. */
  readonly attempt: number;
  /** How many of them never came back. */
  readonly deaths: number;
  /** False while a host works, and for ever when it died. */
  readonly closed: boolean;
  /** No image with a higher ordinal was touched by the host that works on several at once; null: it had none yet. */
  readonly reach: number | null;
  /** Images up to this ordinal were within reach of a host that died. */
  readonly carefulUpTo: number;
  /** Ordinal of the image in hand, noted only when going one by one. */
  readonly trying: number | null;
  readonly suspects: readonly number[];
}

export interface Attempt {
  readonly number: number;
  readonly deaths: number;
  /** Unfinished images up to this ordinal go one by one, each noted before it is touched. */
  readonly carefulUpTo: number;
  /** In hand at one death each: tried last, one by one. */
  readonly suspects: readonly number[];
  /** In hand at two deaths, or at one when deaths have become many: not tried again. */
  readonly condemned: { readonly n: number; readonly deaths: 1 | 2 } | null;
}

/**
 * After so many deaths nobody gets a second chance: the state machine calls 25 times without Fargate, and images that
 * kill take one death for the first of all and two for each that is found with a second chance.
 */
export const SECOND_CHANCES_UNTIL_DEATH = 8;

const NOTHING = -1;

/** How to go about a batch, given what the host before left behind. */
export function nextAttempt(journal: Journal | undefined, isDone: (n: number) => boolean): Attempt {
  if (!journal) return { number: 1, deaths: 0, carefulUpTo: NOTHING, suspects: [], condemned: null };
  const { suspects, carefulUpTo } = journal;
  const number = journal.attempt + 1;
  if (journal.closed) return { number, deaths: journal.deaths, carefulUpTo, suspects, condemned: null };
  const deaths = journal.deaths + 1;
  const after = { number, deaths, carefulUpTo: Math.max(carefulUpTo, journal.reach ?? NOTHING) };
  const inHand = journal.trying;
  if (inHand === null || isDone(inHand)) return { ...after, suspects, condemned: null };
  const isSuspect = suspects.includes(inHand);
  if (!isSuspect && deaths <= SECOND_CHANCES_UNTIL_DEATH)
    return { ...after, suspects: [...suspects, inHand], condemned: null };
  const others = suspects.filter((n) => n !== inHand);
  return { ...after, suspects: others, condemned: { n: inHand, deaths: isSuspect ? 2 : 1 } };
}
