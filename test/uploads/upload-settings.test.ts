import { describe, expect, test } from 'vitest';
import { DEFAULT_COMPRESSION } from '../../src/settings/job-input.ts';
import { parseUploadSettings } from '../../src/uploads/upload-settings.ts';

const LOSSLESS = { ...DEFAULT_COMPRESSION, mode: 'lossless' };

describe('the settings of uploads', () => {
  test.each([
    undefined,
    '',
    ' ',
    '{}',
    '{"encoding":null}',
    '{"encoding":{"mode":null}}',
  ])('are lossless where %j is given', (text) => {
    expect(parseUploadSettings(text)).toMatchObject({
      compression: LOSSLESS,
      backup: null,
      maxWritesPerHour: 60,
    });
  });

  test('are those of a job that concern one image', () => {
    const settings = {
      encoding: { mode: 'quality', quality: 80 },
      metadata: 'copyright',
      minSavings: { percent: 10 },
      backup: 's3://originals/uploads/',
      correctContentType: true,
      acl: 'bucket-owner-full-control',
      maxWritesPerHour: 5,
    };
    expect(parseUploadSettings(JSON.stringify(settings))).toEqual({
      compression: {
        ...DEFAULT_COMPRESSION,
        quality: 80,
        metadata: 'copyright',
        minSavings: { percent: 10, bytes: 512 },
      },
      backup: 's3://originals/uploads/',
      correctContentType: true,
      acl: 'bucket-owner-full-control',
      maxWritesPerHour: 5,
    });
  });

  test.each(['s3://uploads/', 's3://bucket/'])('may have the backup %s', (backup) => {
    expect(parseUploadSettings(JSON.stringify({ backup }))).toMatchObject({ backup });
  });

  test.each([
    ['quality', "'UPLOAD_SETTINGS' must be a JSON object, 'quality' given"],
    ['[]', "'UPLOAD_SETTINGS' must be a JSON object, '[]' given"],
    ['{"layout":"flat"}', "'layout' works only in jobs, 'flat' given"],
    ['{"dryRun":true}', "'dryRun' works only in jobs, 'true' given"],
    ['{"maxWritesPerHour":0}', "'maxWritesPerHour' must be 1 or more, '0' given"],
    ['{"maxWritesPerHour":"9"}', "'maxWritesPerHour' must be a whole number, 1 or more, '9' given"],
    ['{"encoding":5}', `'encoding' must be an object as in {"mode":"lossless"}, '5' given`],
    ['{"encoding.quality":80}', "unknown setting 'encoding.quality'; write 'quality' inside 'encoding' ('80' given)"],
    ['{"encodng":{}}', "unknown setting 'encodng'; did you mean 'encoding'?"],
    [
      '{"encoding":{"quality":80}}',
      "'encoding.quality' works only where 'encoding.mode' is quality (here it is lossless)",
    ],
    ['{"resize":{"maxWidth":10}}', "'resize' must be left out where 'encoding.mode' is lossless"],
    ['{"encoding":{"quality":700}}', "'encoding.quality' must be 1 to 100, '700' given"],
    ['{"encoding":{"format":"webp"}}', "'encoding.format' must be keep where 'output' is in-place"],
    ['{"acl":"public"}', "'acl' must be private"],
  ])('%s is refused with setting, rule and value', (text, message) => {
    expect(() => parseUploadSettings(text)).toThrow(message);
  });
});
