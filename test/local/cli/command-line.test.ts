import { describe, expect, it } from 'vitest';
import { readCommandLine } from '../../../local/cli/command-line.ts';
import { UsageError } from '../../../local/cli/run-command.ts';

describe('readCommandLine', () => {
  it('uses the samples when nothing is named', () => {
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

  it('lets --settings name any setting, together with options', () => {
    const line = readCommandLine([
      'x',
      '--format',
      'jpeg',
      '--settings',
      '{"encoding":{"background":"#fff000"},"copyKept":false}',
    ]);
    expect(line).toMatchObject({
      settings: { encoding: { format: 'jpeg', background: '#fff000' }, copyKept: false },
    });
  });

  it.each([
    { fargateAbove: 9 },
    { fargateAbove: 9, perBatch: null },
  ])('keeps its own size of a batch with %j', (images) => {
    const line = readCommandLine(['photos', '--settings', JSON.stringify({ images })]);
    expect(line).toMatchObject({ settings: { images: { perBatch: 50, fargateAbove: 9 } } });
  });

  it('uses the size of a batch of the earlier job in a retry', () => {
    const line = readCommandLine(['jobs/x/failed.jsonl', '--settings', '{"images":{"fargateAbove":9}}']);
    expect(line).toMatchObject({ settings: { images: { fargateAbove: 9 } } });
    expect(line).not.toMatchObject({ settings: { images: { perBatch: 50 } } });
    expect(readCommandLine(['not-failed.jsonl'])).toMatchObject({ settings: { images: { perBatch: 50 } } });
  });

  it('leaves contradictions with an earlier job to PlanJob, which knows its settings', () => {
    const settings = '{"suffixes":["left"]}';
    expect(() => readCommandLine(['photos', '--settings', settings])).toThrow("'suffixes' works only where");
    const line = readCommandLine(['out/.image-press/jobs/x/failed.jsonl', '--settings', settings]);
    expect(line).toMatchObject({ settings: { suffixes: ['left'] } });
  });

  it('takes relativeTo for a list on S3, which has no local folder', () => {
    const line = readCommandLine(['s3://b/list.txt', '--settings', '{"relativeTo":"s3://b/photos/"}']);
    expect(line).toMatchObject({ settings: { relativeTo: 's3://b/photos/' } });
  });

  it.each([
    [['--mode', 'quality=0'], "'--mode quality=N' must be 1 to 100, '0' given"],
    [['--mode', '70'], "'--mode' must be quality=N, lossless or auto, '70' given; did you mean 'quality=70'?"],
    [['--mode', 'best'], "'--mode' must be quality, lossless or auto, 'best' given"],
    [['--format', 'gif'], "'--format' must be keep, jpeg, webp, avif or smallest, 'gif' given"],
    [['--settings', '[1]'], "'--settings' must be a JSON object, '[1]' given"],
    [['a', 'b'], 'Expected one folder, image, file list or s3:// URI but received 2: a b'],
    [['serve', '--json'], "'--json' does not work with serve, which takes only --out and --port"],
    [['serve', '--mode', 'lossless'], "'--mode' does not work with serve"],
    [['serve', '--dry-run'], "'--dry-run' does not work with serve"],
    [['serve', 'photos'], 'Expected one folder, image, file list or s3:// URI but received 2: serve photos'],
    [['photos', '--port', '9000'], "'--port' works only with serve, '9000' given"],
    [['--port', '9000'], "'--port' works only with serve, '9000' given"],
    [['--colour'], "unknown option '--colour'; see npm start -- --help"],
    [['--fromat', 'webp'], "unknown option '--fromat'; did you mean '--format'?"],
    [['--quality', '80'], "unknown option '--quality'; use --mode quality=N"],
    [['--background'], `unknown option '--background'; use --settings '{"encoding":{"background":…}}'`],
    [['--format', 'jpgg'], "'--format' must be keep, jpeg, webp, avif or smallest, 'jpgg' given; did you mean 'jpeg'?"],
    [['--max-size', '70000'], "'--max-size' must be 1 to 65535, '70000' given"],
    [['--settings', '{"encodng":{}}'], "unknown setting 'encodng'; did you mean 'encoding'?"],
    [
      ['--mode', 'lossless', '--settings', '{"encoding":{"quality":80}}'],
      "'encoding.quality' works only where '--mode' is quality (here it is lossless), '80' given",
    ],
    [
      ['photos', '--mode', 'lossless', '--max-size', '100'],
      "'--max-size' must be left out where '--mode' is lossless (pixels would change), '100' given",
    ],
    [
      ['photos', '--max-size', '100', '--settings', '{"encoding":{"mode":"lossless"}}'],
      "'--max-size' must be left out where 'encoding.mode' is lossless (pixels would change), '100' given",
    ],
    [
      ['photos', '--mode', 'lossless', '--settings', '{"resize":{"maxWidth":9}}'],
      `'resize' must be left out where '--mode' is lossless (pixels would change), '{"maxWidth":9}' given`,
    ],
    [
      ['photos', '--mode', 'lossless', '--format', 'avif'],
      "'--format' must be keep or webp where '--mode' is lossless",
    ],
    [
      ['s3://b/photos/', '--settings', '{"relativeTo":"s3://b/"}'],
      "'relativeTo' works only where 'fileList' is a list (here it is s3://b/photos/), 's3://b/' given",
    ],
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
