import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { guardDefinition } from '../../../local/step-functions/definition-guard.ts';
import { type Reference, readDefinition } from '../../../local/step-functions/read-definition.ts';

const told = (reference: Reference) => JSON.stringify(Object.values(reference));

describe('readDefinition', () => {
  it('asks for every CloudFormation reference, in short and in long form', () => {
    const text = `
      Bucket: !Ref OutputBucket
      Function: !GetAtt plan-job.Arn
      Long: { Fn::GetAtt: [compress-batch, Arn] }
      Text: !Sub 'arn:\${AWS::Partition}:s3:::\${OutputBucket}/\${Plan.Arn}'
      List: [{ Ref: Subnet }]`;
    expect(readDefinition(text, told)).toEqual({
      Bucket: '["Ref","OutputBucket"]',
      Function: '["GetAtt","plan-job","Arn"]',
      Long: '["GetAtt","compress-batch","Arn"]',
      Text: 'arn:["Ref","AWS::Partition"]:s3:::["Ref","OutputBucket"]/["GetAtt","Plan","Arn"]',
      List: ['["Ref","Subnet"]'],
    });
  });

  it('takes the branch whose condition holds and asks nothing of the other', () => {
    const asked: Reference[] = [];
    const resolve = (reference: Reference) => {
      asked.push(reference);
      return reference.kind === 'Condition' ? reference.name === 'Yes' : 'value';
    };
    const text = 'a: !If [Yes, { x: !Ref A }, !Ref B]\nb: { Fn::If: [No, { Ref: C }, plain] }';
    expect(readDefinition(text, resolve)).toEqual({ a: { x: 'value' }, b: 'plain' });
    expect(asked.map((reference) => 'name' in reference && reference.name)).toEqual(['Yes', 'A', 'No']);
  });

  it('leaves out a field whose reference has no value', () => {
    expect(readDefinition('a: !Ref AWS::NoValue\nb: 1', () => undefined)).toEqual({ b: 1 });
  });

  it('gives a field that is one variable the type of the variable', () => {
    const values: Record<string, unknown> = {
      'param:width': 12,
      'self:service': 'press',
      'sls:stage': 'dev',
    };
    const text = `width: \${param:width}\nname: '\${self:service}-\${sls:stage}'`;
    const resolve = (reference: Reference) => reference.kind === 'variable' && values[reference.expression];
    expect(readDefinition(text, resolve)).toEqual({ width: 12, name: 'press-dev' });
  });

  it('keeps paths and intrinsic functions as they are', () => {
    const text = "a.$: $.x[0].y\nb.$: States.Format('{}-{}', $.a, $$.Execution.Name)";
    expect(readDefinition(text, told)).toEqual({
      'a.$': '$.x[0].y',
      'b.$': "States.Format('{}-{}', $.a, $$.Execution.Name)",
    });
  });

  it.each(['a: [1', 'a: !Unknown x'])('refuses %j', (text) => {
    expect(() => readDefinition(text, told)).toThrow(/Expected a state machine in YAML/);
  });

  it("reads the project's own definition, which the guard lets through", async () => {
    const file = new URL('../../../statemachines/compress-images.asl.yml', import.meta.url);
    const definition = readDefinition(
      await readFile(file, 'utf8'),
      (reference) => reference.kind !== 'Condition',
    );
    expect(() => guardDefinition(definition)).not.toThrow();
  });
});
