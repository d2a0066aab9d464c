import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Template } from './template.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const SOURCES = [
  'deploy',
  'fargate',
  'functions',
  'layers',
  'package.json',
  'permission_templates',
  'serverless.yml',
  'src',
  'statemachines',
  'tsconfig.json',
];

export interface PackagedService {
  /** Holds `<function>.zip` and `sharp.zip`. */
  readonly folder: string;
  readonly template: Template;
  remove(): Promise<void>;
}

/** Runs the real `sls package` on a copy of the project, as on a fresh clone, without AWS. */
export async function packageService(params: Readonly<Record<string, string>>): Promise<PackagedService> {
  const clone = await mkdtemp(path.join(os.tmpdir(), 'image-press-package-'));
  const folder = path.join(clone, 'packaged');
  const remove = () => rm(clone, { recursive: true, force: true });
  try {
    for (const source of SOURCES) {
      await cp(path.join(ROOT, source), path.join(clone, source), { recursive: true });
    }
    await symlink(path.join(ROOT, 'node_modules'), path.join(clone, 'node_modules'), 'junction');
    // The layers that were built before: they are rebuilt when a lockfile says so.
    await mkdir(path.join(ROOT, '.build'), { recursive: true });
    await symlink(path.join(ROOT, '.build'), path.join(clone, '.build'), 'junction');
    await runServerless(['package', '--package', folder], params, clone);
    const template = path.join(folder, 'cloudformation-template-update-stack.json');
    return { folder, template: JSON.parse(await readFile(template, 'utf8')), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function runServerless(args: string[], params: Readonly<Record<string, string>>, cwd: string) {
  const cloudFormation = await startEmptyCloudFormation();
  const serverless = path.join(ROOT, 'node_modules/serverless/bin/serverless.js');
  const given = Object.entries(params).flatMap(([name, value]) => ['--param', `${name}=${value}`]);
  try {
    await promisify(execFile)(process.execPath, [serverless, ...args, ...given], {
      cwd,
      env: {
        ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'))),
        AWS_ENDPOINT_URL: cloudFormation.endpoint,
        AWS_ACCESS_KEY_ID: 'none',
        AWS_SECRET_ACCESS_KEY: 'none',
        AWS_REGION: 'us-east-1',
        SLS_TELEMETRY_DISABLED: '1',
        SLS_NOTIFICATIONS_MODE: 'off',
      },
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`sls ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error });
  } finally {
    await cloudFormation.close();
  }
}

/** Packaging asks for the hash of the layer that is deployed; here no stack is. */
async function startEmptyCloudFormation() {
  const server = createServer((_request, response) => {
    response.writeHead(400, { 'content-type': 'text/xml' });
    response.end(
      '<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id image-press-dev does not exist</Message></Error></ErrorResponse>',
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((done) => server.close(done)),
  };
}
