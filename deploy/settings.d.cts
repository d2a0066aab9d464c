/** Called by the framework, which resolves variables such as `param:architecture`. */
declare function settings(framework: {
  resolveVariable(variable: string): Promise<unknown>;
}): Promise<Record<string, unknown>>;
export = settings;
