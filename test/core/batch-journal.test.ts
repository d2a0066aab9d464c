import { describe, expect, it } from 'vitest';
import { type Journal, MAX_CRASHES_WITH_SECOND_TRY, nextAttempt, readJournal } from '../../src/core/batch-journal.ts';

const nothingDone = () => false;

const journal = (changes: Partial<Journal>): Journal => ({
  attempt: 1,
  crashes: 0,
  closed: false,
  highWaterMark: null,
  oneByOneUpTo: -1,
  inFlight: null,
  poisonCandidates: [],
  ...changes,
});

describe('nextAttempt', () => {
  it('starts with several images at once at the first call', () => {
    expect(nextAttempt(undefined, nothingDone)).toEqual({
      number: 1,
      crashes: 0,
      oneByOneUpTo: -1,
      poisonCandidates: [],
      quarantined: null,
    });
  });

  it('continues as before when the previous call closed its journal', () => {
    const attempt = nextAttempt(
      journal({ closed: true, crashes: 2, oneByOneUpTo: 7, poisonCandidates: [3] }),
      nothingDone,
    );
    expect(attempt).toEqual({
      number: 2,
      crashes: 2,
      oneByOneUpTo: 7,
      poisonCandidates: [3],
      quarantined: null,
    });
  });

  it('goes one by one up to the high-water mark of a call that crashed', () => {
    expect(nextAttempt(journal({ highWaterMark: 499, oneByOneUpTo: 12 }), nothingDone)).toEqual({
      number: 2,
      crashes: 1,
      oneByOneUpTo: 499,
      poisonCandidates: [],
      quarantined: null,
    });
  });

  it('makes the image in flight a poison candidate, and quarantines it at its second crash', () => {
    const first = nextAttempt(journal({ attempt: 2, crashes: 1, inFlight: 7 }), nothingDone);
    expect(first).toMatchObject({ poisonCandidates: [7], quarantined: null });
    const again = journal({ attempt: 3, crashes: 2, inFlight: 7, poisonCandidates: [7, 9] });
    expect(nextAttempt(again, nothingDone)).toMatchObject({
      poisonCandidates: [9],
      quarantined: { n: 7, crashes: 2 },
    });
  });

  it('makes no image a candidate when the one in flight was finished before the crash', () => {
    expect(nextAttempt(journal({ inFlight: 7 }), (n) => n === 7)).toMatchObject({
      poisonCandidates: [],
      quarantined: null,
    });
  });

  it('counts crashes, not calls, until it tries no image a second time', () => {
    const manyCalls = nextAttempt(journal({ attempt: 400, crashes: 1, inFlight: 9 }), nothingDone);
    expect(manyCalls).toMatchObject({ poisonCandidates: [9], quarantined: null });
    const crashes = MAX_CRASHES_WITH_SECOND_TRY;
    const manyCrashes = nextAttempt(journal({ crashes, inFlight: 9, poisonCandidates: [3] }), nothingDone);
    expect(manyCrashes).toMatchObject({ poisonCandidates: [3], quarantined: { n: 9, crashes: 1 } });
  });
});

describe('readJournal', () => {
  it('reads the fields as the version before wrote them', () => {
    const stored = {
      attempt: 3,
      deaths: 2,
      closed: false,
      reach: 499,
      carefulUpTo: 12,
      trying: 7,
      suspects: [5],
    };
    expect(readJournal(JSON.parse(JSON.stringify(stored)))).toEqual({
      attempt: 3,
      crashes: 2,
      closed: false,
      highWaterMark: 499,
      oneByOneUpTo: 12,
      inFlight: 7,
      poisonCandidates: [5],
    });
  });

  it('reads its own fields', () => {
    const own = journal({ attempt: 4, inFlight: 1 });
    expect(readJournal(JSON.parse(JSON.stringify(own)))).toEqual(own);
  });
});
