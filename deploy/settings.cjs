// Reads the params of serverless.yml once, checks them, and hands out what the rest of the configuration is made of.
'use strict';

const { execFileSync } = require('node:child_process');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const yaml = require('yaml');
const { layerFolder } = require('../layers/build-layer.cjs');
const { ParameterError } = require('./parameter-error.cjs');
const { bucketArn, objectsArn, uploadsFrom, writing } = require('./uploads.cjs');

const DEFINITION = path.join(__dirname, '../statemachines/compress-images.asl.yml');

const ARCHITECTURES = {
  arm64: { lambda: 'arm64', fargate: 'ARM64', docker: 'linux/arm64', npm: 'arm64' },
  x86_64: { lambda: 'x86_64', fargate: 'X86_64', docker: 'linux/amd64', npm: 'x64' },
};

const repositoryArn = (region, account, name) => ({
  'Fn::Sub': `arn:\${AWS::Partition}:ecr:${region}:${account}:repository/${name}`,
});
// The policy names a repository in any case: CloudFormation leaves the statement out, but checks it first.
const NOT_IN_ECR = {
  inEcr: false,
  repository: repositoryArn(`\${AWS::Region}`, `\${AWS::AccountId}`, 'none'),
};
const NO_IMAGE = { mode: 'none', ...NOT_IN_ECR };

module.exports = async ({ options, resolveVariable, resolveConfigurationProperty }) => {
  refuseUnknown(options?.param ?? [], Object.keys(await resolveConfigurationProperty(['params', 'default'])));
  const param = async (name) => String((await resolveVariable(`param:${name}`)) ?? '').trim();
  const service = await resolveVariable('self:service');
  const stage = checkedStage(await resolveVariable('sls:stage'));
  const bucketName = (role) => `${service}-${stage}-${role}-\${AWS::AccountId}-\${AWS::Region}`;
  const input = bucketName('input');
  const sources = [input, ...bucketList('sourceBuckets', await param('sourceBuckets'))];
  const outputs = [input, ...bucketList('outputBuckets', await param('outputBuckets'))];
  const network = networkFrom(list(await param('subnetIds')), list(await param('securityGroupIds')));
  const architecture = architectureFrom(await param('architecture'));
  const uploadConcurrency = wholeNumber('uploadConcurrency', await param('uploadConcurrency'), 2, 1000);
  const taskImage = taskImageFrom(await param('taskImage'), `serverless-${service}-${stage}`);
  return {
    architecture,
    layerFolder: layerFolder(architecture.npm),
    inputBucketName: { 'Fn::Sub': input },
    outputBucketName: { 'Fn::Sub': bucketName('output') },
    uploadBucketName: { 'Fn::Sub': bucketName('upload') },
    sourceBuckets: sources.map(bucketArn),
    sourceObjects: sources.map(objectsArn),
    outputObjects: outputs.map(objectsArn),
    jobBuckets: [...new Set([...sources, ...outputs])].map(bucketArn),
    jobWriting: writing(answer('jobAcls', await param('jobAcls'))),
    uploads: await uploadsFrom({
      ruleName: `${service}-${stage}-uploads`,
      ownBucket: bucketName('upload'),
      bucket: oneBucket('uploadBucket', await param('uploadBucket')),
      prefix: await param('uploadPrefix'),
      suffixes: list(await param('uploadSuffixes')),
      settings: await param('uploadSettings'),
    }),
    uploadConcurrency,
    uploadReservedConcurrency: reservedConcurrency(
      await param('uploadReservedConcurrency'),
      uploadConcurrency,
    ),
    alarmActions: topic('alarmTopicArn', await param('alarmTopicArn')),
    kmsKeys: list(await param('kmsKeyArns')),
    usesKms: yesNo((await param('kmsKeyArns')) !== ''),
    taskImage,
    deploysFargate: yesNo(taskImage.mode !== 'none'),
    imageIsInEcr: yesNo(taskImage.inEcr),
    ownsNetwork: yesNo(taskImage.mode !== 'none' && network === undefined),
    definition: definitionWith(
      wholeNumber('maxConcurrency', await param('maxConcurrency'), 1, 10_000),
      network,
    ),
  };
};

/** `--param archtecture=x86_64` would deploy the default in silence. */
function refuseUnknown(given, known) {
  for (const assignment of given) {
    const [name] = assignment.split('=');
    if (known.includes(name)) continue;
    throw new ParameterError(`Expected one of the params ${known.join(', ')} but received "${name}"`);
  }
}

