import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { readDefinition } from '../step-functions/read-definition.ts';
import { OUTPUT_BUCKET } from './local-buckets.ts';

const CONDITIONS: Readonly<Record<string, boolean>> = { FargateIsDeployed: true, NetworkIsOwn: true };

/** The deployed definition, with local values for its references. */
export async function readLocalDefinition(): Promise<unknown> {
  const file = path.resolve(import.meta.dirname, '../../statemachines/compress-images.asl.yml');
  return readDefinition(await readFile(file, 'utf8'), {
    nameOf: (logicalId) => (logicalId === 'OutputBucket' ? OUTPUT_BUCKET : logicalId),
    holds: (condition) => {
      if (CONDITIONS[condition] !== undefined) return CONDITIONS[condition];
      const place = 'add it in local/cloud/local-definition.ts';
      throw new Error(
        `Expected a condition with a local value but the definition uses ${condition}; ${place}`,
      );
    },
  });
}
