import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readDefinition } from '../step-functions/read-definition.ts';
import { WORK_BUCKET } from './local-buckets.ts';

const CONDITIONS: Readonly<Record<string, boolean>> = { FargateIsDeployed: true, NetworkIsOwn: true };

/** The deployed definition, with the local names of what a deployment would put in. */
export async function readLocalDefinition(): Promise<unknown> {
  const file = path.resolve(import.meta.dirname, '../../statemachines/compress-images.asl.yml');
  return readDefinition(await readFile(file, 'utf8'), {
    nameOf: (logicalId) => (logicalId === 'OutputBucket' ? WORK_BUCKET : logicalId),
    holds: (condition) => CONDITIONS[condition] ?? unknown(condition),
  });
}

function unknown(name: string): never {
  throw new Error(
    `Expected a condition that local mode knows but the definition uses ${name}; add it in local/cloud/local-definition.ts`,
  );
}
