/** A list without some of its items and with others, none twice, sorted as Docker sorts it. */
export function mergeSorted(
  current: readonly string[],
  removed: readonly string[],
  added: readonly string[],
): string[] {
  return mergeOrdered(current, removed, added).sort();
}

/** The same, in the order it was built. */
export function mergeOrdered(
  current: readonly string[],
  removed: readonly string[],
  added: readonly string[],
): string[] {
  return [...new Set([...current, ...added])].filter((each) => !removed.includes(each));
}

/** A map with some keys removed and others set; a key that is both is set. */
export function mergeMap(
  current: Readonly<Record<string, string>> | undefined,
  removed: readonly string[],
  added: readonly (readonly [string, string])[],
): Record<string, string> {
  const merged = new Map(Object.entries(current ?? {}));
  for (const key of removed) merged.delete(key);
  for (const [key, value] of added) merged.set(key, value);
  return Object.fromEntries(merged);
}

const nameOf = (variable: string) => variable.split('=', 1)[0]!;

/** Environment variables without those of some names, then with others; a later one of the same name wins. */
export function mergeEnv(current: readonly string[], removed: readonly string[], added: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const variable of current) if (!removed.includes(nameOf(variable))) byName.set(nameOf(variable), variable);
  for (const variable of added) {
    byName.delete(nameOf(variable));
    byName.set(nameOf(variable), variable);
  }
  return [...byName.values()];
}

/** Lines of a hosts file (`ip name…`) without some names (`name` or `name:ip`) and with other lines. */
export function mergeHosts(current: readonly string[], removed: readonly string[], added: readonly string[]): string[] {
  const kept = current.flatMap((line) => {
    const [ip = '', ...names] = line.split(/\s+/);
    const left = names.filter(
      (name) => !removed.some((each) => each === name || each === `${name}:${ip}` || each === `${name}=${ip}`),
    );
    return left.length === 0 ? [] : [[ip, ...left].join(' ')];
  });
  return [...kept, ...added.filter((line) => !kept.includes(line))];
}

/** Items by a key: those of some keys removed, then others put in place of (or after) what has their key. */
export function mergeByKey<T>(
  current: readonly T[],
  keyOf: (item: T) => string,
  removed: readonly string[],
  added: readonly T[],
): T[] {
  const merged = new Map(current.map((item) => [keyOf(item), item]));
  for (const key of removed) merged.delete(key);
  for (const item of added) merged.set(keyOf(item), item);
  return [...merged.values()];
}
