/** A worker of `bench/fuzz.ts`: receives cases, sends their results. */
import { NPM_JUDGES } from '../../test/support/fuzz/judges/npm-judges.ts';
import { startSystemJudges } from '../../test/support/fuzz/judges/system-judges.ts';
import { type FuzzCase, prepareFuzz } from '../../test/support/fuzz/run-fuzz.ts';
import { type FuzzMessage, type FuzzPlan, filesOf } from './worker-process.ts';

const plan = JSON.parse(process.argv[2] ?? '') as FuzzPlan;
const system = await startSystemJudges(plan.python);
// Ours is libvips: beside decoders of the system it would be no foreign one.
const foreign = NPM_JUDGES.filter(({ name }) => name !== 'libvips' || system.judges.length === 0);
const judges = [...foreign, ...system.judges];
const undamaged = plan.undamaged !== undefined;
const runCase = await prepareFuzz({ seed: plan.seed, files: await filesOf(plan), judges, undamaged });

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
