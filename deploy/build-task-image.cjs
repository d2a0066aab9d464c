'use strict';

/** Puts the image's URI into the task definition: a ready one, or one that the framework's ECR builder builds and pushes. */
class BuildTaskImage {
  constructor(serverless, _options, { log }) {
    this.hooks = {
      'before:package:createDeploymentArtifacts': async () => {
        const { taskImage, architecture } = serverless.service.custom.settings;
        if (taskImage.why === 'no-docker') {
          log.notice(
            'Docker does not answer, so this stack gets no Fargate: large batches stay on Lambda and continue until done. ' +
              'Start Docker, or name an image: --param taskImage=URI. (--param taskImage=none says that this is meant.)',
          );
        }
        if (taskImage.mode === 'none') return;
        const { Properties } = serverless.service.resources.Resources.CompressBatchTask;
        Properties.ContainerDefinitions[0].Image =
          taskImage.uri ?? (await build(serverless, architecture.docker));
      },
    };
  }
}

async function build(serverless, platform) {
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

module.exports = BuildTaskImage;
