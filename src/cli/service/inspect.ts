import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError, DaemonError } from '../base/errors.js';
import { inspectAll, inspectFormatFlag, prettyFlag } from '../base/inspect.js';
import { pathOf } from '../base/path.js';
import type { Service } from '../base/wire.js';

/** `shoal service inspect` */
export const serviceInspect: CommandSpec = {
  usage: '[OPTIONS] SERVICE [SERVICE...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [inspectFormatFlag, prettyFlag],
  run: (context, values, references) =>
    inspectAll<Service>(context, values, references, {
      message: 'Service',
      async get(reference) {
        const query = { insertDefaults: true };
        try {
          return await context.client.get<Service>(pathOf('services', reference), { query });
        } catch (thrown) {
          if (!(thrown instanceof DaemonError) || thrown.status !== 404) throw thrown;
          throw new DaemonError(404, thrown.message, `Error: no such service: ${reference}`);
        }
      },
      async pretty(service) {
        const { describeService } = await import('./pretty.js');
        return describeService(service, context.clock.now(), await networkNames(context, service));
      },
    }),
};

/** The names of the networks a service is on. One that cannot be asked for is shown by its id. */
async function networkNames(context: Context, service: Service): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const { Target } of service.Spec?.TaskTemplate?.Networks ?? []) {
    try {
      const { Name } = await context.client.get<{ Name?: string }>(pathOf('networks', Target ?? ''));
      names.set(Target ?? '', Name ?? '');
    } catch (thrown) {
      if (!(thrown instanceof CliError)) throw thrown;
    }
  }
  return names;
}
