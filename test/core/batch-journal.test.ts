import { describe, expect, it } from 'vitest';
import { nextAttempt } from '../../src/core/batch-journal.ts';

const nothingDone = () => false;

describe('nextAttempt', () => {
  it('begins several at once when nobody was here before', () => {
    expect(nextAttempt(undefined, nothingDone)).toEqual({
      number: 1,
      oneByOne: false,
      suspects: [],
      condemned: null,
    });
  });

  it('goes on several at once when the host before closed in good order', () => {
    const journal = { attempt: 1, closed: true, trying: null, suspects: [] };
    expect(nextAttempt(journal, nothingDone)).toMatchObject({ number: 2, oneByOne: false });
  });

  it('goes one by one when the host before died', () => {
    const journal = { attempt: 1, closed: false, trying: null, suspects: [] };
    expect(nextAttempt(journal, nothingDone)).toMatchObject({
      number: 2,
      oneByOne: true,
      suspects: [],
      condemned: null,
    });
  });

  it('suspects the image that was in hand, and condemns it when it kills again', () => {
    const first = nextAttempt({ attempt: 2, closed: false, trying: 7, suspects: [] }, nothingDone);
    expect(first).toMatchObject({ suspects: [7], condemned: null });
    const second = nextAttempt({ attempt: 3, closed: false, trying: 7, suspects: [7] }, nothingDone);
    expect(second).toMatchObject({ suspects: [], condemned: 7 });
  });

  it('suspects nobody when the image in hand was finished before the death', () => {
    const journal = { attempt: 2, closed: false, trying: 7, suspects: [] };
    expect(nextAttempt(journal, (n) => n === 7)).toMatchObject({ suspects: [], condemned: null });
  });

  it('condemns at the first death once the calls are running out', () => {
    const journal = { attempt: 6, closed: false, trying: 9, suspects: [3] };
    expect(nextAttempt(journal, nothingDone)).toMatchObject({ condemned: 9, suspects: [3] });
  });
});
