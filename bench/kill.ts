/**
 * Nothing is lost: jobs run through the real state machine with real processes, which are killed with SIGKILL at
 * random points, until there were so many kills. `node bench/kill.ts [kills] [seed]`
 */
import { killAtRandom, randomFrom } from '../test/support/crash/kill-points.ts';
import { type CrashTestJob, type CrashTestResult, runCrashTest } from '../test/support/crash/run-crash-test.ts';

const wanted = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? 1);

const random = randomFrom(seed);
const sums = { jobs: 0, kills: 0, images: 0, lost: 0, doubled: 0, failed: 0, problems: 0 };
const killsByPhase = new Map<string, number>();

while (sums.kills < wanted) {
  const job = drawJob();
  const end = await runCrashTest(job);
  count(end);
  const { output, host, fargate } = job;
  console.error(
    `job ${sums.jobs} (${output}, ${host}, Fargate ${fargate}): ${end.kills.length} kills, ${sums.kills} in all`,
  );
  for (const problem of end.problems) console.log(`job ${sums.jobs}: ${problem}`);
}
console.log(
  `${sums.kills} kills in ${sums.jobs} jobs of ${sums.images} images: ${JSON.stringify(Object.fromEntries(killsByPhase))}`,
);
console.log(
  `lost ${sums.lost}, counted twice ${sums.doubled}, failed ${sums.failed}, anything else wrong ${sums.problems}`,
);
process.exitCode = sums.problems + sums.lost + sums.doubled > 0 ? 1 : 0;

function drawJob(): CrashTestJob {
  const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const images = 16 + Math.floor(random() * 24);
  return {
    output: pick('elsewhere', 'in-place'),
    host: pick('lambda', 'lambda', 'fargate'),
    fargate: pick(true, false),
    images,
    perBatch: pick(images, Math.ceil(images / 2), 8),
    kill: pick('worker', 'worker', 'supervisor'),
    killWhen: killAtRandom(random, { plan: pick(0, 1), compress: 5, report: pick(0, 1, 2) }, images),
  };
}

function count({ kills, results, report, problems }: CrashTestResult): void {
  sums.jobs += 1;
  sums.kills += kills.length;
  sums.images += report.planned;
  sums.lost += report.lost;
  sums.doubled += results.length - new Set(results.map(({ index }) => index)).size;
  sums.failed += report.failed;
  sums.problems += problems.length;
  for (const { phase } of kills) killsByPhase.set(phase, (killsByPhase.get(phase) ?? 0) + 1);
}
