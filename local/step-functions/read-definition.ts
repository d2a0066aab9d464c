import { parseDocument } from 'yaml';

/** What a deployment knows about the template, or local mode in its place. */
export interface DeploymentNames {
  /** The value of a Ref, or of Fn::GetAtt with its attribute. @throws Error for a name that is unknown */
  nameOf(logicalId: string, attribute?: string): string;
  /** Whether a condition of the template holds. */
  holds(condition: string): boolean;
}

/**
 * Reads a state machine definition from YAML and resolves what CloudFormation resolves on deployment: Ref, Fn::GetAtt
 * and Fn::If.
 * @throws Error when the text is not YAML or uses another function, tag or variable; whatever `names` throws
 */
export function readDefinition(text: string, names: DeploymentNames): unknown {
  const document = parseDocument(text);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new Error(`Expected a state machine in YAML: ${problem.message}`);
  return resolve(document.toJS(), names);
}

const FUNCTIONS: Readonly<Record<string, (operand: unknown, names: DeploymentNames) => unknown>> = {
  Ref: (logicalId, names) => names.nameOf(String(logicalId)),
  'Fn::GetAtt': (operand, names) => {
    if (!Array.isArray(operand) || operand.length !== 2) throw unsupported('Fn::GetAtt without two operands');
    return names.nameOf(String(operand[0]), String(operand[1]));
  },
  'Fn::If': (operand, names) => {
    if (!Array.isArray(operand) || operand.length !== 3) throw unsupported('Fn::If without three operands');
    const [condition, yes, no] = operand;
    return resolve(names.holds(String(condition)) ? yes : no, names);
  },
};

function resolve(value: unknown, names: DeploymentNames): unknown {
  if (typeof value === 'string' && value.includes('${')) throw unsupported(`the variable in "${value}"`);
  if (Array.isArray(value)) return value.map((part) => resolve(part, names));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const found = entries.find(([key]) => key.startsWith('Fn::') || Object.hasOwn(FUNCTIONS, key));
  if (!found) return Object.fromEntries(entries.map(([key, part]) => [key, resolve(part, names)]));
  const [name, operand] = found;
  const call = FUNCTIONS[name];
  if (!call) throw unsupported(name);
  if (entries.length > 1) throw unsupported(`${name} beside other fields`);
  return call(operand, names);
}

function unsupported(what: string): Error {
  return new Error(`Expected only Ref, Fn::GetAtt and Fn::If in the state machine but it uses ${what}`);
}
