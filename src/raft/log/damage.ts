import { ShoalError } from '../../model/errors.js';

const waysOut =
  'Put it back from a copy; or, when most of the other managers are well, give this node\'s place up ("docker swarm leave --force" here, ' +
  '"docker node demote" and "docker node rm" on another manager) and join again.';

/** What is on disk is not what was written: starting from it could lose what was acknowledged, or vote twice in a term. */
export class DamageError extends ShoalError {
  /** `file`, `offset`: where the damage begins. */
  constructor(
    what: string,
    readonly file: string,
    readonly offset: number,
  ) {
    super('failed-precondition', `${what}. ${waysOut}`);
  }
}

/** `index`: the entry that the damaged place would hold, or the next one after it. */
export function damagedLog(file: string, offset: number, index: number, what: string): DamageError {
  return new DamageError(
    `the raft log is damaged: file ${file}, offset ${offset}, at entry ${index}: ${what}`,
    file,
    offset,
  );
}

export function damagedSnapshot(file: string, offset: number, what: string): DamageError {
  return new DamageError(`the raft snapshot is damaged: file ${file}, offset ${offset}: ${what}`, file, offset);
}

/** There is no log where one was: whom this member voted for is not known, and it could vote a second time in the same term. */
export function missingLog(): DamageError {
  const what =
    'the raft log of this manager is gone, and with it what it voted and acknowledged: the "raft" directory of its state directory is empty';
  return new DamageError(what, '', 0);
}
