import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EXIT, supervise } from '../../fargate/supervise.ts';

/** A worker that counts its starts in a file and then runs the script. */
async function superviseWorker(script: string, maxRestarts = 5, onCrash: (cause: string) => void = () => {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'supervise-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const [program, starts] = [path.join(folder, 'worker.cjs'), path.join(folder, 'starts')];
  await appendFile(starts, '');
  await writeFile(
    program,
    `const fs = require('node:fs');
     fs.appendFileSync(${JSON.stringify(starts)}, 'x');
     const start = fs.readFileSync(${JSON.stringify(starts)}, 'utf8').length;
     ${script}`,
  );
  const code = await supervise({
    program,
    environment: process.env,
    maxRestarts,
    onCrash: ({ cause }) => onCrash(cause),
  });
  return { code, starts: (await readFile(starts, 'utf8')).length };
}

describe('the supervisor of a container', () => {
  it.each(Object.entries(EXIT))('exits with %s like its worker, and does not start it again', async (_, code) => {
    expect(await superviseWorker(`process.exit(${code})`)).toEqual({ code, starts: 1 });
  });

  it('starts a worker again that was killed or aborted, and reports how it ended', async () => {
    const crashes: string[] = [];
    const script = `if (start === 1) process.kill(process.pid, 'SIGKILL');
                    else if (start === 2) process.abort();
                    else if (start === 3) process.exit(134);
                    else process.exit(0);`;
    expect(await superviseWorker(script, 5, (cause) => crashes.push(cause))).toEqual({
      code: EXIT.done,
      starts: 4,
    });
    expect(crashes).toEqual(['SIGKILL', 'SIGABRT', 'exit code 134']);
  });

  it('gives up after so many crashes, with a code of its own', async () => {
    const script = `process.kill(process.pid, 'SIGKILL'); setTimeout(() => {}, 10_000);`;
    expect(await superviseWorker(script, 2)).toEqual({ code: EXIT.crashed, starts: 3 });
  });
});
