/**
 * What a batch records of its workers, so that an image that crashes them is found. A worker compresses several images
 * at once and records only a high-water mark. After a crash the images up to it are compressed in one-by-one mode, with
 * a checkpoint before each. The image in flight at a crash becomes a poison candidate and is tried last; a candidate
 * that crashes a worker again is quarantined. A good image loses nothing by being in flight when its worker is killed.
 */
export interface Journal {
  /** Number of calls for this batch so far. */
  readonly attempt: number;
  /** How many of them never returned. */
  readonly crashes: number;
  /** False while a worker runs, and for good when it crashed. */
  readonly closed: boolean;
  /** The worker has started no image with a higher ordinal outside one-by-one mode; null: none at all. */
  readonly highWaterMark: number | null;
  /** Unfinished images up to this ordinal may have been in flight at a crash: they are compressed in one-by-one mode. */
  readonly oneByOneUpTo: number;
  /** Ordinal of the image in flight, recorded in one-by-one mode only. */
  readonly inFlight: number | null;
  /** Each was in flight at one crash: tried last, one by one. */
  readonly poisonCandidates: readonly number[];
}

/** The journal's fields up to version 0.1.0. A job that is resumed after an update may still have such a journal. */
interface EarlierJournal extends Pick<Journal, 'attempt' | 'closed'> {
  readonly deaths: number;
  readonly reach: number | null;
  readonly carefulUpTo: number;
  readonly trying: number | null;
  readonly suspects: readonly number[];
}

/** Reads the JSON of a journal, in the form of this version or of the one before. */
export function readJournal(stored: Journal | EarlierJournal): Journal {
  if (!('deaths' in stored)) return stored;
  const { attempt, closed, deaths, reach, carefulUpTo, trying, suspects } = stored;
  const counted = { attempt, closed, crashes: deaths, highWaterMark: reach };
  return { ...counted, oneByOneUpTo: carefulUpTo, inFlight: trying, poisonCandidates: suspects };
}

/** How one call processes its batch. */
export interface Attempt extends Pick<Journal, 'crashes' | 'oneByOneUpTo' | 'poisonCandidates'> {
  readonly number: number;
  /** In flight at two crashes, or at one after many crashes: not tried again. */
  readonly quarantined: Quarantined | null;
}

export interface Quarantined {
  readonly n: number;
  readonly crashes: 1 | 2;
}

/**
 * After so many crashes of a batch no image is tried a second time. Without Fargate the state machine calls 25 times,
 * and images that crash the worker take one crash for the first of all and two for each that has a second try.
 */
export const MAX_CRASHES_WITH_SECOND_TRY = 8;

const NONE = -1;

/** Decides how to process a batch from what the previous call left. */
export function nextAttempt(journal: Journal | undefined, isDone: (n: number) => boolean): Attempt {
  if (!journal) return { number: 1, crashes: 0, oneByOneUpTo: NONE, poisonCandidates: [], quarantined: null };
  const { poisonCandidates, oneByOneUpTo, inFlight, closed } = journal;
  const number = journal.attempt + 1;
  if (closed) return { number, crashes: journal.crashes, oneByOneUpTo, poisonCandidates, quarantined: null };
  const crashes = journal.crashes + 1;
  const after = { number, crashes, oneByOneUpTo: Math.max(oneByOneUpTo, journal.highWaterMark ?? NONE) };
  if (inFlight === null || isDone(inFlight)) return { ...after, poisonCandidates, quarantined: null };
  const isCandidate = poisonCandidates.includes(inFlight);
  if (!isCandidate && crashes <= MAX_CRASHES_WITH_SECOND_TRY)
    return { ...after, poisonCandidates: [...poisonCandidates, inFlight], quarantined: null };
  return {
    ...after,
    poisonCandidates: poisonCandidates.filter((n) => n !== inFlight),
    quarantined: { n: inFlight, crashes: isCandidate ? 2 : 1 },
  };
}
