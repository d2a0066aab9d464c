import { z } from 'zod';

/** Tasks of tests read any Parameters. */
export const ANY_RESOURCES = {
  'arn:work': z.unknown(),
  'arn:lambda': z.unknown(),
  'arn:ecs': z.unknown(),
};

/** A machine that starts at the first of its states. */
export function aMachine(States: Record<string, object>) {
  return { StartAt: Object.keys(States)[0] ?? '', States };
}

/** A Distributed Map that passes each line of s3://work/items.jsonl to one task and tolerates no failure. */
export const aMap = {
  Type: 'Map',
  Label: 'Each',
  MaxConcurrency: 10,
  ToleratedFailurePercentage: 0,
  ItemReader: {
    Resource: 'arn:aws:states:::s3:getObject',
    ReaderConfig: { InputType: 'JSONL' },
    Parameters: { Bucket: 'work', Key: 'items.jsonl' },
  },
  ItemSelector: { 'item.$': '$$.Map.Item.Value' },
  ItemProcessor: {
    ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
    ...aMachine({ Work: { Type: 'Task', Resource: 'arn:work', End: true } }),
  },
  ResultWriter: {
    Resource: 'arn:aws:states:::s3:putObject',
    Parameters: { Bucket: 'work', Prefix: 'results' },
  },
  End: true,
};
