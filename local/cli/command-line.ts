import path from 'node:path';
import { parseS3Prefix } from '../../src/core/s3-uri.ts';
import { mergeSettings } from '../../src/settings/merge-settings.ts';
import { parseOptions, UsageError, wholeNumber } from './run-command.ts';
import { adviceOnOption, checkSettings, readSettings, SETTINGS_HELP, SETTINGS_OPTIONS } from './settings-options.ts';

export interface CommandLine {
  readonly command: 'samples' | 'run' | 'serve';
  /** Folder, image, file list or s3:// URI; undefined for the samples and for serve. */
  readonly input: string | undefined;
  /** Undefined where `--out` was not given. */
  readonly out: string | undefined;
  readonly json: boolean;
  readonly port: number;
  /** The settings in the options, as in the execution input. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export const HELP = `image-press: compress images through the whole state machine, on this machine

  npm start                                     compress sample images and show the result
  npm start -- <folder | image | list | s3://…> compress your own images; they are only read, never changed
  npm start -- serve                            run a local S3: put a file list or an image into it and watch

  --out DIR             folder for outputs, with the same keys                    (./compressed;
                        for the failed.jsonl of an earlier job, the folder of that job)
                        reports, logs and the S3 metadata of outputs are stored next to it, in .image-press
${SETTINGS_HELP}
  --json                report.json on stdout, progress on stderr (use with npm run -s start)
  --port N              for serve: the port of the local S3                       (9090)
  --help                this text

Exit code: 0 every image accounted for and none failed · 1 some failed, they are listed · 2 wrong usage · 3 the job failed`;

const OPTIONS = {
  ...SETTINGS_OPTIONS,
  out: { type: 'string' },
  json: { type: 'boolean' },
  port: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Images in a batch here: small enough that every core has work, large enough that batches cost nothing. */
const LOCAL_BATCH = { images: { perBatch: 50 } };

/** Settings that would contradict what the command line names, and why they are refused. */
const SAID_OTHERWISE = {
  fileList: 'the command line names what is compressed',
  output: 'outputs go to the folder that --out names',
};
const SAID_OTHERWISE_LOCALLY = { ...SAID_OTHERWISE, relativeTo: "paths are relative to the list's own folder" };

/** Reads the command line. @throws UsageError with what was expected; @returns 'help' when that was asked for. */
export function readCommandLine(args: readonly string[]): CommandLine | 'help' {
  const { values, positionals } = parseOptions(args, OPTIONS, 'npm start -- --help', adviceOnOption);
  if (values.help) return 'help';
  if (positionals.length > 1)
    throw new UsageError(
      `Expected one folder, image, file list or s3:// URI but received ${positionals.length}: ${positionals.join(' ')}`,
    );
  const [input] = positionals;
  refuseOptions(input, values);
  return {
    command: input === undefined ? 'samples' : input === 'serve' ? 'serve' : 'run',
    input: input === 'serve' ? undefined : input,
    out: values.out,
    json: values.json ?? false,
    port: values.port === undefined ? 9090 : wholeNumber('--port', values.port, 0, 65_535),
    settings: settingsFor(input, values),
  };
}

function settingsFor(input: string | undefined, values: Readonly<Record<string, unknown>>) {
  const settings = readSettings(values, input?.startsWith('s3://') ? SAID_OTHERWISE : SAID_OTHERWISE_LOCALLY);
  const isRetry = path.basename(input ?? '') === 'failed.jsonl';
  const list = isRetry ? 's3://lists/failed.jsonl' : 's3://lists/list';
  const isPrefix = input !== undefined && parseS3Prefix(input) !== undefined;
  checkSettings({ ...settings, fileList: isPrefix ? input : list }, values);
  // A retry has batches of the size that the earlier job had.
  return isRetry ? settings : mergeSettings(LOCAL_BATCH, settings);
}

/** Options that would be accepted and have no effect. */
function refuseOptions(input: string | undefined, values: Readonly<Record<string, unknown>>): void {
  const other = Object.keys(values).find((name) => name !== 'out' && name !== 'port');
  if (input === 'serve' && other !== undefined)
    throw new UsageError(
      `'--${other}' does not work with serve, which takes only --out and --port: lists and images put there are compressed with the default settings`,
    );
  if (input !== 'serve' && values.port !== undefined)
    throw new UsageError(`'--port' works only with serve, '${values.port}' given`);
}
