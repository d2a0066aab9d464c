'use strict';

const { execFile } = require('node:child_process');
const { createHash, randomUUID } = require('node:crypto');
const { existsSync, readFileSync } = require('node:fs');
const { cp, mkdir, rename, rm } = require('node:fs/promises');
const path = require('node:path');
const { promisify } = require('node:util');

const SOURCE = path.join(__dirname, 'sharp/nodejs');
const MANIFESTS = ['package.json', 'package-lock.json'];
const FLAGS = ['--os=linux', '--libc=glibc', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund'];

/**
 * Where the layer for `cpu` (arm64 or x64) lies once it is built, relative to the service. The name is made from
 * everything that decides its content: another lockfile is another folder, and a folder that is there is complete.
 */
function layerFolder(cpu) {
  const hash = createHash('sha256').update(readFileSync(__filename));
  for (const file of MANIFESTS) hash.update(readFileSync(path.join(SOURCE, file)));
  return `.build/layers/sharp-${cpu}-${hash.digest('hex').slice(0, 12)}`;
}

/**
 * Builds the layer from its own lockfile for the target's architecture, not this machine's.
 * @returns the folder to zip
 */
async function buildLayer(serviceDir, cpu) {
  const folder = path.join(serviceDir, layerFolder(cpu));
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${randomUUID()}`;
  try {
    await installPackages(path.join(draft, 'nodejs'), cpu);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Somebody else built the same meanwhile.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function installPackages(folder, cpu) {
  await mkdir(folder, { recursive: true });
  for (const file of MANIFESTS) await cp(path.join(SOURCE, file), path.join(folder, file));
  try {
    const shell = process.platform === 'win32';
    await promisify(execFile)('npm', ['ci', `--cpu=${cpu}`, ...FLAGS], { cwd: folder, shell });
  } catch (error) {
    throw new Error(
      `The layer could not be installed: npm ci in ${folder} said\n${error.stderr ?? error.message}`,
    );
  }
  // The first differs from run to run, the second serves nobody in a layer.
  await rm(path.join(folder, 'node_modules/.package-lock.json'), { force: true });
  await rm(path.join(folder, 'node_modules/.bin'), { recursive: true, force: true });
}

class BuildLayer {
  constructor(serverless, _options, { log }) {
    this.hooks = {
      'before:package:createDeploymentArtifacts': async () => {
        const { npm: cpu } = serverless.service.custom.settings.architecture;
        log.info(`Building the layer for linux-${cpu}`);
        await buildLayer(serverless.serviceDir, cpu);
      },
    };
  }
}

module.exports = BuildLayer;
module.exports.buildLayer = buildLayer;
module.exports.layerFolder = layerFolder;
