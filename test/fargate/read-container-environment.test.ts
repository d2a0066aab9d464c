import { describe, expect, it } from 'vitest';
import { readContainerEnvironment } from '../../fargate/read-container-environment.ts';

const REF = { jobId: 'a', batchId: 'b', bucket: 'c', start: 0, end: 9, count: 1, bytes: 0, host: 'fargate' };

describe("the container's environment", () => {
  it('is a batch of a job when the state machine set it', () => {
    const task = readContainerEnvironment({ JOB_BUCKET: 'work', BATCH_REF: JSON.stringify(REF) });
    expect(task).toEqual({ contract: 'image-press', workBucket: 'work', ref: REF });
  });

  it("is Mindkosh's contract when only its variables are set", () => {
    const environment = {
      BATCH_JOB_KEY: 'batch_1',
      IN_BUCKET: 'lists',
      JSON_LOCATION: 'x.json',
      OUT_BUCKET: 'out',
      OUT_KEY: 'small',
    };
    expect(readContainerEnvironment(environment)).toMatchObject({
      contract: 'mindkosh',
      mk: { batch: 'batch_1' },
    });
  });

  it.each([
    [{}, 'Expected either JOB_BUCKET and BATCH_REF'],
    [{ JOB_BUCKET: 'x' }, 'Expected JOB_BUCKET and BATCH_REF, but BATCH_REF is not set'],
    [{ JOB_BUCKET: 'x', BATCH_REF: 'not json' }, 'Expected BATCH_REF to be a line of batches.jsonl: Invalid input'],
    [{ JOB_BUCKET: 'x', BATCH_REF: '{"jobId":"a"}' }, 'Expected BATCH_REF to be a line of batches.jsonl: batchId: '],
    [{ BATCH_JOB_KEY: 'batch_1' }, 'Expected OUT_BUCKET, the bucket for compressed images, but it is not set'],
  ])('is refused by name when it is %j', (environment, problem) => {
    expect(() => readContainerEnvironment(environment)).toThrow(problem);
  });
});
