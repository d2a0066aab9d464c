'use strict';

const { execFile } = require('node:child_process');
const { createHash, randomUUID } = require('node:crypto');
const { cp, mkdir, readFile, rename, rm, writeFile } = require('node:fs/promises');
const path = require('node:path');
const { promisify } = require('node:util');

const MANIFESTS = ['package.json', 'package-lock.json'];
const FLAGS = ['--os=linux', '--libc=glibc', '--ignore-scripts', '--omit=dev', '--no-audit', '--no-fund'];

/**
 * Builds the layer from its own lockfile, for the target's architecture and not this machine's, before it is zipped.
 * @returns the folder to zip. A folder that was built from the same lockfile before is taken as it is.
 */
async function buildLayer(source, target, cpu) {
  const wanted = await fingerprint(source, cpu);
  const stamp = path.join(target, '..', `${path.basename(target)}.built-from`);
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return target;

  const draft = `${target}.${randomUUID()}`;
  await mkdir(path.join(draft, 'nodejs'), { recursive: true });
  for (const file of MANIFESTS) await cp(path.join(source, 'nodejs', file), path.join(draft, 'nodejs', file));
  await installPackages(path.join(draft, 'nodejs'), cpu);
  await rm(stamp, { force: true });
  await rm(target, { recursive: true, force: true });
  await rename(draft, target);
  await writeFile(stamp, wanted);
  return target;
}

async function fingerprint(source, cpu) {
  const hash = createHash('sha256').update(`${cpu} ${FLAGS.join(' ')}`);
  for (const file of MANIFESTS) hash.update(await readFile(path.join(source, 'nodejs', file)));
  return hash.digest('hex');
}

async function installPackages(folder, cpu) {
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  try {
    await promisify(execFile)(npm, ['ci', `--cpu=${cpu}`, ...FLAGS], { cwd: folder });
  } catch (error) {
    throw new Error(
      `The layer could not be installed: npm ci in ${folder} said\n${error.stderr ?? error.message}`,
    );
  }
  // These two differ from run to run or serve nobody in a layer.
  await rm(path.join(folder, 'node_modules/.package-lock.json'), { force: true });
  await rm(path.join(folder, 'node_modules/.bin'), { recursive: true, force: true });
}

class BuildLayer {
  constructor(serverless, _options, { log }) {
    const { service } = serverless;
    this.hooks = {
      'before:package:createDeploymentArtifacts': async () => {
        const { npm: cpu } = service.custom.settings.architecture;
        const folder = path.resolve(serverless.serviceDir, service.layers.sharp.path);
        log.info(`Building the layer for linux-${cpu}`);
        await buildLayer(path.join(serverless.serviceDir, 'layers/sharp'), folder, cpu);
      },
    };
  }
}

module.exports = BuildLayer;
module.exports.buildLayer = buildLayer;
