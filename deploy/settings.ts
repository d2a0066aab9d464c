import { readFileSync } from 'node:fs';
import path from 'node:path';
import yaml from 'yaml';
import { layerFolder } from '../layers/build-layer.ts';
import { bucketArn, objectsArn, substitute, writeActions } from './arns.ts';
import {
  buckets,
  type Framework,
  integer,
  isYes,
  list,
  type Parameter,
  ParameterError,
  readParameters,
  refused,
  topics,
} from './parameters.ts';
import { taskImage } from './task-image.ts';
import { uploadSettings } from './uploads.ts';

export type DeploymentSettings = Awaited<ReturnType<typeof deploymentSettings>>;

/**
 * Reads the parameters of serverless.yml once, checks them, and returns what `${self:custom.settings…}` refers to.
 * @throws ParameterError naming the parameter, what was expected and what was given
 */
export async function deploymentSettings(framework: Framework) {
  const param = await readParameters(framework);
  const service = String(await framework.resolveVariable('self:service'));
  const stage = checkedStage(String(await framework.resolveVariable('sls:stage')));
  const bucketName = (role: string) => `${service}-${stage}-${role}-\${AWS::AccountId}-\${AWS::Region}`;
  const architecture = architectureFrom(param('architecture'));
  return {
    architecture,
    layerFolder: layerFolder(architecture.npm),
    inputBucketName: substitute(bucketName('input')),
    outputBucketName: substitute(bucketName('output')),
    uploadBucketName: substitute(bucketName('upload')),
    ...jobSettings(param, bucketName('input')),
    ...fargateSettings(param, `serverless-${service}-${stage}`),
    uploads: uploadSettings(param, `${service}-${stage}-uploads`, bucketName('upload')),
    ...uploadConcurrency(param),
    alarmActions: topics(param('alarmTopicArn')),
    kmsKeys: list(param('kmsKeyArns')),
    usesKms: yesNo(param('kmsKeyArns').text !== ''),
  };
}

type ReadParameter = (name: string) => Parameter;

/** Which buckets jobs may read and write. */
function jobSettings(param: ReadParameter, inputBucket: string) {
  const sources = [inputBucket, ...buckets(param('sourceBuckets'))];
  const outputs = [inputBucket, ...buckets(param('outputBuckets'))];
  return {
    sourceBuckets: sources.map(bucketArn),
    sourceObjects: sources.map(objectsArn),
    outputObjects: outputs.map(objectsArn),
    jobBuckets: [...new Set([...sources, ...outputs])].map(bucketArn),
    jobWriting: writeActions(isYes(param('jobAcls'))),
  };
}

function fargateSettings(param: ReadParameter, ownRepository: string) {
  const image = taskImage(param('taskImage'), ownRepository);
  const network = networkFrom(list(param('subnetIds')), list(param('securityGroupIds')));
  return {
    taskImage: image,
    deploysFargate: yesNo(image.mode !== 'none'),
    imageIsInEcr: yesNo(image.inEcr),
    ownsNetwork: yesNo(image.mode !== 'none' && network === undefined),
    definition: definitionWith(integer(param('maxConcurrency'), 1, 10_000), network),
  };
}

/** Reserved below what the queue delivers, messages would be throttled into the dead-letter queue. */
function uploadConcurrency(param: ReadParameter) {
  const concurrency = integer(param('uploadConcurrency'), 2, 1000);
  const reserved = param('uploadReservedConcurrency');
  return {
    uploadConcurrency: concurrency,
    uploadReservedConcurrency: reserved.text === '' ? { Ref: 'AWS::NoValue' } : integer(reserved, concurrency, 1000),
  };
}

function networkFrom(subnets: string[], securityGroups: string[]) {
  if (subnets.length === 0 && securityGroups.length === 0) return undefined;
  if (subnets.length > 0 && securityGroups.length > 0)
    return { Subnets: subnets, SecurityGroups: securityGroups, AssignPublicIp: 'ENABLED' };
  throw new ParameterError(
    'Expected the params subnetIds and securityGroupIds together or neither, but received one of them',
  );
}

const DEFINITION = path.join(import.meta.dirname, '../statemachines/compress-images.asl.yml');

/** The definition as it is, except for two values that are not strings: CloudFormation cannot insert those. */
function definitionWith(maxConcurrency: number, network: ReturnType<typeof networkFrom>) {
  const definition = yaml.parse(readFileSync(DEFINITION, 'utf8'));
  const map = definition.States.CompressBatches;
  map.MaxConcurrency = maxConcurrency;
  const task = map.ItemProcessor.States.CompressBatchOnFargate.Parameters;
  if (network) task.NetworkConfiguration.AwsvpcConfiguration = network;
  return definition;
}

/** Bucket names have at most 63 characters and consist of service, stage, role, account and region. */
function checkedStage(stage: string): string {
  if (/^[a-z0-9-]{1,16}$/.test(stage)) return stage;
  throw new ParameterError(
    `Expected a stage of at most 16 of a-z, 0-9 and -, because bucket names contain it, but received "${stage}"`,
  );
}

const ARCHITECTURES = {
  arm64: { lambda: 'arm64', fargate: 'ARM64', docker: 'linux/arm64', npm: 'arm64' },
  x86_64: { lambda: 'x86_64', fargate: 'X86_64', docker: 'linux/amd64', npm: 'x64' },
} as const;

function architectureFrom(parameter: Parameter) {
  if (parameter.text === 'arm64' || parameter.text === 'x86_64') return ARCHITECTURES[parameter.text];
  throw refused(parameter, 'arm64 or x86_64');
}

const yesNo = (condition: boolean) => (condition ? 'yes' : 'no');
