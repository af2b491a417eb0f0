import { timestamp } from '../model/clock.js';
import { ShoalError } from '../model/errors.js';
import type { OperationInit } from '../model/types.js';
import type { ManagerBackend } from './backend.js';
import type { Api } from './exchange.js';

/** Proposes operations as one transaction, and words a refusal as Docker does where tools look for the words. */
export async function propose(api: Api, manager: ManagerBackend, operations: OperationInit[]): Promise<void> {
  try {
    await manager.propose({ Operations: operations, Origin: 'api', Time: timestamp(api.clock) });
  } catch (thrown) {
    throw thrown instanceof ShoalError ? asDocker(thrown) : thrown;
  }
}

/** swarmkit's errors reach Docker's users with gRPC's prefix, and scripts match on the whole line. */
function asDocker(error: ShoalError): ShoalError {
  if (error.code === 'out-of-sequence') return outOfSequence();
  if (error.code === 'name-conflict') {
    return new ShoalError('name-conflict', `rpc error: code = AlreadyExists desc = ${error.message}`, { cause: error });
  }
  return error;
}

/** The answer to an update that names another version than the object's. */
export function outOfSequence(): ShoalError {
  return new ShoalError('out-of-sequence', 'rpc error: code = Unknown desc = update out of sequence');
}
