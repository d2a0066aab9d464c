import { describe, expect, it } from 'vitest';
import { explainFailure } from '../../src/core/explain-failure.ts';

describe('explainFailure', () => {
  it('takes the message out of what Lambda wraps it in', () => {
    const cause = JSON.stringify({ errorType: 'Error', errorMessage: 'no space left', trace: ['at …'] });
    expect(explainFailure('Error', cause)).toEqual({ error: 'Error', cause: 'no space left' });
  });

  it('takes reason and exit code out of the description of a Fargate task', () => {
    const cause = JSON.stringify({
      Attachments: [],
      StopCode: 'EssentialContainerExited',
      StoppedReason: 'Essential container in task exited',
      Containers: [{ Name: 'compress-batch', ExitCode: 137, Reason: 'OutOfMemoryError: container killed' }],
    });
    expect(explainFailure('States.TaskFailed', cause).cause).toBe(
      'Fargate task: EssentialContainerExited, Essential container in task exited, exit code 137, OutOfMemoryError: container killed',
    );
  });

  it('passes on what it does not know, and says when nothing was said', () => {
    expect(explainFailure('X', '{ not json').cause).toBe('{ not json');
    expect(explainFailure('X', '{"some":"thing"}').cause).toBe('{"some":"thing"}');
    expect(explainFailure(undefined, undefined)).toEqual({ error: 'Unknown', cause: '' });
  });

  it('shortens what would fill the page', () => {
    expect(explainFailure('X', 'x'.repeat(5000)).cause).toHaveLength(601);
  });
});
