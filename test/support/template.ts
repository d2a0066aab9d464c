/** A CloudFormation template as `sls package` compiles it. */
export interface Template {
  readonly Conditions: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
  // biome-ignore lint/suspicious/noExplicitAny: its shape depends on the type, and the tests are what checks it
  readonly Properties: any;
}

export interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

export function resourcesOfType(template: Template, type: string): [string, Resource][] {
  return Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
}

/** The state machine as it was compiled, with what CloudFormation substitutes put back to where it belongs. */
export function compiledDefinition(template: Template): unknown {
  const { DefinitionString } = template.Resources.CompressImagesStateMachine!.Properties;
  const [text, substitutes] = DefinitionString['Fn::Sub'];
  return JSON.parse(text, (_key, value) => {
    const name = typeof value === 'string' && /^\$\{(.+)\}$/.exec(value)?.[1];
    return name ? withFunctionKeys(substitutes[name]) : value;
  });
}

/** `PlanDashjobLambdaFunction` is how the framework calls `plan-job`. */
function withFunctionKeys(reference: unknown): unknown {
  const text = JSON.stringify(reference).replace(
    /"([A-Z]\w*)LambdaFunction"/g,
    (_all, id: string) => `"${id[0]!.toLowerCase()}${id.slice(1).replaceAll('Dash', '-')}"`,
  );
  return JSON.parse(text);
}

/** What every role may do, by the role's name in the template. */
export function permissionsByRole(template: Template): Map<string, Statement[]> {
  const rights = new Map<string, Statement[]>();
  for (const [name, role] of resourcesOfType(template, 'AWS::IAM::Role')) {
    rights.set(
      name,
      role.Properties.Policies.flatMap((policy: InlinePolicy) => policy.PolicyDocument.Statement),
    );
  }
  for (const [, policy] of resourcesOfType(template, 'AWS::IAM::Policy')) {
    for (const role of policy.Properties.Roles) {
      rights.get(role.Ref)!.push(...policy.Properties.PolicyDocument.Statement);
    }
  }
  return rights;
}

interface InlinePolicy {
  readonly PolicyDocument: { readonly Statement: readonly Statement[] };
}

/** The resources that `resource` has to wait for: those it refers to and those it says it depends on. */
export function dependenciesOf(resource: Resource, template: Template): Set<string> {
  const found = new Set<string>([resource.DependsOn ?? []].flat());
  visit(resource.Properties, (value) => {
    if (typeof value.Ref === 'string') found.add(value.Ref);
    const attribute = value['Fn::GetAtt'];
    if (attribute) found.add(Array.isArray(attribute) ? attribute[0] : String(attribute).split('.')[0]);
    const text = [value['Fn::Sub'] ?? []].flat()[0];
    for (const [, name] of String(text ?? '').matchAll(/\$\{([^!:}]+?)(?:\.\w+)?\}/g)) found.add(name!);
  });
  return new Set([...found].filter((name) => name in template.Resources));
}

function visit(value: unknown, look: (object: Record<string, unknown>) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) look(value as Record<string, unknown>);
  for (const part of Object.values(value)) visit(part, look);
}
