import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { filtersQuery } from '../base/filter.js';
import { onOff } from '../base/flag.js';
import { pathOf } from '../base/path.js';
import type { Service, Task } from '../base/wire.js';
import { configsOf, networksOfStack, secretsOf, servicesOf } from './common.js';
import { checkStackName, ofStack } from './names.js';

const detachFlag = onOff('detach', 'Do not wait for stack removal', { short: 'd', shown: 'true' });
const look_ms = 200;

/** `shoal stack rm` */
export const stackRm: CommandSpec = {
  usage: '[OPTIONS] STACK [STACK...]',
  operands: { min: 1, max: Number.POSITIVE_INFINITY },
  flags: [detachFlag],
  async run(context, values, stacks) {
    for (const stack of stacks) checkStackName(stack);
    const failed: string[] = [];
    for (const stack of stacks) {
      if (!(await removeStack(context, stack))) failed.push(stack);
      else if (values.get(detachFlag) === false) await gone(context, stack);
    }
    if (failed.length > 0) {
      throw new CliError(failed.map((stack) => `Failed to remove some resources from stack: ${stack}`).join('\n'));
    }
  },
};

/** Whether all of it could be removed; why not is told on standard error. */
async function removeStack(context: Context, stack: string): Promise<boolean> {
  const [services, secrets, configs, networks] = await Promise.all([
    servicesOf(context, stack),
    secretsOf(context, stack),
    configsOf(context, stack),
    networksOfStack(context, stack),
  ]);
  if (services.length + secrets.length + configs.length + networks.length === 0) {
    context.err.write(`Nothing found in stack: ${stack}\n`);
    return true;
  }
  const name = ({ Spec }: { Spec?: { Name?: string | undefined } | undefined }) => Spec?.Name ?? '';
  const done = [
    await removeServices(context, services),
    await removeAll(
      context,
      'secret',
      secrets.map((one) => [one.ID ?? '', name(one)]),
    ),
    await removeAll(
      context,
      'config',
      configs.map((one) => [one.ID ?? '', name(one)]),
    ),
    await removeAll(
      context,
      'network',
      networks.map((one) => [one.Id, one.Name]),
    ),
  ];
  return done.every(Boolean);
}

export function removeServices(context: Context, services: readonly Service[]): Promise<boolean> {
  return removeAll(
    context,
    'service',
    services.map(({ ID, Spec }) => [ID ?? '', Spec?.Name ?? '']),
  );
}

async function removeAll(
  context: Context,
  kind: string,
  things: readonly (readonly [string, string])[],
): Promise<boolean> {
  let isDone = true;
  for (const [id, name] of [...things].sort(([, a], [, b]) => (a < b ? -1 : 1))) {
    context.out.write(`Removing ${kind} ${name}\n`);
    try {
      await context.client.delete(pathOf(`${kind}s`, id));
    } catch (thrown) {
      if (!(thrown instanceof CliError)) throw thrown;
      context.err.write(`Failed to remove ${kind} ${id}: ${thrown.message}\n`);
      isDone = false;
    }
  }
  return isDone;
}

/** Waits until nothing of the stack runs any more. */
async function gone(context: Context, stack: string): Promise<void> {
  const query = { filters: filtersQuery([ofStack(stack)]) };
  while ((await context.client.get<Task[]>('/tasks', { query })).length > 0) await context.sleep(look_ms);
}
