import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { text } from '../base/flag.js';
import { inspectCommand, labelFlag, lsCommand, readContent, rmCommand, templateDriverFlag } from './common.js';

const driverFlag = text('driver', 'Secret driver', { short: 'd' });
const labels = labelFlag('Secret labels');

/** `shoal secret create` */
export const create: CommandSpec = {
  usage: '[OPTIONS] SECRET [file|-]',
  operands: { min: 1, max: 2 },
  flags: [driverFlag, labels, templateDriverFlag],
  async run(context, values, [name, path]) {
    const driver = values.get(driverFlag) ?? '';
    const template = values.get(templateDriverFlag) ?? '';
    if (driver !== '' && path !== undefined) throw new CliError('when using secret driver secret data must be empty');
    if (driver === '' && path === undefined) throw new CliError('either a file or "-" for standard input is required');
    const data = path === undefined ? undefined : await readContent(context, path);
    const { ID } = await context.client.post<{ ID: string }>('/secrets/create', {
      body: {
        Name: name,
        Labels: Object.fromEntries(values.get(labels) ?? []),
        ...(data === undefined ? {} : { Data: data.toString('base64') }),
        ...(driver === '' ? {} : { Driver: { Name: driver } }),
        ...(template === '' ? {} : { Templating: { Name: template } }),
      },
    });
    context.out.write(`${ID}\n`);
  },
};

export const ls = lsCommand('secret');
export const inspect = inspectCommand('secret', 'Secret');
export const rm = rmCommand('secret');
