import { expect, test } from 'vitest';
import { isOfSdk } from '../../src/store/s3-errors.ts';

test.each([
  ['ECONNRESET', true],
  ['ERR_STREAM_PREMATURE_CLOSE', true],
  ['ERR_INVALID_ARG_TYPE', false],
  ['ERR_ENCODING_INVALID_ENCODED_DATA', false],
])('takes an error with the code %s for one of the SDK or the network: %s', (code, expected) => {
  expect(isOfSdk(Object.assign(new TypeError('…'), { code }))).toBe(expected);
});
