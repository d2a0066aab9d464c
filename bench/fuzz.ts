/**
 * Damages files, compresses them and holds what comes of it against foreign decoders: `npm run bench -- fuzz`. Decoders
 * of the system (Pillow, djpeg, dwebp, avifdec, pngcheck, libtiff, giflib) are asked where they are installed.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { OffenceKind } from '../test/support/fuzz/judge-mutant.ts';
import { FUZZ_FORMATS, type FuzzFormat } from '../test/support/fuzz/mutate.ts';
import { type FuzzCase, type FuzzResult, makeCase } from '../test/support/fuzz/run-fuzz.ts';
import type { SeedFile } from '../test/support/fuzz/seed-files.ts';
import { type FuzzPlan, FuzzWorker, filesOf } from './fuzz/worker-process.ts';

const USAGE = `npm run bench -- fuzz [options]
  --count N          damaged files in all, 6,000 by default
  --seed N           of the run; a new one each time by default
  --format NAME,…    of ${FUZZ_FORMATS.join(', ')}
  --only FORMAT:N    one damaged file of a run; needs its --seed
  --keep FOLDER      writes the files with an offence there
  --corpus FOLDER    damages these images too
  --undamaged FOLDER takes these images as they are, and damages none
  --workers N        processes, one for each core by default
  --python PROGRAM   runs the decoders of the system, python3 by default`;

type Counts = Record<'files' | OffenceKind, number>;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) return console.log(USAGE);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const plan = { seed, corpus: values.corpus, undamaged: values.undamaged, python: values.python };
  const files = await filesOf(plan);
  const cases = values.undamaged && !values.only ? casesOfFiles(files) : casesOf(values);
  console.log(`${cases.length} ${values.undamaged ? 'undamaged' : 'damaged'} files, seed ${seed}`);
  const startedAt = performance.now();
  const results = await runAll(plan, cases, Number(values.workers ?? availableParallelism()));
  const seconds = (performance.now() - startedAt) / 1000;
  const offences = results.filter(({ offence }) => offence);
  printOffences(offences, plan);
  if (values.keep)
    await keepOffences(offences, values.keep, { ...plan, files, undamaged: plan.undamaged !== undefined });
  printTable(results, seconds);
  process.exitCode = offences.some(({ offence }) => offence?.kind !== 'refusedAlone') ? 1 : 0;
}

const OPTIONS = {
  count: { type: 'string', default: '6000' },
  seed: { type: 'string' },
  format: { type: 'string' },
  only: { type: 'string' },
  keep: { type: 'string' },
  corpus: { type: 'string' },
  undamaged: { type: 'string' },
  workers: { type: 'string' },
  python: { type: 'string', default: 'python3' },
  help: { type: 'boolean' },
} as const;

function casesOf({ count, format, only }: { count: string; format?: string; only?: string }): FuzzCase[] {
  if (only) {
    const [name = '', number = ''] = only.split(':');
    return [{ format: formatOf(name), number: Number(number) }];
  }
  const formats = format ? format.split(',').map(formatOf) : FUZZ_FORMATS;
  return Array.from({ length: Number(count) }, (_, index) => ({
    format: formats[index % formats.length] ?? 'jpeg',
    number: Math.floor(index / formats.length),
  }));
}

function casesOfFiles(files: readonly SeedFile[]): FuzzCase[] {
  const counts = new Map<FuzzFormat, number>();
  return files.map(({ format }) => {
    const number = counts.get(format) ?? 0;
    counts.set(format, number + 1);
    return { format, number };
  });
}

function formatOf(name: string): FuzzFormat {
  const format = FUZZ_FORMATS.find((one) => one === name);
  if (!format) throw new Error(`Expected a format of ${FUZZ_FORMATS.join(', ')} but received '${name}'`);
  return format;
}

/** Each worker takes the next case as soon as it is done with one. */
async function runAll(plan: FuzzPlan, cases: readonly FuzzCase[], workers: number): Promise<FuzzResult[]> {
  const results: FuzzResult[] = [];
  let next = 0;
  const work = async () => {
    const worker = new FuzzWorker(plan);
    while (next < cases.length) {
      const chunk = cases.slice(next, next + CHUNK);
      next += CHUNK;
      results.push(...(await worker.run(chunk)));
      process.stderr.write(`\r${results.length} `);
    }
    worker.stop();
  };
  await Promise.all(Array.from({ length: workers }, work));
  process.stderr.write('\r');
  return results;
}

const CHUNK = 20;

/** Grouped by cause, the most frequent first, each with some files to reproduce it. */
function printOffences(offences: readonly FuzzResult[], plan: FuzzPlan): void {
  const folders = (['corpus', 'undamaged'] as const).flatMap((name) => (plan[name] ? [`--${name} ${plan[name]}`] : []));
  const again = [`--seed ${plan.seed}`, ...folders].join(' ');
  const groups = Map.groupBy(offences, ({ format, offence }) => `${format} ${offence?.kind}: ${offence?.cause}`);
  for (const [group, results] of [...groups].toSorted(([, one], [, other]) => other.length - one.length)) {
    console.log(`${String(results.length).padStart(5)} × ${group}`);
    for (const result of results.slice(0, EXAMPLES)) console.log(`        ${exampleOf(result, again)}`);
  }
}

const EXAMPLES = 3;

function exampleOf({ format, number, seedFile, mutations, settings, offence }: FuzzResult, again: string): string {
  const what = `${seedFile}, ${mutations.join(', ')}, ${settings}`;
  return `${again} --only ${format}:${number}  ${what}: ${offence?.detail.slice(0, 160)}`;
}

type MadeRun = Parameters<typeof makeCase>[1];

async function keepOffences(offences: readonly FuzzResult[], folder: string, run: MadeRun): Promise<void> {
  for (const result of offences) {
    const { format, number, offence, seedFile, mutations, settings } = result;
    const name = `${offence?.kind}-${run.seed}-${number}`;
    await mkdir(path.join(folder, format), { recursive: true });
    await writeFile(path.join(folder, format, `${name}.${ENDINGS[format]}`), makeCase(result, run).mutant.bytes);
    const lines = [
      `seed file ${seedFile}`,
      `mutations ${mutations.join(', ')}`,
      `settings ${settings}`,
      offence?.cause,
      offence?.detail,
    ];
    await writeFile(path.join(folder, format, `${name}.txt`), `${lines.join('\n')}\n`);
  }
}

const ENDINGS = { jpeg: 'jpg', png: 'png', gif: 'gif', webp: 'webp', avif: 'avif', tiff: 'tif' } as const;

function printTable(results: readonly FuzzResult[], seconds: number): void {
  const table: Record<string, Counts> = {};
  for (const { format, offence } of results) {
    table[format] ??= { files: 0, laundered: 0, falselyRefused: 0, differing: 0, crashed: 0, refusedAlone: 0 };
    table[format].files++;
    if (offence) table[format][offence.kind]++;
  }
  console.table(table);
  console.log(`${results.length} files in ${seconds.toFixed(1)} s, ${(results.length / seconds).toFixed(0)} files/s`);
  const outcomes: Record<string, number> = {};
  for (const { outcome } of results) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  console.log('outcomes:', outcomes);
}

await main();
