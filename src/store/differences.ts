import { isDeepStrictEqual } from 'node:util';
import type { ObjectTables } from './tables.js';
import { othersTurn } from './turns.js';
import { type Change, kinds } from './view.js';

const objectsPerTurn = 500;

/**
 * What must change for `tables` to become `next`. Objects that are the same become one in both, so that a restored store costs no
 * second copy. Neither may be written to meanwhile.
 */
export async function differences(tables: ObjectTables, next: ObjectTables): Promise<Change[]> {
  const changes: Change[] = [];
  let seen = 0;
  for (const kind of kinds) {
    for (const before of tables.list(kind)) {
      if (next.get(kind, before.ID) === undefined) changes.push({ kind, id: before.ID, before });
    }
    for (const after of next.list(kind)) {
      const before = tables.get(kind, after.ID);
      if (before !== undefined && isDeepStrictEqual(before, after)) next.put(kind, before);
      else changes.push({ kind, id: after.ID, ...(before && { before }), after });
      if (++seen % objectsPerTurn === 0) await othersTurn();
    }
  }
  return changes;
}
