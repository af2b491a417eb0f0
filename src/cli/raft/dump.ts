import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { flag } from '../base/flag.js';
import { alignTable, oneLine } from '../base/table.js';
import { raftStateOf, stateDirFlag } from './state-dir.js';

function index(word: string): number {
  const value = Number(word);
  if (!/^\d+$/.test(word) || !Number.isSafeInteger(value)) throw new Error('use the index of an entry, such as 1200');
  return value;
}

const fromFlag = flag('from', 'uint', 'Index of the first entry to show', index);
const toFlag = flag('to', 'uint', 'Index of the last entry to show', index);

/** `shoal raft dump`: every record of the log in the order they were written. With --from or --to, entries only. */
export const raftDump: CommandSpec = {
  usage: '[OPTIONS]',
  operands: { min: 0, max: 0 },
  flags: [stateDirFlag, fromFlag, toFlag],
  async run(context, values) {
    const state = await raftStateOf(context, values);
    const from = values.get(fromFlag) ?? 0;
    const to = values.get(toFlag) ?? Number.POSITIVE_INFINITY;
    const isRange = values.has(fromFlag) || values.has(toFlag);
    const rows = [['FILE', 'OFFSET', 'BYTES', 'TYPE', 'INDEX', 'TERM', 'CONTENT']];
    const { damage } = await state.dump((line) => {
      const isEntry = ['normal', 'membership', 'noop'].includes(line.type);
      if (isRange && !(isEntry && line.index >= from && line.index <= to)) return;
      const shown = line.index === 0 ? '' : String(line.index);
      const numbers = [String(line.offset), String(line.bytes), line.type, shown, String(line.term)];
      rows.push([line.file, ...numbers, oneLine(line.content)]);
    });
    context.out.write(alignTable(rows));
    if (damage !== undefined) throw new CliError(oneLine(damage));
  },
};
