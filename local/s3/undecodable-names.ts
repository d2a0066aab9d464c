import { readdirSync } from 'node:fs';

const REPLACEMENT = '\uFFFD';

/**
 * The file or folder whose name is no UTF-8 (archives from old Windows unpack so) and decodes to this key.
 * Node shows such bytes as U+FFFD, and nothing is found under the name it shows.
 */
export function findByLooks(root: string, key: string): Buffer | undefined {
  if (!mayBeUndecodable(key)) return undefined;
  let found: Buffer = Buffer.from(root);
  for (const segment of key.split('/').filter((one) => one !== '')) {
    const name = namesIn(found).find((one) => one.toString() === segment);
    if (!name) return undefined;
    found = Buffer.concat([found, Buffer.from('/'), name]);
  }
  return found;
}

export function mayBeUndecodable(key: string): boolean {
  return key.includes(REPLACEMENT);
}

function namesIn(folder: Buffer): Buffer[] {
  try {
    return readdirSync(folder, 'buffer');
  } catch {
    return [];
  }
}
