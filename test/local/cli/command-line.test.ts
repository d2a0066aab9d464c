import { describe, expect, it } from 'vitest';
import { readCommandLine } from '../../../local/cli/command-line.ts';
import { UsageError } from '../../../local/cli/settings-options.ts';

describe('readCommandLine', () => {
  it('takes the samples when nothing is named', () => {
    expect(readCommandLine([])).toMatchObject({ command: 'samples', out: undefined, json: false });
  });

  it('turns options into the settings of the execution input', () => {
    const line = readCommandLine([
      'photos',
      '--mode',
      'quality=70',
      '--effort',
      'fast',
      '--layout',
      'flat',
      '--max-size',
      '800',
    ]);
    expect(line).toMatchObject({
      command: 'run',
      input: 'photos',
      settings: {
        encoding: { mode: 'quality', quality: 70, effort: 'fast' },
        layout: 'flat',
        resize: { maxWidth: 800, maxHeight: 800 },
        images: { perBatch: 50 },
      },
    });
  });

  it('lets --settings name any setting, beside the options', () => {
    const line = readCommandLine([
      'x',
      '--format',
      'webp',
      '--settings',
      '{"encoding":{"background":"#fff000"},"copyKept":false}',
    ]);
    expect(line).toMatchObject({
      settings: { encoding: { format: 'webp', background: '#fff000' }, copyKept: false },
    });
  });

  it('takes relativeTo for a list on S3, whose folder says nothing', () => {
    const line = readCommandLine(['s3://b/list.txt', '--settings', '{"relativeTo":"s3://b/photos/"}']);
    expect(line).toMatchObject({ settings: { relativeTo: 's3://b/photos/' } });
  });

  it.each([
    [['--mode', 'quality=0'], "'--mode quality=N' must be a whole number from 1 to 100, '0' given"],
    [
      ['--mode', '70'],
      "'--mode' must be quality=N | lossless | auto, '70' given: did you mean --mode quality=70?",
    ],
    [['--mode', 'best'], "'--mode' must be quality=N | lossless | auto, 'best' given"],
    [['--format', 'gif'], "'--format' must be keep | jpeg | webp | avif, 'gif' given"],
    [['--settings', '[1]'], "'--settings' must be a JSON object, '[1]' given"],
    [['a', 'b'], 'Expected one folder, image, file list or s3:// URI but received 2: a b'],
    [['serve', '--json'], "'--json' must be left out for serve, which takes --out and --port alone"],
    [['serve', '--mode', 'lossless'], "'--mode' must be left out for serve"],
    [['serve', '--dry-run'], "'--dry-run' must be left out for serve"],
    [['serve', 'photos'], 'Expected one folder, image, file list or s3:// URI but received 2: serve photos'],
    [['photos', '--port', '9000'], "'--port' must be left out but for serve, '9000' given"],
    [['--port', '9000'], "'--port' must be left out but for serve, '9000' given"],
    [['--colour'], "Unknown option '--colour'"],
    [
      ['photos', '--settings', '{"output":"in-place"}'],
      "'--settings' must leave out 'output' (outputs go to the folder that --out names), 'in-place' given",
    ],
    [
      ['photos', '--settings', '{"fileList":"s3://other/"}'],
      "'--settings' must leave out 'fileList' (the command line names what is compressed), 's3://other/' given",
    ],
    [
      ['photos', '--settings', '{"relativeTo":"s3://other/"}'],
      "'--settings' must leave out 'relativeTo' (paths are relative to the list's own folder), 's3://other/' given",
    ],
  ])('refuses %j', (args, message) => {
    expect(() => readCommandLine(args)).toThrow(UsageError);
    expect(() => readCommandLine(args)).toThrow(message);
  });
});
