import { execFileSync } from 'node:child_process';
import { substitute } from './arns.ts';
import { type Parameter, refused } from './parameters.ts';

export interface TaskImage {
  readonly mode: 'build' | 'ready' | 'none';
  /** Set when `auto` found no Docker. */
  readonly isDockerMissing?: boolean;
  /** Of a ready image. */
  readonly uri?: string;
  readonly inEcr: boolean;
  /** ARN of the repository in ECR that the task's execution role may pull from. */
  readonly repository: ReturnType<typeof substitute>;
}

/**
 * Which image the Fargate tasks run, if any.
 * @param ownRepository the name that the framework's builder gives to the repository it pushes to
 */
export function taskImage(parameter: Parameter, ownRepository: string): TaskImage {
  const built: TaskImage = { mode: 'build', inEcr: true, repository: ownRepositoryArn(ownRepository) };
  switch (parameter.text) {
    case 'auto':
      return dockerResponds() ? built : { ...NO_IMAGE, isDockerMissing: true };
    case 'build':
      return built;
    case 'none':
      return NO_IMAGE;
    default:
      if (!/^[\w.:-]+\/[\w./@:-]+$/.test(parameter.text))
        throw refused(parameter, 'auto, build, none or an image URI (registry/repository:tag)');
      return { mode: 'ready', uri: parameter.text, ...repositoryOf(parameter.text) };
  }
}

/** Only ECR needs a permission; images in other registries must be public. */
function repositoryOf(uri: string): Pick<TaskImage, 'inEcr' | 'repository'> {
  const ecr = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^@:]+)/.exec(uri);
  if (!ecr) return NOT_IN_ECR;
  const [, account = '', region = '', name = ''] = ecr;
  return { inEcr: true, repository: repositoryArn(region, account, name) };
}

function repositoryArn(region: string, account: string, name: string) {
  return substitute(`arn:\${AWS::Partition}:ecr:${region}:${account}:repository/${name}`);
}

function ownRepositoryArn(name: string) {
  return repositoryArn(`\${AWS::Region}`, `\${AWS::AccountId}`, name);
}

// The policy always names a repository: CloudFormation leaves the statement out, but checks it first.
const NOT_IN_ECR = { inEcr: false, repository: ownRepositoryArn('none') };
const NO_IMAGE = { mode: 'none', ...NOT_IN_ECR } as const;

function dockerResponds(): boolean {
  try {
    execFileSync('docker', ['info', '--format', '{{.ServerVersion}}'], { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
