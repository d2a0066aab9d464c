/** A worker of `bench/fuzz.ts`: receives cases, sends their results. */
import { NPM_JUDGES } from '../../test/support/fuzz/judges/npm-judges.ts';
import { startSystemJudges } from '../../test/support/fuzz/judges/system-judges.ts';
import { type FuzzCase, prepareFuzz } from '../../test/support/fuzz/run-fuzz.ts';
import { readSeedFiles } from '../../test/support/fuzz/seed-files.ts';
import type { FuzzMessage, FuzzPlan } from './worker-process.ts';

const plan = JSON.parse(process.argv[2] ?? '') as FuzzPlan;
const system = await startSystemJudges(plan.python);
// Ours is libvips: beside decoders of the system it would be no foreign one.
const foreign = NPM_JUDGES.filter(({ name }) => name !== 'libvips' || system.judges.length === 0);
const files = await readSeedFiles(plan.corpus);
const runCase = await prepareFuzz({ seed: plan.seed, files, judges: [...foreign, ...system.judges] });

process.on('message', async (cases: FuzzCase[]) => {
  for (const one of cases) {
    send({ kind: 'begin', one });
    send({ kind: 'result', result: await runCase(one) });
  }
  send({ kind: 'idle' });
});
process.on('disconnect', () => {
  system.close();
  process.exit();
});

function send(message: FuzzMessage): void {
  process.send?.(message);
}
