import { fileURLToPath } from 'node:url';
import { log } from '../src/hosts/log.ts';
import { endWithSupervisor, supervise } from './supervise.ts';

/** An image that kills its host takes three deaths to be found, each further one two. */
const MOST_RESTARTS = 25;

if (process.argv[2] === '--worker') process.exitCode = await workUntilSignalled();
else {
  process.exitCode = await supervise({
    program: fileURLToPath(import.meta.url),
    environment: { ...process.env, CONTAINER_STARTED_AT: new Date().toISOString() },
    mostRestarts: MOST_RESTARTS,
    onDeath: (death) => log.warn('the worker died and is started again', { death }),
  });
}

async function workUntilSignalled(): Promise<number> {
  endWithSupervisor();
  const closing = new AbortController();
  const close = () => closing.abort();
  process.on('SIGTERM', close).on('SIGINT', close);
  const { work } = await import('./work.ts');
  return work(process.env, closing.signal);
}
