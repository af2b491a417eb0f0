import { CliError } from '../../base/errors.js';
import { Substituted } from './read.js';

export type Environment = Readonly<Record<string, string | undefined>>;

const pattern = /\$(?:(\$)|([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*)(?:(:?[-?])([^}]*))?\}|())/gi;

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?error}` and `${NAME?error}` in every string below `value`;
 * `$$` is a dollar sign. A variable that is not set is nothing. Throws `CliError` in Docker's words.
 */
export function interpolate(value: unknown, environment: Environment, where: string): unknown {
  if (typeof value === 'string') {
    const replaced = substitute(value, environment, where);
    return replaced === value ? value : new Substituted(replaced);
  }
  if (Array.isArray(value)) return value.map((one, at) => interpolate(one, environment, `${where}.${at}`));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [key, interpolate(one, environment, `${where}.${key}`)]),
  );
}

function substitute(text: string, environment: Environment, where: string): string {
  const refuse = (shown: string) =>
    new CliError(
      `invalid interpolation format for ${where}: ${JSON.stringify(shown)}; you may need to escape any $ with another $`,
    );
  return text.replace(pattern, (whole, dollar, bare, name, mark: string | undefined, rest, broken) => {
    if (dollar !== undefined) return '$';
    if (broken !== undefined && whole === '$') throw refuse(text);
    const variable: string = bare ?? name;
    const known = Object.hasOwn(environment, variable) ? environment[variable] : undefined;
    if (mark === undefined) return known ?? '';
    const isThere = mark.startsWith(':') ? Boolean(known) : known !== undefined;
    if (isThere) return known!;
    if (mark.endsWith('-')) return rest;
    const reason = rest === '' ? '' : `: ${rest}`;
    throw refuse(`required variable ${variable} is missing a value${reason}`);
  });
}
