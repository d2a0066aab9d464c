/** Loaded before everything else in each process of a host: whoever wants to kill it finds its id in this folder. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const kind = process.argv.includes('--worker') ? 'worker' : path.basename(process.argv[1] ?? '');
writeFileSync(path.join(process.env.PROCESS_IDS!, String(process.pid)), kind);
