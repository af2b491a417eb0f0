import type { CommandSpec } from '../base/command.js';
import { inspectCommand, labelFlag, lsCommand, readContent, rmCommand, templateDriverFlag } from './common.js';

const labels = labelFlag('Config labels');

/** `shoal config create` */
export const create: CommandSpec = {
  usage: '[OPTIONS] CONFIG file|-',
  operands: { min: 2, max: 2 },
  flags: [labels, templateDriverFlag],
  async run(context, values, [name, path = '-']) {
    const template = values.get(templateDriverFlag) ?? '';
    const { ID } = await context.client.post<{ ID: string }>('/configs/create', {
      body: {
        Name: name,
        Labels: Object.fromEntries(values.get(labels) ?? []),
        Data: (await readContent(context, path)).toString('base64'),
        ...(template === '' ? {} : { Templating: { Name: template } }),
      },
    });
    context.out.write(`${ID}\n`);
  },
};

export const ls = lsCommand('config');
export const inspect = inspectCommand('config', 'Config');
export const rm = rmCommand('config');
