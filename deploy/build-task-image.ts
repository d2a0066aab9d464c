import type { DeploymentSettings } from './settings.ts';

/** What this plugin uses of the framework. */
interface Serverless {
  service: {
    custom: { settings: DeploymentSettings };
    resources: {
      Resources: { CompressBatchTask: { Properties: { ContainerDefinitions: [{ Image: string }] } } };
    };
  };
  getProvider(name: 'aws'): {
    resolveImageUriAndShaFromPath(build: object): Promise<{ functionImageUri: string }>;
  };
}

/** Puts the image's URI into the task definition: a given one, or one that the framework's ECR builder builds and pushes. */
export default class BuildTaskImage {
  readonly hooks: Record<string, () => Promise<void>>;

  constructor(serverless: Serverless, _options: unknown, { log }: { log: { notice(text: string): void } }) {
    this.hooks = {
      'before:package:createDeploymentArtifacts': async () => {
        const { taskImage, architecture } = serverless.service.custom.settings;
        if (taskImage.isDockerMissing) log.notice(WITHOUT_DOCKER);
        if (taskImage.mode === 'none') return;
        const { Properties } = serverless.service.resources.Resources.CompressBatchTask;
        Properties.ContainerDefinitions[0].Image = taskImage.uri ?? (await build(serverless, architecture.docker));
      },
    };
  }
}

const WITHOUT_DOCKER =
  'Docker does not respond, so this stack has no Fargate: large batches stay on Lambda and continue until done. ' +
  'Start Docker, or name an image: --param taskImage=URI. (--param taskImage=none confirms that this is intended.)';

async function build(serverless: Serverless, platform: string): Promise<string> {
  const { functionImageUri } = await serverless.getProvider('aws').resolveImageUriAndShaFromPath({
    imageName: 'compress-batch',
    imagePath: '.',
    imageFilename: 'fargate/Dockerfile',
    buildArgs: {},
    buildOptions: [],
    cacheFrom: [],
    platform,
    // Without it Docker pushes an index of image and attestation, which some registries and tools do not follow.
    provenance: 'false',
    scanOnPush: true,
    maxImageCount: 10,
  });
  return functionImageUri;
}
