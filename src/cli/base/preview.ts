import type { Context } from './context.js';
import type { Flag } from './flag.js';
import { alignTable, oneLine } from './table.js';
import type { Preview } from './wire.js';

type Form = 'text' | 'json';

/** `--dry-run`, `--dry-run=json` */
export const dryRunFlag: Flag<Form> = {
  name: 'dry-run',
  kind: '',
  bare: 'text',
  usage: 'Show what would happen, task by task and node by node, and change nothing (--dry-run=json: as JSON)',
  isOwn: true,
  parse(text) {
    if (text !== 'text' && text !== 'json') throw new Error('use text, json');
    return text;
  },
};

/** The query that asks the daemon what a request would do. */
export const dryRun = { dryRun: true } as const;

/** Shows what a change would do. */
export function showPreview(context: Context, preview: Preview, form: Form): void {
  if (form === 'json') {
    context.out.write(`${JSON.stringify(preview, undefined, 4)}\n`);
    return;
  }
  const { Tasks: tasks = [], Nodes: nodes = [] } = preview;
  context.out.write('Dry run: nothing was changed.\n');
  context.out.write(changeLines(preview.Changes ?? []));
  if (tasks.length > 0) {
    const rows = tasks.map((task) => [
      task.Name,
      task.Action,
      placeOf(task),
      task.Step ? String(task.Step) : '',
      task.Reason || task.Order,
    ]);
    context.out.write(`\n${tableOf([['TASK', 'ACTION', 'NODE', 'STEP', 'DETAIL'], ...rows])}`);
  }
  if (nodes.length > 0) {
    const rows = nodes.map((node) => [node.Node || node.NodeID, node.Kept ?? 0, node.Stopped ?? 0, node.Started ?? 0]);
    context.out.write(`\n${tableOf([['NODE', 'KEPT', 'STOPPED', 'STARTED'], ...rows])}`);
  }
  context.out.write(`\n${summaryOf(preview)}\n`);
  for (const warning of preview.Warnings ?? []) context.out.write(`Warning: ${oneLine(warning)}\n`);
}

/** The fields that change, a line each: `+` comes, `-` goes, `~` changes. */
export function changeLines(changes: NonNullable<Preview['Changes']>): string {
  return changes
    .map(({ Field: field = '', Before: before = '', After: after = '' }) => {
      const sign = before === '' ? '+' : after === '' ? '-' : '~';
      const values = [before, after].filter((value) => value !== '').join(' -> ');
      return `  ${sign} ${oneLine(`${field}: ${values}`)}\n`;
    })
    .join('');
}

const words = {
  replace: 'replaced',
  start: 'started',
  stop: 'stopped',
  keep: 'kept',
  wait: 'waiting for a node',
} as const;

/** One line: how many tasks of which kind, and in how many steps. */
export function summaryOf(preview: Preview): string {
  const { Tasks: tasks = [], Steps: steps = 0, LumpedFrom: lumpedFrom = 0 } = preview;
  const counts = Object.entries(words).map(([action, word]) => {
    const count = tasks.filter(({ Action }) => Action === action).length;
    return count === 0 ? '' : `${count} ${word}`;
  });
  const told = counts.filter((count) => count !== '').join(', ');
  if (told === '') return 'No task would be touched.';
  const lumped = lumpedFrom > 0 ? ` (those from ${lumpedFrom} on are told as if they were made at once)` : '';
  const end = preview.Unfinished ? '; more would follow' : '';
  return `Tasks: ${told}; in ${steps} step${steps === 1 ? '' : 's'}${lumped}, if every task starts${end}.`;
}

function placeOf(task: NonNullable<Preview['Tasks']>[number]): string {
  const from = task.FromNode || task.FromNodeID || '';
  const to = task.ToNode || task.ToNodeID || '';
  if (task.Action === 'keep' || from === to) return to;
  if (from === '') return to;
  return to === '' ? from : `${from} -> ${to}`;
}

function tableOf(rows: readonly (readonly (string | number | undefined)[])[]): string {
  return alignTable(rows.map((row) => row.map((cell) => oneLine(String(cell ?? '')))));
}
