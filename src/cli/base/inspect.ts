import type { MessageName } from '../../model/codec.js';
import type { Context } from './context.js';
import { CliError, DaemonError } from './errors.js';
import { onOff, text, type Values } from './flag.js';
import { readTemplate } from './format.js';

export const inspectFormatFlag = text(
  'format',
  "Format output using a custom template:\n'json':             Print in JSON format\n" +
    "'TEMPLATE':         Print output using the given Go template.\n" +
    'Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates',
  { short: 'f' },
);
export const prettyFlag = onOff('pretty', 'Print the information in a human friendly format');

export interface Inspection<T> {
  /** The message of the model that the objects are: what is absent in one has its zero in a template, as in Go. */
  readonly message: MessageName;
  get(reference: string): Promise<T>;
  /** Absent where Docker has no `--pretty`. */
  pretty?(object: T): string | Promise<string>;
}

/**
 * `inspect` of any kind of object: JSON by default, a line each with `--format`, prose with `--pretty`. Shows what it finds
 * before it fails for what it does not.
 */
export async function inspectAll<T>(
  context: Context,
  values: Values,
  references: readonly string[],
  how: Inspection<T>,
): Promise<void> {
  const format = values.get(inspectFormatFlag) ?? '';
  const pretty = values.get(prettyFlag) ?? false;
  if (pretty && format !== '') throw new CliError('--format is incompatible with human friendly format');
  const render = format === '' || format === 'json' ? undefined : await templateFor(format, how.message);
  const found: T[] = [];
  const missing: string[] = [];
  for (const reference of references) {
    try {
      found.push(await how.get(reference));
    } catch (thrown) {
      if (!(thrown instanceof DaemonError)) throw thrown;
      missing.push(thrown.message);
    }
  }
  if (pretty && how.pretty !== undefined) {
    const parts: string[] = [];
    for (const object of found) parts.push(await how.pretty(object));
    context.out.write(parts.join('\n\n'));
  } else if (render !== undefined) context.out.write(found.map((object) => `${render(object)}\n`).join(''));
  else if (format === 'json') context.out.write(found.map((object) => `${JSON.stringify(object)}\n`).join(''));
  else context.out.write(`${JSON.stringify(found, undefined, 4)}\n`);
  if (missing.length > 0) throw new CliError(missing.join('\n'));
}

/** A template on objects of the API, in which a field that the model has and the answer left out is its zero value. */
async function templateFor(format: string, message: MessageName): Promise<(object: unknown) => string> {
  const [template, { withDefaults }] = await Promise.all([readTemplate(format), import('./defaults.js')]);
  return (object) => template(withDefaults(message, object));
}
