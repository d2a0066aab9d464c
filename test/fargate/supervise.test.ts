import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EXIT, supervise } from '../../fargate/supervise.ts';

/** A worker that notes each of its lives in a file and then does what the script says. */
async function superviseWorker(script: string, mostRestarts = 5, onDeath: (how: string) => void = () => {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'supervise-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [program, lives] = [path.join(folder, 'worker.cjs'), path.join(folder, 'lives')];
  await appendFile(lives, '');
  await writeFile(
    program,
    `const fs = require('node:fs');
     fs.appendFileSync(${JSON.stringify(lives)}, 'x');
     const life = fs.readFileSync(${JSON.stringify(lives)}, 'utf8').length;
     ${script}`,
  );
  const code = await supervise({
    program,
    environment: process.env,
    mostRestarts,
    onDeath: ({ how }) => onDeath(how),
  });
  return { code, lives: (await readFile(lives, 'utf8')).length };
}

describe('the supervisor of a container', () => {
  it.each(
    Object.entries(EXIT),
  )('answers %s as its worker does, and does not start it again', async (_, code) => {
    expect(await superviseWorker(`process.exit(${code})`)).toEqual({ code, lives: 1 });
  });

  it('starts a worker again that was killed or aborted, and tells how it died', async () => {
    const deaths: string[] = [];
    const script = `if (life === 1) process.kill(process.pid, 'SIGKILL');
                    else if (life === 2) process.abort();
                    else if (life === 3) process.exit(134);
                    else process.exit(0);`;
    expect(await superviseWorker(script, 5, (how) => deaths.push(how))).toEqual({
      code: EXIT.done,
      lives: 4,
    });
    expect(deaths).toEqual(['SIGKILL', 'SIGABRT', 'exit code 134']);
  });

  it('gives up after so many deaths, with a code of its own', async () => {
    const script = `process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 10_000);`;
    expect(await superviseWorker(script, 2)).toEqual({ code: EXIT.crashed, lives: 3 });
  });
});
