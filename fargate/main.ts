import { fileURLToPath } from 'node:url';
import { log } from '../src/hosts/log.ts';
import { endWithSupervisor, supervise } from './supervise.ts';

/** The first image that crashes the worker takes three crashes to be found, each further one two. */
const MAX_RESTARTS = 25;

if (process.argv[2] === '--worker') process.exitCode = await workUntilSignalled();
else {
  process.exitCode = await supervise({
    program: fileURLToPath(import.meta.url),
    environment: { ...process.env, CONTAINER_STARTED_AT: new Date().toISOString() },
    maxRestarts: MAX_RESTARTS,
    onCrash: (crash) => log.warn('the worker crashed and is started again', { crash }),
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
