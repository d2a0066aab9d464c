/** Loaded first in each process of a host: writes its id into a folder, so that the crash test can kill it. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';

const kind = process.argv.includes('--worker') ? 'worker' : path.basename(process.argv[1] ?? '');
writeFileSync(path.join(process.env.PROCESS_IDS ?? '', String(process.pid)), kind);
