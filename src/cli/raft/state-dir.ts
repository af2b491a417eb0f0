import { defaultDaemonOptions } from '../../daemon/options.js';
import { messageOf } from '../../model/errors.js';
import { CliError } from '../base/errors.js';
import { text, type Values } from '../base/flag.js';

export const stateDirFlag = text('state-dir', 'State directory of a manager, or a copy of its "raft" directory', {
  shown: JSON.stringify(defaultDaemonOptions.stateDirectory),
});

/** The log that the command is about. Throws CliError when there is none. */
export async function raftStateOf(values: Values) {
  // Loaded here: the model's types are not for commands that do not need them.
  const { RaftState } = await import('../../daemon/raft-state.js');
  try {
    return await RaftState.at(values.get(stateDirFlag) ?? defaultDaemonOptions.stateDirectory);
  } catch (error) {
    throw new CliError(messageOf(error), { cause: error });
  }
}
