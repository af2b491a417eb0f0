import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import type { Flag, Values } from '../base/flag.js';
import type { GenericResource, ServiceSpec, TaskSpec, UpdateConfig } from '../base/wire.js';
import { applyContainer, setList } from './apply-container.js';
import * as lists from './list-options.js';
import { added, removed } from './list-options.js';
import { mergeByKey, mergeMap, mergeSorted } from './merge.js';
import { networkID, resolveNetworks } from './networks.js';
import { mergePorts } from './ports.js';
import * as scalars from './scalar-options.js';

const second_ns = 1e9;
const defaultUpdate: UpdateConfig = {
  Parallelism: 1,
  FailureAction: 'pause',
  Monitor: 5 * second_ns,
  MaxFailureRatio: 0,
  Order: 'stop-first',
};
const defaultRestart = { Condition: 'any', Delay: 5 * second_ns, MaxAttempts: 0 };

/**
 * Puts into `spec` what the command line says, and leaves the rest: the one meaning that options have in `service create`
 * (on a fresh spec) and `service update`. Names of networks, secrets and configs are looked up. Throws `CliError`.
 */
export async function applyOptions(context: Context, spec: ServiceSpec, values: Values): Promise<void> {
  spec.TaskTemplate ??= {};
  spec.TaskTemplate.ContainerSpec ??= {};
  spec.Labels = mergeMap(spec.Labels, removed(values, lists.label), added(values, lists.label));
  await applyContainer(context, spec.TaskTemplate.ContainerSpec, values);
  applyResources(spec.TaskTemplate, values);
  applyPolicies(spec, values);
  applyPlacement(spec.TaskTemplate, values);
  applyMode(spec, values);
  applyLogDriver(spec.TaskTemplate, values);
  await applyNetworks(context, spec, values);
  applyEndpoint(spec, values);
}

/** The options of a group that were given, by the names of their fields. */
function given(values: Values, group: Readonly<Record<string, Flag<unknown>>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(group)
      .filter(([, flag]) => values.has(flag))
      .map(([key, flag]) => [key, values.get(flag)]),
  );
}

const anyOf = (fields: Record<string, unknown>) => Object.keys(fields).length > 0;

function applyResources(task: TaskSpec, values: Values): void {
  const limits = given(values, scalars.limits);
  const reservations = given(values, scalars.reservations);
  if (anyOf(limits)) task.Resources = { ...task.Resources, Limits: { ...task.Resources?.Limits, ...limits } };
  if (anyOf(reservations)) {
    task.Resources = { ...task.Resources, Reservations: { ...task.Resources?.Reservations, ...reservations } };
  }
  const [adds, removes] = [added(values, lists.genericResource), removed(values, lists.genericResource)];
  if (adds.length + removes.length === 0) return;
  const kindOf = (each: GenericResource) => each.DiscreteResourceSpec?.Kind ?? each.NamedResourceSpec?.Kind ?? '';
  const current = task.Resources?.Reservations?.GenericResources ?? [];
  const unknown = removes.find((kind) => !current.some((each) => kindOf(each) === kind));
  if (unknown !== undefined) throw new CliError(`could not find generic-resource \`${unknown}\` to remove it`);
  const kinds = mergeByKey(current, kindOf, removes, adds);
  const kept = { ...task.Resources?.Reservations };
  setList(kept, 'GenericResources', kinds);
  task.Resources = { ...task.Resources, Reservations: kept };
}

function applyPolicies(spec: ServiceSpec, values: Values): void {
  const task = spec.TaskTemplate!;
  const restart = given(values, scalars.restart);
  const update = given(values, scalars.update);
  const rollback = given(values, scalars.rollback);
  const isJob = spec.Mode?.ReplicatedJob || spec.Mode?.GlobalJob;
  if (isJob && (anyOf(update) || anyOf(rollback))) {
    throw new CliError('update and rollback configuration is not supported for jobs');
  }
  if (anyOf(restart)) task.RestartPolicy = { ...(task.RestartPolicy ?? defaultRestart), ...restart };
  if (anyOf(update)) spec.UpdateConfig = { ...(spec.UpdateConfig ?? defaultUpdate), ...update };
  if (anyOf(rollback)) spec.RollbackConfig = { ...(spec.RollbackConfig ?? defaultUpdate), ...rollback };
}

