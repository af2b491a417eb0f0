import { Command, type ParseOptionsResult } from 'commander';
import type { Context } from './context.js';
import { CliError } from './errors.js';
import { type Flag, Values } from './flag.js';
import { parseArguments } from './grammar.js';
import { helpOf } from './help.js';
import { similar } from './similar.js';

/** What the list of commands says of one. */
export interface CommandTitle {
  readonly name: string;
  readonly summary: string;
  readonly aliases?: readonly string[];
  /** Not one of Docker's: help shows it apart. */
  readonly isOwn?: boolean;
}

/** What one command takes and does. */
export interface CommandSpec {
  /** What follows the command's name in its usage line. */
  readonly usage: string;
  /** How many operands it takes. */
  readonly operands: { readonly min: number; readonly max: number };
  readonly flags: readonly Flag<unknown>[];
  /** Everything from the first operand on is an operand (a command to run, with options of its own). */
  readonly optionsFirst?: boolean;
  /** Without any flag there is nothing to do: the command shows its help. */
  readonly needsFlag?: boolean;
  run(context: Context, values: Values, operands: readonly string[]): Promise<void>;
}

/**
 * A commander command that reads its command line by Docker's grammar and shows help in Docker's layout.
 * Commander keeps what it is good at: the tree of commands, aliases and dispatch.
 */
export class DockerCommand extends Command {
  values = new Values();
  readonly flags: Flag<unknown>[] = [];
  /** What follows the name in the usage line. */
  operandsUsage = '';
  optionsFirst = false;
  isOwn = false;

  override parseOptions(args: string[]): ParseOptionsResult {
    const parsed = this.withUsage(() => parseArguments(args, this.flags, !this.optionsFirst));
    this.values = parsed.values;
    const isGroup = this.commands.length > 0;
    const [first] = parsed.operands;
    if (parsed.help || (isGroup && first === undefined && this.values.names().length === 0)) this.help();
    if (!isGroup) return { operands: parsed.operands, unknown: [] };
    if (first !== undefined && !this.commands.some((each) => each.name() === first || each.aliases().includes(first))) {
      const meant = similar(
        first,
        this.commands.map((each) => each.name()),
      );
      const hint = meant.length === 0 ? '' : `\nDid you mean this?\n${meant.map((name) => `\t${name}\n`).join('')}`;
      throw new CliError(
        `shoal: unknown command: ${this.path} ${first}\n${hint}\nRun '${this.path} --help' for more information`,
      );
    }
    // Commander parses what is left again in the subcommand that the first operand names.
    return { operands: parsed.operands.slice(0, 1), unknown: parsed.operands.slice(1) };
  }

  override helpInformation(): string {
    return helpOf(this);
  }

  /** The command as the user types it: `shoal service create`. */
  get path(): string {
    const above: Command | null = this.parent;
    return above instanceof DockerCommand ? `${above.path} ${this.name()}` : this.name();
  }

  get usageLine(): string {
    return `Usage:  ${this.path}${this.operandsUsage === '' ? '' : ` ${this.operandsUsage}`}`;
  }

  /** What goes wrong with the command line is told together with how the command is used. */
  private withUsage<T>(read: () => T): T {
    try {
      return read();
    } catch (thrown) {
      if (!(thrown instanceof CliError)) throw thrown;
      const message = `${thrown.message}\n\n${this.usageLine}\n\nRun '${this.path} --help' for more information`;
      throw new CliError(message, { exitCode: thrown.exitCode });
    }
  }
}

/** The command of a spec, ready to parse under `parent`. `context` is asked for once the command line has been read. */
export function commandOf(title: CommandTitle, spec: CommandSpec, context: () => Context): DockerCommand {
  const command = new DockerCommand(title.name);
  command.description(title.summary).aliases(title.aliases ?? []);
  command.flags.push(...spec.flags);
  command.operandsUsage = spec.usage;
  command.optionsFirst = spec.optionsFirst ?? false;
  command.action(async () => {
    checkCount(command, spec);
    if (spec.needsFlag && command.values.names().length === 0) command.help();
    await spec.run(context(), command.values, command.args);
  });
  return command;
}

/** A command whose module is loaded when it is called: starting up must not pay for the commands that are not. */
export class LazyCommand extends DockerCommand {
  /** `load` gives the command to hand the arguments to. */
  constructor(title: CommandTitle, load: () => Promise<Command>) {
    super(title.name);
    this.isOwn = title.isOwn ?? false;
    this.description(title.summary).aliases(title.aliases ?? []);
    this.allowExcessArguments().action(async () => {
      const command = await load();
      command.parent = this.parent;
      if (command instanceof DockerCommand && this.parent !== null) command.copyInheritedSettings(this.parent);
      await command.parseAsync(this.args, { from: 'user' });
    });
  }

  override parseOptions(args: string[]): ParseOptionsResult {
    return { operands: args, unknown: [] };
  }
}

function checkCount(command: DockerCommand, spec: CommandSpec): void {
  const { min, max } = spec.operands;
  const count = command.args.length;
  if (count >= min && count <= max) return;
  const plural = (n: number) => `${n} argument${n === 1 ? '' : 's'}`;
  let needs = `requires at least ${min} and at most ${plural(max)}`;
  if (max === 0) needs = 'accepts no arguments';
  else if (min === max) needs = `requires ${plural(min)}`;
  else if (max === Number.POSITIVE_INFINITY) needs = `requires at least ${plural(min)}`;
  else if (min === 0) needs = `requires at most ${plural(max)}`;
  throw new CliError(
    `shoal: '${command.path}' ${needs}\n\n${command.usageLine}\n\nSee '${command.path} --help' for more information`,
  );
}
