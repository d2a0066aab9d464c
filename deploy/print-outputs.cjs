'use strict';

/** What a deployment has to be addressed by is told without being asked for, which the framework does with --verbose. */
class PrintOutputs {
  constructor(serverless, options) {
    this.hooks = {
      'after:aws:info:displayStackOutputs': () => {
        if (options.verbose) return;
        const info = serverless.pluginManager.plugins.find(({ gatheredData }) => gatheredData?.outputs);
        const outputs = info?.gatheredData.outputs ?? [];
        const lines = WANTED.flatMap((name) => {
          const output = outputs.find(({ OutputKey }) => OutputKey === name);
          return output ? [`${name}: ${output.OutputValue}`] : [];
        });
        if (lines.length > 0) serverless.addServiceOutputSection('stack', lines);
      },
    };
  }
}

const WANTED = ['InputBucketName', 'OutputBucketName', 'UploadBucketName', 'StateMachineArn'];

module.exports = PrintOutputs;
