import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { dryRunFlag, showPreview } from '../base/preview.js';
import { parseInteger } from '../base/units.js';
import type { Service, ServiceSpec } from '../base/wire.js';
import { getService, postUpdate, previewUpdate } from './common.js';
import { followService } from './progress.js';
import { detach } from './scalar-options.js';

/** `SERVICE=REPLICAS`. Throws for anything else. */
function parseScale(word: string): { reference: string; replicas: number } {
  const equals = word.indexOf('=');
  if (equals < 1) {
    throw new CliError(`invalid scale specifier '${word}': use SERVICE=REPLICAS\nSee 'shoal service scale --help'.`);
  }
  const [reference, number] = [word.slice(0, equals), word.slice(equals + 1)];
  try {
    return { reference, replicas: parseInteger(number, 0) };
  } catch (thrown) {
    throw new CliError(
      `${reference}: invalid replicas value ${number}: ${thrown instanceof Error ? thrown.message : ''}`,
    );
  }
}

/** `shoal service scale`: each service in turn, then waits for them all. Goes on past those that fail. */
export const serviceScale: CommandSpec = {
  usage: 'SERVICE=REPLICAS [SERVICE=REPLICAS...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [detach, dryRunFlag],
  async run(context, values, words) {
    const failures: string[] = [];
    const scaled: Service[] = [];
    const dry = values.get(dryRunFlag);
    for (const word of words) {
      try {
        const { reference, replicas } = parseScale(word);
        const { service, spec } = await scaledOf(context, reference, replicas);
        if (dry !== undefined) {
          showPreview(context, await previewUpdate(context, service, spec), dry);
          continue;
        }
        await postUpdate(context, service, spec);
        scaled.push(service);
        context.out.write(`${reference} scaled to ${replicas}\n`);
      } catch (thrown) {
        if (!(thrown instanceof CliError)) throw thrown;
        failures.push(thrown.message);
      }
    }
    if (!values.get(detach)) {
      for (const { ID, Spec } of scaled) {
        try {
          await followService(context, ID ?? '', false);
        } catch (thrown) {
          if (!(thrown instanceof CliError)) throw thrown;
          failures.push(`${Spec?.Name ?? ID}: ${thrown.message}`);
        }
      }
    }
    if (failures.length > 0) throw new CliError(failures.join('\n'));
  },
};

async function scaledOf(
  context: Context,
  reference: string,
  replicas: number,
): Promise<{ service: Service; spec: ServiceSpec }> {
  const service = await getService(context, reference);
  const spec = structuredClone(service.Spec ?? {});
  if (spec.Mode?.Replicated) spec.Mode.Replicated.Replicas = replicas;
  else if (spec.Mode?.ReplicatedJob) spec.Mode.ReplicatedJob.TotalCompletions = replicas;
  else throw new CliError(`${reference}: scale can only be used with replicated or replicated-job mode`);
  return { service, spec };
}
