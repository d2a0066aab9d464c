import { describe, expect, it } from 'vitest';
import { type Journal, nextAttempt, SECOND_CHANCES_UNTIL_DEATH } from '../../src/core/batch-journal.ts';

const nothingDone = () => false;

const journal = (changes: Partial<Journal>): Journal => ({
  attempt: 1,
  deaths: 0,
  closed: false,
  reach: null,
  carefulUpTo: -1,
  trying: null,
  suspects: [],
  ...changes,
});

describe('nextAttempt', () => {
  it('begins several at once when nobody was here before', () => {
    expect(nextAttempt(undefined, nothingDone)).toEqual({
      number: 1,
      deaths: 0,
      carefulUpTo: -1,
      suspects: [],
      condemned: null,
    });
  });

  it('goes on as before when the host before closed in good order', () => {
    const attempt = nextAttempt(
      journal({ closed: true, deaths: 2, carefulUpTo: 7, suspects: [3] }),
      nothingDone,
    );
    expect(attempt).toEqual({ number: 2, deaths: 2, carefulUpTo: 7, suspects: [3], condemned: null });
  });

  it('goes one by one as far as the host before may have come when it died', () => {
    expect(nextAttempt(journal({ reach: 499, carefulUpTo: 12 }), nothingDone)).toEqual({
      number: 2,
      deaths: 1,
      carefulUpTo: 499,
      suspects: [],
      condemned: null,
    });
  });

  it('suspects the image that was in hand, and condemns it when it kills again', () => {
    const first = nextAttempt(journal({ attempt: 2, deaths: 1, trying: 7 }), nothingDone);
    expect(first).toMatchObject({ suspects: [7], condemned: null });
    const second = nextAttempt(journal({ attempt: 3, deaths: 2, trying: 7, suspects: [7, 9] }), nothingDone);
    expect(second).toMatchObject({ suspects: [9], condemned: { n: 7, deaths: 2 } });
  });

  it('suspects nobody when the image in hand was finished before the death', () => {
    expect(nextAttempt(journal({ trying: 7 }), (n) => n === 7)).toMatchObject({
      suspects: [],
      condemned: null,
    });
  });

  it('counts deaths, not calls, before it grants no second chances any more', () => {
    const manyCalls = nextAttempt(journal({ attempt: 400, deaths: 1, trying: 9 }), nothingDone);
    expect(manyCalls).toMatchObject({ suspects: [9], condemned: null });
    const deaths = SECOND_CHANCES_UNTIL_DEATH;
    const manyDeaths = nextAttempt(journal({ deaths, trying: 9, suspects: [3] }), nothingDone);
    expect(manyDeaths).toMatchObject({ suspects: [3], condemned: { n: 9, deaths: 1 } });
  });
});
