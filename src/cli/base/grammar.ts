import { CliError } from './errors.js';
import { type Flag, Values } from './flag.js';
import { similar } from './similar.js';

export interface Parsed {
  values: Values;
  operands: string[];
  help: boolean;
}

/**
 * Reads a command line as Docker does (Go's pflag): `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`,
 * switches together as `-dq`, and `--` before what is not an option. With `mixed` options may follow operands;
 * without, everything from the first operand on belongs to it (the command of `service create`).
 */
export function parseArguments(args: readonly string[], flags: readonly Flag<unknown>[], mixed: boolean): Parsed {
  const parsed: Parsed = { values: new Values(), operands: [], help: false };
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      parsed.operands.push(...rest);
      break;
    }
    if (word.startsWith('--')) takeLong(word, rest, flags, parsed);
    else if (word.startsWith('-') && word !== '-') takeShort(word, rest, flags, parsed);
    else {
      parsed.operands.push(word);
      if (!mixed) {
        parsed.operands.push(...rest);
        break;
      }
    }
  }
  return parsed;
}

function takeLong(word: string, rest: string[], flags: readonly Flag<unknown>[], parsed: Parsed): void {
  const equals = word.indexOf('=');
  const name = word.slice(2, equals < 0 ? undefined : equals);
  if (name === '' || name.startsWith('-')) throw usage(`bad flag syntax: ${word}`);
  const flag = flags.find((each) => each.name === name);
  if (flag === undefined) {
    if (name === 'help') parsed.help = true;
    else throw unknown(name, flags);
  } else if (equals >= 0) parsed.values.take(flag, word.slice(equals + 1));
  else if (flag.bare !== undefined) parsed.values.take(flag, flag.bare);
  else parsed.values.take(flag, next(rest, `flag needs an argument: --${name}`));
}

function takeShort(word: string, rest: string[], flags: readonly Flag<unknown>[], parsed: Parsed): void {
  const letters = [...word.slice(1)];
  while (letters.length > 0) {
    const letter = letters.shift()!;
    const flag = flags.find((each) => each.short === letter);
    if (flag === undefined) {
      if (letter !== 'h') throw usage(`unknown shorthand flag: '${letter}' in ${word}`);
      parsed.help = true;
    } else if (flag.bare !== undefined && letters[0] !== '=') parsed.values.take(flag, flag.bare);
    else {
      // The rest of the word is the value, with or without `=`; else the next word is.
      const glued = letters.splice(0);
      const value =
        glued.length > 0
          ? glued.join('').replace(/^=/, '')
          : next(rest, `flag needs an argument: '${letter}' in ${word}`);
      parsed.values.take(flag, value);
    }
  }
}

function next(rest: string[], complaint: string): string {
  const value = rest.shift();
  if (value === undefined) throw usage(complaint);
  return value;
}

function unknown(name: string, flags: readonly Flag<unknown>[]): CliError {
  const meant = similar(
    name,
    flags.map((flag) => flag.name),
  ).map((each) => `--${each}`);
  return usage(`unknown flag: --${name}${meant.length === 0 ? '' : `\nDid you mean ${meant.join(' or ')}?`}`);
}

function usage(message: string): CliError {
  return new CliError(message, { exitCode: 125 });
}
