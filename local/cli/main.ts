import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { type CommandLine, HELP, readCommandLine } from './command-line.ts';
import { EXIT } from './exit-codes.ts';
import { InputError } from './input-error.ts';
import { DEFAULT_OUT, resolveInput } from './local-input.ts';
import { UsageError } from './options.ts';
import { homeOf, prepareOutput } from './output-folder.ts';

/** `npm start`: samples, the user's own images, or serve. */
async function main(args: readonly string[]): Promise<number> {
  const line = readCommandLine(args);
  if (line === 'help') {
    console.log(HELP);
    return EXIT.done;
  }
  if (line.command === 'serve') {
    const { serve } = await import('./serve.ts');
    return serve(line);
  }
  return line.command === 'samples' ? compressSamples(line) : compressInput(line);
}

async function compressInput(line: CommandLine): Promise<number> {
  const input = await resolveInput(line.input!, line.out);
  const { runJob } = await import('./run-job.ts');
  return runJob(input, line);
}

async function compressSamples(line: CommandLine): Promise<number> {
  const out = path.resolve(line.out ?? DEFAULT_OUT);
  await prepareOutput(out);
  const folder = path.join(homeOf(out), 'samples');
  const { runJob } = await import('./run-job.ts');
  const { makeSampleImages } = await import('./sample-images.ts');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await makeSampleImages(folder);
  const code = await runJob(await resolveInput(folder, out), line);
  if (code !== EXIT.someFailed) return code;
  console.error(
    '\nOne sample is broken on purpose, to show what becomes of it: the demo counts as done (exit code 0).',
  );
  console.error('With your own images it would be 1:  npm start -- <folder>');
  return EXIT.done;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    if (error instanceof UsageError || error instanceof InputError) {
      console.error(error.message);
      process.exitCode = EXIT.usage;
      return;
    }
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = EXIT.jobFailed;
  },
);