/** The definition as it stands, but for the two values that are no strings, which CloudFormation cannot put into it. */
function definitionWith(maxConcurrency, network) {
  const definition = yaml.parse(readFileSync(DEFINITION, 'utf8'));
  const map = definition.States.CompressBatches;
  map.MaxConcurrency = maxConcurrency;
  if (network) {
    const task = map.ItemProcessor.States.CompressBatchOnFargate.Parameters;
    task.NetworkConfiguration.AwsvpcConfiguration = network;
  }
  return definition;
}

function checkedStage(stage) {
  // 16: bucket names end at 63 characters and carry service, stage, role, account and region.
  if (/^[a-z0-9-]{1,16}$/.test(stage)) return stage;
  throw new ParameterError(
    `Expected a stage of at most 16 of a-z, 0-9 and -, because buckets carry it, but received "${stage}"`,
  );
}

function architectureFrom(value) {
  if (Object.hasOwn(ARCHITECTURES, value)) return ARCHITECTURES[value];
  throw refused('architecture', 'arm64 or x86_64', value);
}

/** `ownRepository`: the name that the framework's builder gives to the repository it pushes to. */
function taskImageFrom(value, ownRepository) {
  const build = {
    mode: 'build',
    inEcr: true,
    repository: repositoryArn(`\${AWS::Region}`, `\${AWS::AccountId}`, ownRepository),
  };
  if (value === 'auto') return dockerAnswers() ? build : { ...NO_IMAGE, why: 'no-docker' };
  if (value === 'build') return build;
  if (value === 'none') return NO_IMAGE;
  if (/^[\w.:-]+\/[\w./@:-]+$/.test(value)) return { mode: 'ready', uri: value, ...repositoryOf(value) };
  throw refused('taskImage', 'auto, build, none or an image URI (registry/repository:tag)', value);
}

/** The repository in ECR that the task's execution role may pull from; other registries are not asked for leave. */
function repositoryOf(uri) {
  const ecr = /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?\/([^@:]+)/.exec(uri);
  return ecr ? { inEcr: true, repository: repositoryArn(ecr[2], ecr[1], ecr[3]) } : NOT_IN_ECR;
}

function networkFrom(subnets, securityGroups) {
  if (subnets.length === 0 && securityGroups.length === 0) return undefined;
  if (subnets.length > 0 && securityGroups.length > 0) {
    return { Subnets: subnets, SecurityGroups: securityGroups, AssignPublicIp: 'ENABLED' };
  }
  throw new ParameterError(
    'Expected the params subnetIds and securityGroupIds together or neither, but received one of them',
  );
}

function oneBucket(name, value) {
  if (value === '' || isBucketName(value)) return value;
  throw refused(name, 'the name of one bucket', value);
}

function bucketList(name, value) {
  const buckets = list(value);
  for (const bucket of buckets) {
    if (bucket !== '*' && !isBucketName(bucket)) {
      throw refused(name, 'bucket names with commas between them, or *', bucket);
    }
  }
  return buckets;
}

/** Below what the queue hands out, messages would be throttled into the dead-letter queue. */
function reservedConcurrency(value, handedOut) {
  if (value === '') return { Ref: 'AWS::NoValue' };
  return wholeNumber('uploadReservedConcurrency', value, handedOut, 1000);
}

function topic(name, value) {
  if (value === '') return [];
  if (/^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+$/.test(value)) return [value];
  throw refused(name, 'the ARN of an SNS topic', value);
}

function answer(name, value) {
  if (value === 'yes' || value === 'no') return value === 'yes';
  throw refused(name, 'yes or no', value);
}

function wholeNumber(name, value, least, most) {
  const number = Number(value);
  if (value !== '' && Number.isInteger(number) && number >= least && number <= most) return number;
  throw refused(name, `a whole number from ${least} to ${most}`, value);
}

const isBucketName = (text) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text);
const refused = (name, expected, received) =>
  new ParameterError(`Expected ${expected} for the param ${name} but received "${received}"`);
const list = (text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
const yesNo = (condition) => (condition ? 'yes' : 'no');

function dockerAnswers() {
  try {
    execFileSync('docker', ['info', '--format', '{{.ServerVersion}}'], { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
