export type Settings = Readonly<Record<string, unknown>>;

/** The second over the first, setting by setting, also within groups. `null` means left out: the first's value stays. */
export function mergeSettings(first: Settings, second: Settings): Settings {
  const merged = Object.entries(second).map(([name, value]) => {
    const earlier = Object.hasOwn(first, name) ? first[name] : undefined;
    const isGroup = isObject(earlier) && isObject(value);
    return [name, isGroup ? mergeSettings(earlier, value) : (value ?? earlier ?? value)];
  });
  return { ...first, ...Object.fromEntries(merged) };
}

export function isObject(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
