import type { Context } from '../base/context.js';
import { CliError } from '../base/errors.js';
import type { Values } from '../base/flag.js';
import type { ContainerSpec } from '../base/wire.js';
import { mergeCapabilities } from './capabilities.js';
import { readEnvFiles, withOwnValues } from './env-file.js';
import * as lists from './list-options.js';
import { added, removed } from './list-options.js';
import { mergeByKey, mergeEnv, mergeHosts, mergeMap, mergeOrdered, mergeSorted } from './merge.js';
import { mergeMounts } from './mounts.js';
import { configID, resolveConfigs, resolveSecrets } from './references.js';
import * as scalars from './scalar-options.js';
import { splitWords } from './words.js';

/** Puts into `spec` what the command line says of the container; what it does not name stays. Lists that end up empty are left out. */
export async function applyContainer(context: Context, spec: ContainerSpec, values: Values): Promise<void> {
  applyProcess(spec, values);
  applyHealth(spec, values);
  await applyEnv(context, spec, values);
  applyLists(spec, values);
  applyDns(spec, values);
  applyCapabilities(spec, values);
  await applyFiles(context, spec, values);
}

/** The words of a `--flag`'s command line. */
export function wordsOf(flag: string, line: string): string[] {
  try {
    return splitWords(line);
  } catch (thrown) {
    throw new CliError(`invalid argument for --${flag}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

function applyProcess(spec: ContainerSpec, values: Values): void {
  const set = <Key extends keyof ContainerSpec>(key: Key, value: ContainerSpec[Key] | undefined) => {
    if (value !== undefined) spec[key] = value;
  };
  set('Hostname', values.get(scalars.hostname));
  set('Dir', values.get(scalars.workdir));
  set('User', values.get(scalars.user));
  set('TTY', values.get(scalars.tty));
  set('Init', values.get(scalars.init));
  set('ReadOnly', values.get(scalars.readOnly));
  set('StopSignal', values.get(scalars.stopSignal));
  set('StopGracePeriod', values.get(scalars.stopGrace));
  set('Isolation', values.get(scalars.isolation));
  set('OomScoreAdj', values.get(scalars.oomScore));
  const line = values.get(scalars.entrypoint);
  if (line !== undefined) setList(spec, 'Command', wordsOf('entrypoint', line));
}

const noCheck = 'NONE';

function applyHealth(spec: ContainerSpec, values: Values): void {
  const changed = Object.values(scalars.health).some((flag) => values.has(flag));
  if (values.get(scalars.noHealthcheck)) {
    if (changed) throw new CliError('--no-healthcheck conflicts with --health-* options');
    spec.Healthcheck = { Test: [noCheck] };
    return;
  }
  if (!changed) return;
  const { cmd, interval, timeout, startPeriod, startInterval, retries } = scalars.health;
  const check = { ...spec.Healthcheck };
  if (check.Test?.[0] === noCheck) delete check.Test;
  const line = values.get(cmd);
  if (line !== undefined) {
    if (line === '') delete check.Test;
    else check.Test = ['CMD-SHELL', line];
  }
  const numbers = {
    Interval: values.get(interval),
    Timeout: values.get(timeout),
    StartPeriod: values.get(startPeriod),
    StartInterval: values.get(startInterval),
    Retries: values.get(retries),
  };
  spec.Healthcheck = {
    ...check,
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined)),
  };
}

async function applyEnv(context: Context, spec: ContainerSpec, values: Values): Promise<void> {
  const fromFiles = await readEnvFiles(context, values.get(lists.envFile) ?? []);
  const given = withOwnValues(context, added(values, lists.env));
  setList(spec, 'Env', mergeEnv(spec.Env ?? [], removed(values, lists.env), [...fromFiles, ...given]));
}

function applyLists(spec: ContainerSpec, values: Values): void {
  const labels = mergeMap(spec.Labels, removed(values, lists.containerLabel), added(values, lists.containerLabel));
  setMap(spec, 'Labels', labels);
  setMap(spec, 'Sysctls', mergeMap(spec.Sysctls, removed(values, lists.sysctl), added(values, lists.sysctl)));
  const groupsRemoved = removed(values, lists.group);
  const groupsAdded = added(values, lists.group);
  if (groupsRemoved.length + groupsAdded.length > 0) {
    setList(spec, 'Groups', mergeSorted(spec.Groups ?? [], groupsRemoved, groupsAdded));
  }
  setList(spec, 'Hosts', mergeHosts(spec.Hosts ?? [], removed(values, lists.host), added(values, lists.host)));
  const mountsAdded = added(values, lists.mount);
  if (values.has(lists.mount.create)) setList(spec, 'Mounts', mountsAdded);
  else if (mountsAdded.length + removed(values, lists.mount).length > 0) {
    setList(spec, 'Mounts', mergeMounts(spec.Mounts ?? [], removed(values, lists.mount), mountsAdded));
  }
  const limits = mergeByKey(
    spec.Ulimits ?? [],
    (limit) => limit.Name ?? '',
    removed(values, lists.ulimit),
    added(values, lists.ulimit),
  );
  setList(
    spec,
    'Ulimits',
    limits.sort((a, b) => ((a.Name ?? '') < (b.Name ?? '') ? -1 : 1)),
  );
}

function applyDns(spec: ContainerSpec, values: Values): void {
  const parts = [
    ['Nameservers', lists.dns],
    ['Search', lists.dnsSearch],
    ['Options', lists.dnsOption],
  ] as const;
  for (const [key, option] of parts) {
    const [adds, removes] = [added(values, option), removed(values, option)];
    if (adds.length + removes.length === 0) continue;
    const merge = values.has(option.create) ? mergeOrdered : mergeSorted;
    spec.DNSConfig = { ...spec.DNSConfig };
    setList(spec.DNSConfig, key, merge(spec.DNSConfig[key] ?? [], removes, adds));
  }
}

function applyCapabilities(spec: ContainerSpec, values: Values): void {
  const [adds, drops] = [values.get(lists.capAdd) ?? [], values.get(lists.capDrop) ?? []];
  if (adds.length + drops.length === 0) return;
  const merged = mergeCapabilities({ add: spec.CapabilityAdd ?? [], drop: spec.CapabilityDrop ?? [] }, adds, drops);
  setList(spec, 'CapabilityAdd', merged.add);
  setList(spec, 'CapabilityDrop', merged.drop);
}

async function applyFiles(context: Context, spec: ContainerSpec, values: Values): Promise<void> {
  const secrets = await resolveSecrets(context, added(values, lists.secret));
  setList(
    spec,
    'Secrets',
    mergeByKey(spec.Secrets ?? [], secretKey, [], secrets).filter(
      (each) => !removed(values, lists.secret).includes(each.SecretName ?? '') || secrets.includes(each),
    ),
  );
  const configs = await resolveConfigs(context, added(values, lists.config));
  const files = mergeByKey(spec.Configs ?? [], configKey, [], configs).filter(
    (each) => !removed(values, lists.config).includes(each.ConfigName ?? '') || configs.includes(each),
  );
  const credentials = values.get(scalars.credentialSpec);
  if (credentials === undefined) {
    setList(spec, 'Configs', files);
    return;
  }
  // A credential spec that is a config needs the config among the container's, though not as a file.
  const withoutOld = files.filter((each) => each.Runtime === undefined || each.Runtime === null);
  const isConfig = credentials.kind === 'config';
  const id = isConfig ? await configID(context, credentials.value) : '';
  setList(
    spec,
    'Configs',
    isConfig ? [...withoutOld, { Runtime: {}, ConfigID: id, ConfigName: credentials.value }] : withoutOld,
  );
  spec.Privileges = {
    ...spec.Privileges,
    CredentialSpec: {
      Config: id,
      File: credentials.kind === 'file' ? credentials.value : '',
      Registry: credentials.kind === 'registry' ? credentials.value : '',
    },
  };
}

const secretKey = (each: NonNullable<ContainerSpec['Secrets']>[number]) => `${each.SecretName} ${each.File?.Name}`;
const configKey = (each: NonNullable<ContainerSpec['Configs']>[number]) => `${each.ConfigName} ${each.File?.Name}`;

/** Sets a list, or leaves it out when there is nothing in it. */
export function setList<Holder extends object, Key extends keyof Holder>(
  holder: Holder,
  key: Key,
  items: NonNullable<Holder[Key]> & readonly unknown[],
): void {
  if (items.length > 0) holder[key] = items;
  else delete holder[key];
}

function setMap<Key extends 'Labels' | 'Sysctls'>(spec: ContainerSpec, key: Key, map: Record<string, string>): void {
  if (Object.keys(map).length > 0) spec[key] = map;
  else delete spec[key];
}
