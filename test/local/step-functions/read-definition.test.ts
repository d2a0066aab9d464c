import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { LOCAL_NAMES } from '../../../local/cloud/local-definition.ts';
import { TASK_PARAMETERS } from '../../../local/cloud/task-resources.ts';
import { parseDefinition } from '../../../local/step-functions/parse-definition.ts';
import { readDefinition } from '../../../local/step-functions/read-definition.ts';

const names = { nameOf: (logicalId: string) => `<${logicalId}>`, holds: (name: string) => name === 'Yes' };

describe('readDefinition', () => {
  it('resolves references to resources by name', () => {
    const text = `
      Bucket: { Ref: OutputBucket }
      Function: { Fn::GetAtt: [compress-batch, Arn] }
      List: [{ Ref: Subnet }]`;
    expect(readDefinition(text, names)).toEqual({
      Bucket: '<OutputBucket>',
      Function: '<compress-batch>',
      List: ['<Subnet>'],
    });
  });

  it('takes the branch whose condition holds and resolves nothing of the other', () => {
    const asked: string[] = [];
    const nameOf = (logicalId: string) => {
      asked.push(logicalId);
      return 'name';
    };
    const text = 'a: { Fn::If: [Yes, { x: { Ref: A } }, { Ref: B }] }\nb: { Fn::If: [No, { Ref: C }, plain] }';
    expect(readDefinition(text, { ...names, nameOf })).toEqual({ a: { x: 'name' }, b: 'plain' });
    expect(asked).toEqual(['A']);
  });

  it('keeps paths and intrinsic functions as they are', () => {
    const text = "a.$: $.x.y\nb.$: States.Format('{}-{}', $.a, $$.Execution.Name)";
    expect(readDefinition(text, names)).toEqual({
      'a.$': '$.x.y',
      'b.$': "States.Format('{}-{}', $.a, $$.Execution.Name)",
    });
  });

  it.each([
    ['broken YAML', 'a: [1', 'Expected a state machine in YAML'],
    ['a short tag', 'a: !Ref x', 'Unresolved tag: !Ref'],
    ['Fn::Sub', 'a: { Fn::Sub: text }', 'it uses Fn::Sub'],
    ['Fn::Sub after another field', 'a: { b: 1, Fn::Sub: text }', 'it uses Fn::Sub'],
    ['a Ref beside another field', 'a: { b: 1, Ref: OutputBucket }', 'it uses Ref beside other fields'],
    ['an Fn::If without the other branch', 'a: { Fn::If: [Yes, b] }', 'it uses Fn::If without three operands'],
    ['an Fn::GetAtt in one text', 'a: { Fn::GetAtt: a.Arn }', 'uses Fn::GetAtt without two operands'],
    ['a variable', `a: "\${param:width}"`, `it uses the variable in "\${param:width}"`],
  ])('refuses %s by name', (_what, text, message) => {
    expect(() => readDefinition(text, names)).toThrow(message);
  });

  it('reads the definition of the project, with Fargate and without', async () => {
    const file = new URL('../../../statemachines/compress-images.asl.yml', import.meta.url);
    const text = await readFile(file, 'utf8');
    for (const isDeployed of [true, false]) {
      const definition = readDefinition(text, { ...LOCAL_NAMES, holds: () => isDeployed });
      expect(() => parseDefinition(definition, TASK_PARAMETERS)).not.toThrow();
    }
  });
});
