import { spawn } from 'node:child_process';
import path from 'node:path';

/**
 * `npm run bench` runs every benchmark, one after the other (half an hour on two cores); `npm run bench -- NAME …` runs
 * one. Each measures its subject against a baseline in the same run: quote the ratios, not the seconds of one machine.
 */
const BENCHES = {
  pipeline: 'the complete local pipeline against a bare sharp loop, images/s and MP/s   [rounds]',
  codec: 'bytes and CPU of every mode against libjpeg, Pillow, jpegtran and jpegoptim',
  walk: 'CPU of checking every Huffman code of JPEGs, against the fast preset   [rounds]',
  versions: 'CPU of the codec against another checkout   OTHER [rounds] [words in the names]',
  plan: 'planning a million entries against a bare read-parse-write   [entries] [rounds]',
  report: 'the report over a million results against a bare read and parse',
  machine: 'the state machine over 100,000 images with a codec that does nothing',
  memory: 'peak memory of a local run over 500 and over 5,000 images',
  kill: '200 hosts killed at random points: images lost or counted twice',
  uploads: '1,000 uploads dropped at once against the lossless codec alone',
  fuzz: 'damaged files of every format, judged by foreign decoders   [--help]',
} as const;

const [name, ...args] = process.argv.slice(2);
if (name === undefined) {
  for (const bench of Object.keys(BENCHES)) process.exitCode = (await run(bench, [])) || process.exitCode;
} else if (Object.hasOwn(BENCHES, name)) {
  process.exitCode = await run(name, args);
} else {
  if (name !== '--help') console.error(`Expected the name of a benchmark but received '${name}'`);
  console.log('npm run bench [-- NAME]\n');
  for (const [bench, what] of Object.entries(BENCHES)) console.log(`  ${bench.padEnd(10)}${what}`);
  process.exitCode = name === '--help' ? 0 : 2;
}

async function run(bench: string, rest: readonly string[]): Promise<number> {
  console.log(`\n${bench}: ${BENCHES[bench as keyof typeof BENCHES]}`);
  const child = spawn(process.execPath, [path.join(import.meta.dirname, `${bench}.ts`), ...rest], {
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}
