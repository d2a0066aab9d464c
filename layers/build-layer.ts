import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

/** An architecture as npm names it. */
export type Cpu = 'arm64' | 'x64';

/** What this plugin uses of the framework. */
interface Serverless {
  readonly serviceDir: string;
  readonly service: {
    readonly custom: { readonly settings: { readonly architecture: { readonly npm: Cpu } } };
  };
}

/** Builds the layer before the framework zips it. */
export default class BuildLayer {
  readonly hooks: Record<string, () => Promise<void>>;

  constructor(serverless: Serverless, _options: unknown, { log }: { log: { info(text: string): void } }) {
    this.hooks = {
      'before:package:createDeploymentArtifacts': async () => {
        const { npm: cpu } = serverless.service.custom.settings.architecture;
        log.info(`Building the layer for linux-${cpu}`);
        await buildLayer(serverless.serviceDir, cpu);
      },
    };
  }
}

const SOURCE = path.join(import.meta.dirname, 'sharp/nodejs');
const MANIFESTS = ['package.json', 'package-lock.json'];
const FLAGS = ['--os=linux', '--libc=glibc', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund'];

/**
 * Where the built layer for `cpu` is, relative to the service. The name is a hash of everything that decides its
 * content: another lockfile means another folder, and a folder that exists is complete.
 */
export function layerFolder(cpu: Cpu): string {
  const hash = createHash('sha256').update(readFileSync(import.meta.filename));
  for (const file of MANIFESTS) hash.update(readFileSync(path.join(SOURCE, file)));
  return `.build/layers/sharp-${cpu}-${hash.digest('hex').slice(0, 12)}`;
}

/**
 * Builds the layer from its own lockfile for the target's architecture, not this machine's.
 * @returns the folder to zip
 */
export async function buildLayer(serviceDir: string, cpu: Cpu): Promise<string> {
  const folder = path.join(serviceDir, layerFolder(cpu));
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${randomUUID()}`;
  try {
    await installPackages(path.join(draft, 'nodejs'), cpu);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process may have built the same layer meanwhile.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function installPackages(folder: string, cpu: Cpu): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of MANIFESTS) await cp(path.join(SOURCE, file), path.join(folder, file));
  try {
    const shell = process.platform === 'win32';
    await promisify(execFile)('npm', ['ci', `--cpu=${cpu}`, ...FLAGS], { cwd: folder, shell });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(`The layer could not be installed: npm ci in ${folder} failed with\n${stderr ?? message}`);
  }
  // The first differs from run to run, the second has no use in a layer.
  await rm(path.join(folder, 'node_modules/.package-lock.json'), { force: true });
  await rm(path.join(folder, 'node_modules/.bin'), { recursive: true, force: true });
}