function applyPlacement(task: TaskSpec, values: Values): void {
  const [adds, removes] = [added(values, lists.constraint), removed(values, lists.constraint)];
  if (adds.length + removes.length > 0) {
    task.Placement = { ...task.Placement };
    const ordered = values.has(lists.constraint.create)
      ? adds
      : mergeSorted(task.Placement.Constraints ?? [], removes, adds);
    setList(task.Placement, 'Constraints', ordered);
  }
  const descriptor = (each: { Spread?: { SpreadDescriptor?: string | undefined } | undefined }) =>
    each.Spread?.SpreadDescriptor;
  const [more, fewer] = [added(values, lists.preference), removed(values, lists.preference).map(descriptor)];
  if (more.length + fewer.length > 0) {
    task.Placement = { ...task.Placement };
    const kept = (task.Placement.Preferences ?? []).filter((each) => !fewer.includes(descriptor(each)));
    setList(task.Placement, 'Preferences', [...kept, ...more]);
  }
  const most = values.get(scalars.maxReplicas);
  if (most !== undefined) task.Placement = { ...task.Placement, MaxReplicas: most };
}

function applyMode(spec: ServiceSpec, values: Values): void {
  const replicas = values.get(scalars.replicas);
  const concurrent = values.get(scalars.maxConcurrent);
  const mode = spec.Mode ?? {};
  const isReplicated = mode.Replicated || mode.ReplicatedJob;
  if (values.has(scalars.maxReplicas) && !isReplicated) {
    throw new CliError('replicas-max-per-node can only be used with replicated or replicated-job mode');
  }
  if (replicas !== undefined) {
    if (mode.ReplicatedJob) {
      mode.ReplicatedJob.TotalCompletions = replicas;
      // As many at a time as there are, unless it is said otherwise.
      if (concurrent === undefined && mode.ReplicatedJob.MaxConcurrent === undefined) {
        mode.ReplicatedJob.MaxConcurrent = replicas;
      }
    } else if (mode.Replicated) mode.Replicated.Replicas = replicas;
    else throw new CliError('replicas can only be used with replicated or replicated-job mode');
  }
  if (concurrent !== undefined) {
    if (!mode.ReplicatedJob) throw new CliError('max-concurrent can only be used with replicated-job mode');
    mode.ReplicatedJob.MaxConcurrent = concurrent;
  }
}

function applyLogDriver(task: TaskSpec, values: Values): void {
  const name = values.get(scalars.logDriver);
  if (!name) return;
  const options = (values.get(scalars.logOpt) ?? []).map((word): [string, string] => {
    const equals = word.indexOf('=');
    return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
  });
  task.LogDriver = options.length === 0 ? { Name: name } : { Name: name, Options: Object.fromEntries(options) };
}

async function applyNetworks(context: Context, spec: ServiceSpec, values: Values): Promise<void> {
  const [adds, removes] = [added(values, lists.network), removed(values, lists.network)];
  if (adds.length + removes.length === 0) return;
  const task = spec.TaskTemplate!;
  const current = task.Networks?.length ? task.Networks : (spec.Networks ?? []);
  const gone: string[] = [];
  for (const name of removes) gone.push(await networkID(context, name));
  const kept = current.filter((each) => !gone.includes(each.Target ?? '') && !removes.includes(each.Target ?? ''));
  const wanted = await resolveNetworks(context, adds);
  if (values.has(lists.network.create)) setList(task, 'Networks', wanted);
  else {
    for (const each of wanted) {
      if (kept.some(({ Target }) => Target === each.Target)) {
        throw new CliError(`service is already attached to network ${adds[wanted.indexOf(each)]?.Target}`);
      }
    }
    setList(
      task,
      'Networks',
      [...kept, ...wanted].sort((a, b) => ((a.Target ?? '') < (b.Target ?? '') ? -1 : 1)),
    );
  }
  delete spec.Networks; // where old services have them
}

function applyEndpoint(spec: ServiceSpec, values: Values): void {
  const mode = values.get(scalars.endpointMode);
  if (mode !== undefined) spec.EndpointSpec = { ...spec.EndpointSpec, Mode: mode };
  if (values.has(lists.publish.create))
    spec.EndpointSpec = { ...spec.EndpointSpec, Ports: added(values, lists.publish) };
  const [adds, removes] = [values.get(lists.publish.add) ?? [], removed(values, lists.publish)];
  if (adds.length + removes.length === 0) return;
  spec.EndpointSpec = { ...spec.EndpointSpec };
  try {
    setList(spec.EndpointSpec, 'Ports', mergePorts(spec.EndpointSpec.Ports ?? [], removes, adds));
  } catch (thrown) {
    throw new CliError(thrown instanceof Error ? thrown.message : String(thrown));
  }
}
