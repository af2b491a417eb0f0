import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { onOff } from '../base/flag.js';
import { alignTable, oneLine } from '../base/table.js';
import { raftStateOf, stateDirFlag } from './state-dir.js';

const quietFlag = onOff('quiet', 'Only say what is wrong', { short: 'q' });

/** `shoal raft verify`: ends with 1, and says on standard error what an operator can do, when a manager would not start from it. */
export const raftVerify: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [stateDirFlag, quietFlag],
  async run(context, values) {
    const state = await raftStateOf(context, values);
    const { files, hardState, base, last, membership, damage } = await state.inspect();
    if (!values.get(quietFlag)) {
      const rows = files.map(({ name, bytes, records, firstIndex, lastIndex, state: found }) => {
        const entries = firstIndex === 0 ? (lastIndex === 0 ? '' : `-${lastIndex}`) : `${firstIndex}-${lastIndex}`;
        return [name, String(bytes), String(records), entries, oneLine(found)];
      });
      context.out.write(alignTable([['FILE', 'BYTES', 'RECORDS', 'ENTRIES', 'STATE'], ...rows]));
    }
    if (damage !== undefined) throw new CliError(oneLine(damage));
    if (values.get(quietFlag)) return;
    const { membersIn } = await import('../../daemon/raft-state.js');
    const { term, vote, commit } = hardState;
    context.out.write(`\nEntries ${base.index + 1} to ${last.index}, the last of term ${last.term}\n`);
    context.out.write(`Term ${term}, vote ${vote === 0 ? 'none' : vote}, committed up to ${commit} at least\n`);
    context.out.write(`Members: ${oneLine(membersIn(membership)) || 'none known yet'}\n`);
  },
};
