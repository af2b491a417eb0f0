import type { Query } from '../base/client.js';
import type { CommandSpec } from '../base/command.js';
import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import { type Flag, onOff, text, type Values } from '../base/flag.js';
import { dryRunFlag, showPreview } from '../base/preview.js';
import type { Service, ServiceSpec } from '../base/wire.js';
import { applyOptions } from './apply.js';
import { setList, wordsOf } from './apply-container.js';
import { getService, postUpdate, previewUpdate } from './common.js';
import { authFor, pinImage, withTag } from './image.js';
import { updateListOptions } from './list-options.js';
import { followService } from './progress.js';
import * as scalars from './scalar-options.js';

const imageFlag = text('image', 'Service image tag');
const argsFlag = text('args', 'Service command args', { kind: 'command' });
const forceFlag = onOff('force', 'Force update even if no changes require it');
const rollbackFlag = onOff('rollback', 'Rollback to previous specification');

/** In an update what is not given stays, so there is no default to show. */
function withoutDefault(flag: Flag<unknown>): Flag<unknown> {
  const { shown: _shown, ...rest } = flag;
  return rest;
}

/** `shoal service update` */
export const serviceUpdate: CommandSpec = {
  usage: '[OPTIONS] SERVICE',
  operands: { min: 1, max: 1 },
  flags: [
    imageFlag,
    argsFlag,
    forceFlag,
    rollbackFlag,
    ...scalars.scalarOptions.map(withoutDefault),
    ...updateListOptions,
    dryRunFlag,
  ],
  async run(context, values, [reference = '']) {
    const service = await getService(context, reference);
    const { spec, query, auth } = await updateOf(context, values, service, [dryRunFlag.name]);
    const dry = values.get(dryRunFlag);
    if (dry !== undefined) return showPreview(context, await previewUpdate(context, service, spec, query), dry);
    await postUpdate(context, service, spec, query, auth);
    context.out.write(`${reference}\n`);
    const quiet = values.get(scalars.quiet) ?? false;
    if (!values.get(scalars.detach)) await followService(context, service.ID ?? reference, quiet);
  },
};

interface Update {
  spec: ServiceSpec;
  query: Query;
  auth?: string | undefined;
}

/** The request that the options of `service update` stand for. `also`: options that may stand beside `--rollback`. */
export async function updateOf(
  context: Context,
  values: Values,
  service: Service,
  also: readonly string[],
): Promise<Update> {
  const spec = structuredClone(service.Spec ?? {});
  if (values.get(rollbackFlag)) {
    const alone = [rollbackFlag.name, scalars.detach.name, scalars.quiet.name, ...also];
    if (values.names().some((name) => !alone.includes(name))) {
      throw new CliError('other flags may not be combined with --rollback');
    }
    return { spec, query: { rollback: 'previous', registryAuthFrom: 'spec' } };
  }
  await applyOptions(context, spec, values);
  const container = spec.TaskTemplate!.ContainerSpec!;
  const line = values.get(argsFlag);
  if (line !== undefined) setList(container, 'Args', wordsOf('args', line));
  if (values.get(forceFlag)) spec.TaskTemplate!.ForceUpdate = (spec.TaskTemplate!.ForceUpdate ?? 0) + 1;
  const image = values.get(imageFlag);
  if (image !== undefined) container.Image = withTag(image);
  const auth = values.get(scalars.registryAuth) ? await authFor(context, container.Image ?? '') : undefined;
  if (image !== undefined && !values.get(scalars.noResolveImage)) await pinImage(context, spec, auth);
  return { spec, query: auth === undefined ? { registryAuthFrom: 'spec' } : {}, auth };
}
