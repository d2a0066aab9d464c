import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ObjectCreated, startJobs } from '../../src/start/start-job.ts';

const record = (key: string, sequencer = '0055AED6DCD90281E5'): ObjectCreated => ({
  s3: { bucket: { name: 'input' }, object: { key, sequencer } },
});

/** Remembers the names of executions, as Step Functions does. */
function executions() {
  const inputs = new Map<string, unknown>();
  const startExecution = async (name: string, input: unknown) => {
    if (inputs.has(name)) return 'already-started' as const;
    inputs.set(name, input);
    return 'started' as const;
  };
  return { inputs, startExecution };
}

describe('startJobs', () => {
  it('starts one job for every list that the event names, with the decoded key', async () => {
    const { inputs, startExecution } = executions();
    const Records = [record('lists/my+photos.json'), record('lists/100%25%2B%C3%BC.txt')];
    const jobs = await startJobs({ Records }, startExecution);
    expect(jobs.map((job) => job.fileList)).toEqual(['s3://input/lists/my photos.json', 's3://input/lists/100%+ü.txt']);
    expect([...inputs.values()]).toEqual(jobs.map(({ fileList }) => ({ fileList })));
  });

  it('starts nothing when the same event is delivered again, and another job when the file is written again', async () => {
    const { inputs, startExecution } = executions();
    await startJobs({ Records: [record('lists/a.json', '01')] }, startExecution);
    const again = await startJobs({ Records: [record('lists/a.json', '01')] }, startExecution);
    const other = await startJobs({ Records: [record('lists/a.json', '02')] }, startExecution);
    expect([...again, ...other].map(({ outcome }) => outcome)).toEqual(['already-started', 'started']);
    expect(inputs.size).toBe(2);
  });

  it('ignores folder markers and S3’s test event', async () => {
    const { inputs, startExecution } = executions();
    expect(await startJobs({ Records: [record('lists/')] }, startExecution)).toEqual([]);
    const testEvent = { Service: 'Amazon S3', Event: 's3:TestEvent', Bucket: 'input' };
    expect(await startJobs(testEvent as object, startExecution)).toEqual([]);
    expect(inputs.size).toBe(0);
  });

  it('also starts a job for a list that cannot be read, so that its owner sees it fail', async () => {
    const { inputs, startExecution } = executions();
    await startJobs({ Records: [record('lists/not-a-list.exe')] }, startExecution);
    expect([...inputs.values()]).toEqual([{ fileList: 's3://input/lists/not-a-list.exe' }]);
  });

  it('fails when Step Functions does, so that the event is delivered again', async () => {
    const failing = () => Promise.reject(new Error('ThrottlingException'));
    await expect(startJobs({ Records: [record('lists/a.json')] }, failing)).rejects.toThrow('ThrottlingException');
  });
});

describe('the id of a job', () => {
  const idOf = async (key: string, sequencer: string) => {
    const event = { Records: [record(encodeURIComponent(key), sequencer)] };
    const [job] = await startJobs(event, executions().startExecution);
    return job?.jobId;
  };

  it('is a valid name for executions and keys, whatever the key', async () => {
    const keys = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }).filter((key) => !key.endsWith('/'));
    await fc.assert(
      fc.asyncProperty(keys, fc.string(), async (key, sequencer) => {
        expect(await idOf(key, sequencer)).toMatch(/^[A-Za-z0-9][A-Za-z0-9-]{0,79}$/);
      }),
    );
  });

  it('differs for keys that look alike', async () => {
    const keys = ['lists/a b.json', 'lists/a-b.json', 'lists/x/a b.json'];
    const ids = await Promise.all(keys.map((key) => idOf(key, '01')));
    expect(new Set(ids).size).toBe(3);
    expect(ids[0]).toMatch(/^a-b-json-[0-9a-f]{20}$/);
  });
});
