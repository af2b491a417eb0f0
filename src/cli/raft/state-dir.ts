import { defaultDaemonOptions } from '../../daemon/options.js';
import { messageOf, ShoalError } from '../../model/errors.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { text, type Values } from '../base/flag.js';
import { readKey } from '../swarm/unlock.js';

export const stateDirFlag = text('state-dir', 'State directory of a manager, or a copy of its "raft" directory', {
  shown: JSON.stringify(defaultDaemonOptions.stateDirectory),
});

/** The log that the command is about; asks for the unlock key when the manager's keys are locked. Throws CliError when there is none. */
export async function raftStateOf(context: Context, values: Values) {
  // Loaded here: the model's types are not for commands that do not need them.
  const { RaftState } = await import('../../daemon/raft-state.js');
  const directory = values.get(stateDirFlag) ?? defaultDaemonOptions.stateDirectory;
  try {
    return await RaftState.at(directory).catch(async (error) => {
      if (!(error instanceof ShoalError) || error.code !== 'locked') throw error;
      return RaftState.at(directory, await readKey(context));
    });
  } catch (error) {
    throw new CliError(messageOf(error), { cause: error });
  }
}
