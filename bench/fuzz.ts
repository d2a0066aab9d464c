/** Compresses damaged files and judges what comes: `node bench/fuzz.ts [count] [first mutation]`, 2,000 from 0. */
import { runFuzz } from '../test/support/judge-fuzz.ts';

async function main(): Promise<void> {
  const [count, first] = [Number(process.argv[2] ?? 2000), Number(process.argv[3] ?? 0)];
  const startedAt = performance.now();
  const { outcomes, faults } = await runFuzz(count, first);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${count} damaged files in ${seconds} s:`, outcomes);
  for (const fault of faults) console.error(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}

await main();
