import { expect, test } from 'vitest';
import { unexpectedErrorIn } from '../../../local/cli/unexpected-errors.ts';

test('shows the image, the stack and its causes of an unexpected error', () => {
  const cause = { name: 'Error', message: 'the cause', stack: 'Error: the cause\n    at inner (a.ts:2:3)' };
  const error = { name: 'TypeError', message: 'x', stack: 'TypeError: x\n    at outer (a.ts:1:1)', cause };
  const line = JSON.stringify({
    level: 'ERROR',
    message: 'unexpected error',
    source: 's3://in/a.jpg',
    error,
  });
  expect(unexpectedErrorIn(line)).toBe(
    [
      'Unexpected error with s3://in/a.jpg',
      'TypeError: x',
      '    at outer (a.ts:1:1)',
      'caused by',
      'Error: the cause',
      '    at inner (a.ts:2:3)',
    ].join('\n'),
  );
});

test('shows neither other log lines nor control characters of a key', () => {
  expect(unexpectedErrorIn('{"message":"batch done"}')).toBeUndefined();
  expect(unexpectedErrorIn('{"message":"unexpected error" cut')).toBeUndefined();
  const error = { name: 'Error', message: 'x' };
  const line = JSON.stringify({ message: 'unexpected error', source: 's3://in/\u001b[2J', error });
  expect(unexpectedErrorIn(line)).not.toContain('\u001b');
});
