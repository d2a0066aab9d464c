import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Reference, readDefinition } from '../step-functions/read-definition.ts';
import { WORK_BUCKET } from './local-buckets.ts';

/** The deployed definition, with the local names of what a deployment would put in. */
export async function readLocalDefinition(): Promise<unknown> {
  const file = path.resolve(import.meta.dirname, '../../statemachines/compress-images.asl.yml');
  return readDefinition(await readFile(file, 'utf8'), localName);
}

function localName(reference: Reference): unknown {
  switch (reference.kind) {
    case 'Condition':
      return CONDITIONS[reference.name] ?? unknown(reference.name);
    case 'Ref':
      return reference.name === 'OutputBucket' ? WORK_BUCKET : reference.name;
    case 'GetAtt':
      return reference.name;
    case 'variable':
      return unknown(reference.expression);
  }
}

const CONDITIONS: Readonly<Record<string, boolean>> = { FargateIsDeployed: true, NetworkIsOwn: true };

function unknown(name: string): never {
  throw new Error(
    `Expected a name that local mode knows but the definition uses ${name}; add it in local/cloud/local-definition.ts`,
  );
}
