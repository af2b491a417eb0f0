/** What of `wanted` is not in `there`, or is something else. Nothing is made of all that is: there may be a hundred thousand, and a few that differ. */
export function lacking<V>(there: ReadonlyMap<string, V>, wanted: ReadonlyMap<string, V>): [key: string, value: V][] {
  const found: [string, V][] = [];
  for (const [key, value] of wanted) if (there.get(key) !== value) found.push([key, value]);
  return found;
}
