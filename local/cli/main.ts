import { rm } from 'node:fs/promises';
import path from 'node:path';
import { type CommandLine, HELP, readCommandLine } from './command-line.ts';
import { EXIT } from './exit-codes.ts';
import { DEFAULT_OUT, resolveInput } from './local-input.ts';
import { homeOf, prepareOutput } from './output-folder.ts';
import { printHelp, runCommand } from './run-command.ts';

/** `npm start`: compresses samples or the user's own images, or serves the local S3. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const line = readCommandLine(args);
  if (line === 'help') return printHelp(HELP);
  if (line.command === 'serve') {
    const { serve } = await import('./serve.ts');
    return serve(line);
  }
  if (line.input === undefined) return compressSamples(line);
  const input = await resolveInput(line.input, line.out);
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
  await makeSampleImages(folder);
  const code = await runJob(await resolveInput(folder, out), line);
  if (code !== EXIT.someFailed) return code;
  console.error(
    '\nOne sample is broken on purpose, to show how failures are reported. The demo exits with 0\nall the same; a job with a failed image exits with 1. Your own images: npm start -- <folder>',
  );
  return EXIT.done;
}

void runCommand(main);
