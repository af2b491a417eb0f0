const all = 'ALL';
const reset = 'RESET';

/** A capability in the kernel's name: `net_admin` is `CAP_NET_ADMIN`. */
export function parseCapability(text: string): string {
  const upper = text.trim().toUpperCase();
  if (upper === all || upper === reset || upper.startsWith('CAP_')) return upper;
  return `CAP_${upper}`;
}

export interface Capabilities {
  add: string[];
  drop: string[];
}

/**
 * What a service adds and drops once `--cap-add` and `--cap-drop` were given. To add what is dropped (or drop what is
 * added) brings it back to the default; adding wins over dropping; RESET empties a list first (as Docker's).
 */
export function mergeCapabilities(
  current: Capabilities,
  added: readonly string[],
  dropped: readonly string[],
): Capabilities {
  const add = new Set(added.includes(reset) ? [] : current.add.map(parseCapability));
  const drop = new Set(dropped.includes(reset) ? [] : current.drop.map(parseCapability));
  const toAdd = added.filter((each) => each !== reset);
  const toDrop = dropped.filter((each) => each !== reset && !toAdd.includes(each));
  const backToDefault = new Set([...toAdd.filter((each) => drop.has(each)), ...toDrop.filter((each) => add.has(each))]);
  for (const each of toAdd) {
    drop.delete(each);
    if (!backToDefault.has(each)) add.add(each);
  }
  for (const each of toDrop) {
    add.delete(each);
    if (!backToDefault.has(each)) drop.add(each);
  }
  return effective([...add], [...drop]);
}

/** With ALL in a list the others in it say nothing; what is both added and dropped is added. */
function effective(add: readonly string[], drop: readonly string[]): Capabilities {
  const adds = add.includes(all) ? [all] : [...new Set(add)].sort();
  const drops = [...new Set(drop)].filter((each) => !adds.includes(each)).sort();
  return { add: adds, drop: drops.includes(all) && !adds.includes(all) ? [all] : drops };
}
