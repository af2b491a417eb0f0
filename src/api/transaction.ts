import { timestamp } from '../model/clock.js';
import { ShoalError } from '../model/errors.js';
import type { OperationInit } from '../model/types.js';
import type { ManagerBackend } from './backend.js';
import type { Api } from './exchange.js';

/** Proposes operations as one transaction. Throws its verdict. */
export async function propose(api: Api, manager: ManagerBackend, operations: OperationInit[]): Promise<void> {
  await manager.propose({ Operations: operations, Origin: 'api', Time: timestamp(api.clock) });
}

/** The answer to an update that names another version than the object's: the store's own, given before a proposal is wasted on it. */
export function outOfSequence(): ShoalError {
  return new ShoalError('out-of-sequence', 'rpc error: code = Unknown desc = update out of sequence');
}
