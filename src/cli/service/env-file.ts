import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { fileReason } from '../base/file-reason.js';

/** The variables as they go to the container: a name alone takes its value from our own environment, or stays as it is. */
export function withOwnValues(context: Context, variables: readonly string[]): string[] {
  return variables.map((variable) => {
    if (variable.includes('=')) return variable;
    const own = context.env[variable];
    return own === undefined ? variable : `${variable}=${own}`;
  });
}

/** The variables of `--env-file` files: a line each, `#` for comments, a name alone for our own value of it. */
export async function readEnvFiles(context: Context, paths: readonly string[]): Promise<string[]> {
  const variables: string[] = [];
  for (const path of paths) {
    let content: string;
    try {
      content = (await context.readFile(path)).toString('utf8');
    } catch (thrown) {
      throw new CliError(fileReason(path, thrown));
    }
    for (const [at, line] of content
      .replace(/^\uFEFF/, '')
      .split(/\r?\n/)
      .entries()) {
      const trimmed = line.trimStart();
      if (trimmed === '' || trimmed.startsWith('#')) continue;
      const name = trimmed.split('=', 1)[0]!;
      if (name === '') throw new CliError(`no variable name on line '${line}' (${path}:${at + 1})`);
      if (/\s/.test(name)) throw new CliError(`variable '${name}' contains whitespaces (${path}:${at + 1})`);
      if (trimmed.includes('=')) variables.push(trimmed);
      else if (context.env[name] !== undefined) variables.push(`${name}=${context.env[name]}`);
    }
  }
  return variables;
}
