import { CliError } from './errors.js';

/** One option of a command: declared once, used by every command that has it, and the key to its value. */
export interface Flag<T> {
  readonly name: string;
  readonly short?: string;
  /** What help shows for the value; empty for a switch. */
  readonly kind: string;
  readonly usage: string;
  /** The default as help shows it. */
  readonly shown?: string;
  /** The value of the flag when it is written without one (`--init`); flags that have none need an argument. */
  readonly bare?: string;
  /** Not one of Docker's: help shows it apart. */
  readonly isOwn?: boolean;
  /** Says what is wrong by throwing; `before` is the value of earlier uses of the same flag. */
  parse(text: string, before: T | undefined): T;
}

/** The options given on one command line. What was not given is absent: defaults belong to the command (or to the daemon). */
export class Values {
  readonly #values = new Map<string, unknown>();

  get<T>(flag: Flag<T>): T | undefined {
    return this.#values.get(flag.name) as T | undefined;
  }

  has(flag: Flag<unknown>): boolean {
    return this.#values.has(flag.name);
  }

  /** Names of the options given, in no order. */
  names(): string[] {
    return [...this.#values.keys()];
  }

  /** Takes one use of a flag. Throws Docker's text for a value that the flag does not take. */
  take<T>(flag: Flag<T>, text: string): void {
    try {
      this.#values.set(flag.name, flag.parse(text, this.get(flag)));
    } catch (thrown) {
      const shown = flag.short === undefined ? `--${flag.name}` : `-${flag.short}, --${flag.name}`;
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw new CliError(`invalid argument ${JSON.stringify(text)} for "${shown}" flag: ${reason}`, { exitCode: 125 });
    }
  }
}

type Declared<T> = Pick<Flag<T>, 'short' | 'shown'>;

/** A flag of any type. */
export function flag<T>(
  name: string,
  kind: string,
  usage: string,
  parse: Flag<T>['parse'],
  more: Declared<T> = {},
): Flag<T> {
  return { name, kind, usage, parse, ...more };
}

/** A flag whose every use adds to a list. `check` gives back the entry as it is kept, or throws. */
export function list<T>(
  name: string,
  usage: string,
  check: (text: string) => T,
  more: Declared<T[]> & { kind?: string } = {},
): Flag<T[]> {
  const { kind = 'list', ...rest } = more;
  return { name, kind, usage, parse: (text, before = []) => [...before, check(text)], ...rest };
}

export function text(name: string, usage: string, more: Declared<string> & { kind?: string } = {}): Flag<string> {
  const { kind = 'string', ...rest } = more;
  return { name, kind, usage, parse: (value) => value, ...rest };
}

const truths = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false] as const),
]);

/** true or false in the words that Docker's switches take. Throws on others. */
export function parseBoolean(word: string): boolean {
  const truth = truths.get(word);
  if (truth === undefined) throw new Error(`${JSON.stringify(word)} is not true or false`);
  return truth;
}

/** On or off: `--init`, `--init=false`. */
export function onOff(name: string, usage: string, more: Declared<boolean> = {}): Flag<boolean> {
  return { name, kind: '', bare: 'true', usage, parse: parseBoolean, ...more };
}
