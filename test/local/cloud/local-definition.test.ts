import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { LOCAL_NAMES, readLocalDefinition } from '../../../local/cloud/local-definition.ts';
import { TASK_PARAMETERS } from '../../../local/cloud/task-resources.ts';
import { parseDefinition } from '../../../local/step-functions/parse-definition.ts';
import { readDefinition } from '../../../local/step-functions/read-definition.ts';

const file = new URL('../../../statemachines/compress-images.asl.yml', import.meta.url);
const text = await readFile(file, 'utf8');

describe('the definition with local names', () => {
  it('is accepted as the project has it', async () => {
    const definition = await readLocalDefinition();
    expect(() => parseDefinition(definition, TASK_PARAMETERS)).not.toThrow();
    expect(JSON.stringify(definition)).toContain('"FunctionName":"report-job"');
    expect(JSON.stringify(definition)).toContain('"Parameters":{"Bucket":"local-output","Prefix.$"');
  });

  it.each([
    ['a misspelt bucket', '{ Ref: OutputBucket }', '{ Ref: OutputBukcet }', 'uses OutputBukcet;'],
    ['a misspelt function', 'GetAtt: [report-job, Arn]', 'GetAtt: [report-jbo, Arn]', 'uses report-jbo.Arn;'],
    ['another attribute', 'GetAtt: [TaskCluster, Arn]', 'GetAtt: [TaskCluster, Name]', 'TaskCluster.Name;'],
    ['AWS::NoValue', '{ Ref: TaskSubnetB }', '{ Ref: AWS::NoValue }', 'uses AWS::NoValue;'],
    ['AWS::Region', '{ Ref: TaskSubnetB }', '{ Ref: AWS::Region }', 'uses AWS::Region;'],
    ['a member of every object', '{ Ref: OutputBucket }', '{ Ref: constructor }', 'uses constructor;'],
    ['an unknown condition', 'If: [NetworkIsOwn', 'If: [NetworkIsOnw', 'uses NetworkIsOnw;'],
  ])('refuses %s by name', (_what, before, after, message) => {
    expect(text).toContain(before);
    expect(() => readDefinition(text.replace(before, after), LOCAL_NAMES)).toThrow(message);
  });
});
