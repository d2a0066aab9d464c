import { describe, expect, it } from 'vitest';
import { explainFailure } from '../../src/core/explain-failure.ts';

describe('explainFailure', () => {
  it('unwraps the message of a Lambda', () => {
    const cause = JSON.stringify({ errorType: 'Error', errorMessage: 'no space left', trace: ['at …'] });
    expect(explainFailure('Error', cause)).toEqual({ error: 'Error', cause: 'no space left' });
  });

  it('finds reason and exit code in the description of a Fargate task', () => {
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

  it('passes on other text, and says when there is none', () => {
    expect(explainFailure('X', '{ not json').cause).toBe('{ not json');
    expect(explainFailure('X', '{"some":"thing"}').cause).toBe('{"some":"thing"}');
    expect(explainFailure(undefined, undefined)).toEqual({ error: 'Unknown', cause: '' });
  });

  it('shortens a long text', () => {
    expect(explainFailure('X', 'x'.repeat(5000)).cause).toHaveLength(601);
  });
});
