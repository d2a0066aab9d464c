/** Loaded first in a process that is measured: when it ends, it leaves what it used in the folder PROCESS_USAGE. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakMegabytes: maxRSS / 1024 };
  writeFileSync(path.join(process.env.PROCESS_USAGE!, String(process.pid)), JSON.stringify(usage));
});
