import {
  parseOptions,
  readSettings,
  refuseSettings,
  SETTINGS_HELP,
  SETTINGS_OPTIONS,
  UsageError,
  wholeNumber,
} from './settings-options.ts';

export interface CommandLine {
  readonly command: 'samples' | 'run' | 'serve';
  /** Folder, image, file list or s3:// URI; undefined for the samples and for serve. */
  readonly input: string | undefined;
  /** Undefined where `--out` was not given. */
  readonly out: string | undefined;
  readonly json: boolean;
  readonly port: number;
  /** The job settings that the options ask for, in the form of the execution input. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export const HELP = `image-press: compress images through the whole state machine, on this machine

  npm start                                     compress sample pictures and show what comes out
  npm start -- <folder | image | list | s3://…> compress your own; what you hand in is never written to
  npm start -- serve                            keep a local S3 up: drop a file list or an image, watch it work

  --out DIR             where outputs go, mirroring the keys                      (./compressed;
                        for the failed.jsonl of an earlier job, where that job put them)
                        reports, the log and what outputs are known by lie beside it, in .image-press
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

/** Settings that would lead away from what the command line names, and why they are refused. */
const SAID_OTHERWISE = {
  fileList: 'the command line names what is compressed',
  output: 'outputs go to the folder that --out names',
};
const SAID_OTHERWISE_LOCALLY = {
  ...SAID_OTHERWISE,
  relativeTo: "paths are relative to the list's own folder",
};

/** Reads the command line. @throws UsageError with what was expected; @returns 'help' when that was asked for. */
export function readCommandLine(args: readonly string[]): CommandLine | 'help' {
  const { values, positionals } = parseOptions(args, OPTIONS, 'npm start -- --help');
  if (values.help) return 'help';
  if (positionals.length > 1) {
    throw new UsageError(
      `Expected one folder, image, file list or s3:// URI but received ${positionals.length}: ${positionals.join(' ')}`,
    );
  }
  const [input] = positionals;
  refuseOptions(input, values);
  const settings = readSettings(values);
  refuseSettings(settings, input?.startsWith('s3://') ? SAID_OTHERWISE : SAID_OTHERWISE_LOCALLY);
  return {
    command: input === undefined ? 'samples' : input === 'serve' ? 'serve' : 'run',
    input: input === 'serve' ? undefined : input,
    out: values.out,
    json: values.json ?? false,
    port: values.port === undefined ? 9090 : wholeNumber('--port', values.port, 0, 65_535),
    settings: { ...LOCAL_BATCH, ...settings },
  };
}

const OF_SERVE: ReadonlySet<string> = new Set(['out', 'port']);

/** What would be taken and not obeyed. */
function refuseOptions(input: string | undefined, values: Readonly<Record<string, unknown>>): void {
  const stranger = Object.keys(values).find((name) => !OF_SERVE.has(name));
  if (input === 'serve' && stranger !== undefined)
    throw new UsageError(
      `'--${stranger}' must be left out for serve, which takes --out and --port alone: a list dropped there is compressed with the defaults`,
    );
  if (input !== 'serve' && values.port !== undefined)
    throw new UsageError(`'--port' must be left out but for serve, '${values.port}' given`);
}
