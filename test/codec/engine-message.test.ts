import { expect, test } from 'vitest';
import { fromEngine } from '../../src/codec/engines.ts';
import { TooSlowError } from '../../src/codec/too-slow-error.ts';

test.each([
  ['Input buffer has corrupt header: webp: unable to parse image', 'a readable header'],
  ['VipsJpeg: premature end of JPEG image\nVipsJpeg: out of order read at line 8', 'end too early'],
  ['source: bad seek to 1770\nsource: bad seek to 1770', 'end too early'],
  ['Warning treated as error due to failOn setting', 'damaged'],
  ['pngload_buffer: libspng read error', 'damaged'],
  ['tiff2vips: "Predictor" value 7 not supported\ntiff2vips: read error', 'a kind of image'],
  ['Compress JPEG failed Any { .. }', 'which is in the log'],
])('the words of a library become one line that says what was expected (%j)', async (raw, meaning) => {
  const cause = new Error(raw);
  const error: Error = await fromEngine(Promise.reject(cause)).catch((thrown) => thrown);
  expect(error).toMatchObject({ name: 'EngineError', cause });
  expect(error.message).toMatch(/^Expected [^\n]+$/);
  expect(error.message).toContain(meaning);
  expect(error.message).not.toMatch(/vips|failOn|libpng|libspng|libwebp|heif|napi|Any \{|input buffer/i);
});

test('a time limit within an engine says nothing about the image', async () => {
  const stopped = fromEngine(Promise.reject(new Error('timeout: 27% complete')));
  await expect(stopped).rejects.toThrow(TooSlowError);
});
