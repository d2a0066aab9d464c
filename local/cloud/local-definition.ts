import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type DeploymentNames, readDefinition } from '../step-functions/read-definition.ts';
import { OUTPUT_BUCKET } from './local-buckets.ts';
import { JOB_FUNCTIONS } from './task-resources.ts';

/** The deployed definition, with local values for its references. @throws Error naming one that has no local value */
export async function readLocalDefinition(): Promise<unknown> {
  const file = path.resolve(import.meta.dirname, '../../statemachines/compress-images.asl.yml');
  return readDefinition(await readFile(file, 'utf8'), LOCAL_NAMES);
}

export const LOCAL_NAMES: DeploymentNames = {
  nameOf: (logicalId, attribute) => {
    const reference = attribute === undefined ? logicalId : `${logicalId}.${attribute}`;
    return localValue(reference, { OutputBucket: OUTPUT_BUCKET, ...FUNCTIONS, ...UNUSED });
  },
  holds: (condition) => localValue(condition, { FargateIsDeployed: true, NetworkIsOwn: true }),
};

const FUNCTIONS = Object.fromEntries(JOB_FUNCTIONS.map((name) => [`${name}.Arn`, name]));

/** References whose value has no effect on a local task. */
const UNUSED = {
  'TaskCluster.Arn': 'TaskCluster',
  CompressBatchTask: 'CompressBatchTask',
  TaskSubnetA: 'TaskSubnetA',
  TaskSubnetB: 'TaskSubnetB',
  'TaskSecurityGroup.GroupId': 'TaskSecurityGroup',
};

function localValue<T>(name: string, values: Readonly<Record<string, T>>): T {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value !== undefined) return value;
  const expected = 'Expected a reference or a condition with a local value';
  throw new Error(`${expected} but the definition uses ${name}; add it in local/cloud/local-definition.ts`);
}
