// The framework loads `${file(…)}` as .cjs or .js only; the settings themselves are TypeScript.
'use strict';

module.exports = async (framework) => {
  if (Number.parseInt(process.versions.node, 10) < 24) {
    const message = `Expected Node 24, which "npx sls" brings, but received ${process.version}`;
    // The framework prints the stack.
    throw Object.assign(new Error(message), { stack: message });
  }
  const { deploymentSettings } = await import('./settings.ts');
  return deploymentSettings(framework);
};
