import type { Command } from 'commander';
import type { DockerCommand } from './command.js';
import type { Flag } from './flag.js';

/** Help in Docker's layout: usage, what it does, options (or commands) in two columns. */
export function helpOf(command: DockerCommand): string {
  const parts = [command.usageLine, command.description()];
  if (command.aliases().length > 0) {
    const parent = command.path.slice(0, -command.name().length);
    parts.push(`Aliases:\n  ${[command.name(), ...command.aliases()].map((name) => parent + name).join(', ')}`);
  }
  const isOwn = (each: object) => 'isOwn' in each && each.isOwn === true;
  const commands = command.commands.filter((each) => !isOwn(each));
  const flags = command.flags.filter((flag) => !isOwn(flag));
  if (commands.length > 0) parts.push(`Commands:\n${commandLines(commands)}`);
  // What Docker does not have stands apart, so that nobody writes it into a script for both unawares.
  if (command.commands.some(isOwn)) parts.push(`Beyond Docker:\n${commandLines(command.commands.filter(isOwn))}`);
  if (flags.length > 0) {
    const title = command.parent === null && command.commands.length > 0 ? 'Global Options' : 'Options';
    parts.push(`${title}:\n${flagLines(flags)}`);
  }
  if (command.flags.some(isOwn)) parts.push(`Beyond Docker:\n${flagLines(command.flags.filter(isOwn))}`);
  if (command.commands.length > 0) {
    parts.push(`Run '${command.path} COMMAND --help' for more information on a command.`);
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function commandLines(commands: readonly Command[]): string {
  const width = Math.max(11, ...commands.map((each) => each.name().length + 1));
  return commands.map((each) => `  ${each.name().padEnd(width)} ${each.description()}`.trimEnd()).join('\n');
}

function flagLines(flags: readonly Flag<unknown>[]): string {
  const rows = [...flags]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((flag) => {
      const names = flag.short === undefined ? `      --${flag.name}` : `  -${flag.short}, --${flag.name}`;
      const shown = flag.shown === undefined ? '' : ` (default ${flag.shown})`;
      return { left: flag.kind === '' ? names : `${names} ${flag.kind}`, right: flag.usage + shown };
    });
  const indent = Math.max(...rows.map((row) => row.left.length)) + 3;
  return rows.map((row) => row.left.padEnd(indent) + wrap(row.right, indent)).join('\n');
}

const width_columns = 79; // one short of a terminal's 80, as Docker's help
const slack_columns = 5; // a last word may stand out by this much rather than stand alone

/** `text` in lines that fit the right column, each after the first indented to it. */
function wrap(text: string, indent: number): string {
  const room = Math.max(24, width_columns - indent) - slack_columns;
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let rest = paragraph;
    while (rest.length >= room + slack_columns) {
      const cut = rest.lastIndexOf(' ', room - 1);
      if (cut <= 0) break;
      lines.push(rest.slice(0, cut));
      rest = rest.slice(cut + 1);
    }
    lines.push(rest);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}
