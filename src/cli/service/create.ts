import type { CommandSpec } from '../base/command.js';
import { CliError } from '../base/errors.js';
import { text } from '../base/flag.js';
import { dryRun, dryRunFlag, showPreview } from '../base/preview.js';
import type { Preview, ServiceSpec } from '../base/wire.js';
import { applyOptions } from './apply.js';
import { authFor, pinImage, withTag } from './image.js';
import { createListOptions } from './list-options.js';
import { followService } from './progress.js';
import * as scalars from './scalar-options.js';

const nameFlag = text('name', 'Service name');
const modeFlag = text('mode', 'Service mode ("replicated", "global", "replicated-job", "global-job")', {
  shown: '"replicated"',
});

function modeOf(word: string): NonNullable<ServiceSpec['Mode']> {
  switch (word) {
    case 'replicated':
      return { Replicated: {} };
    case 'global':
      return { Global: {} };
    case 'replicated-job':
      return { ReplicatedJob: {} };
    case 'global-job':
      return { GlobalJob: {} };
  }
  throw new CliError(`Unknown mode: ${word}, only replicated, global, replicated-job and global-job are supported`);
}

/** `shoal service create` */
export const serviceCreate: CommandSpec = {
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  optionsFirst: true,
  flags: [nameFlag, modeFlag, ...scalars.scalarOptions, ...createListOptions, dryRunFlag],
  async run(context, values, [image = '', ...args]) {
    const spec: ServiceSpec = {
      Name: values.get(nameFlag) ?? '',
      Labels: {},
      TaskTemplate: {
        ContainerSpec: {
          Image: withTag(image),
          Init: false,
          DNSConfig: {},
          ...(args.length > 0 ? { Args: args } : {}),
        },
        Resources: { Limits: {}, Reservations: {} },
        Placement: {},
        ForceUpdate: 0,
      },
      Mode: modeOf(values.get(modeFlag) ?? 'replicated'),
      EndpointSpec: { Mode: 'vip' },
    };
    await applyOptions(context, spec, values);
    const auth = values.get(scalars.registryAuth) ? await authFor(context, image) : undefined;
    if (!values.get(scalars.noResolveImage)) await pinImage(context, spec, auth);
    const dry = values.get(dryRunFlag);
    if (dry !== undefined) {
      const preview = await context.client.post<Preview>('/services/create', { query: dryRun, body: spec });
      return showPreview(context, preview, dry);
    }
    const created = await context.client.post<{ ID: string; Warnings?: string[] | null }>('/services/create', {
      body: spec,
      headers: auth === undefined ? undefined : { 'X-Registry-Auth': auth },
    });
    for (const warning of created.Warnings ?? []) context.err.write(`${warning}\n`);
    context.out.write(`${created.ID}\n`);
    if (!values.get(scalars.detach)) await followService(context, created.ID, values.get(scalars.quiet) ?? false);
  },
};
