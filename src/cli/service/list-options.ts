import { isIP } from 'node:net';
import { type Flag, flag, list, type Values } from '../base/flag.js';
import { parseLabel } from '../base/labels.js';
import { parseInteger } from '../base/units.js';
import type { GenericResource, PlacementPreference, PortConfig, Ulimit } from '../base/wire.js';
import { parseCapability } from './capabilities.js';
import { parseMount } from './mounts.js';
import { parseNetwork } from './networks.js';
import { parsePublish } from './ports.js';
import { parseReference } from './references.js';

// Options that stand for a list: `--env` in `service create`, `--env-add` and `--env-rm` in `service update`.

/** The flags of one list. What `create` gives and what `update` adds are read alike. */
export interface ListOption<T, Removed = string> {
  readonly create: Flag<T[]>;
  readonly add: Flag<T[]>;
  readonly remove: Flag<Removed[]>;
}

/** What the command line adds to a list. */
export function added<T>(values: Values, option: Pick<ListOption<T>, 'create' | 'add'>): T[] {
  return [...(values.get(option.create) ?? []), ...(values.get(option.add) ?? [])];
}

export function removed<T, R>(values: Values, option: ListOption<T, R>): R[] {
  return values.get(option.remove) ?? [];
}

interface Usages {
  create: string;
  add: string;
  remove: string;
}
interface Looks {
  kind?: string;
  short?: string;
  shown?: string;
}

function option<T>(name: string, usages: Usages, parse: (text: string) => T, looks: Looks = {}): ListOption<T> {
  const { short, ...rest } = looks;
  return {
    create: list(name, usages.create, parse, short === undefined ? rest : { ...rest, short }),
    add: list(`${name}-add`, usages.add, parse, rest),
    remove: list(`${name}-rm`, usages.remove, (text) => text),
  };
}

function checkEnv(text: string): string {
  if (text === '' || text.startsWith('=')) throw new Error(`invalid environment variable: ${text}`);
  return text;
}

/** `host:ip`, as the engine has it: `ip host`. */
function parseHost(text: string): string {
  const match = /^([^:=]+)[:=](.+)$/s.exec(text);
  if (match === null) throw new Error(`bad format for add-host: ${JSON.stringify(text)}: use HOST:IP`);
  const ip = match[2]!.replace(/^\[(.*)\]$/, '$1');
  if (ip !== 'host-gateway' && isIP(ip) === 0) throw new Error(`invalid IP address in add-host: ${JSON.stringify(ip)}`);
  return `${ip} ${match[1]}`;
}

function checkAddress(text: string): string {
  const address = text.trim();
  if (isIP(address) === 0) throw new Error(`IP address is not correctly formatted: ${text}`);
  return address;
}

function checkDomain(text: string): string {
  const domain = text.trim();
  if (domain === '.') return domain;
  if (
    !/^[\p{L}\p{N}_]([\p{L}\p{N}_-]{0,61}[\p{L}\p{N}_])?(\.[\p{L}\p{N}_]([\p{L}\p{N}_-]{0,61}[\p{L}\p{N}_])?)*\.?$/u.test(
      domain,
    )
  ) {
    throw new Error(`${text} is not a valid domain`);
  }
  return domain.replace(/^\.+/, '');
}

const ulimitNames =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ');

function parseUlimit(text: string): Ulimit {
  const match = /^([^=]+)=([^:]+)(?::(.+))?$/s.exec(text);
  if (match === null) throw new Error(`invalid ulimit argument: ${text}`);
  const Name = match[1]!;
  if (!ulimitNames.includes(Name)) throw new Error(`invalid ulimit type: ${Name}; use ${ulimitNames.join(', ')}`);
  const Soft = parseInteger(match[2]!, -1);
  const Hard = match[3] === undefined ? Soft : parseInteger(match[3], -1);
  if (Hard !== -1 && (Soft > Hard || Soft === -1)) {
    throw new Error(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
  }
  return { Name, Hard, Soft };
}

function parseGenericResource(text: string): GenericResource {
  const match = /^([^=]+)=(.+)$/s.exec(text);
  if (match === null) throw new Error(`invalid generic-resource format \`${text}\` expected \`name=value\``);
  if (!/^\d+$/.test(match[2]!)) {
    throw new Error(
      `invalid generic-resource request \`${text}\`, Named Generic Resources is not supported for service create or update`,
    );
  }
  return { DiscreteResourceSpec: { Kind: match[1]!, Value: parseInteger(match[2]!, 0) } };
}

export function parsePreference(text: string): PlacementPreference {
  const match = /^([^=]*)=(.*)$/s.exec(text);
  if (match === null) throw new Error('placement preference must be of the format "<strategy>=<arg>"');
  if (match[1] !== 'spread') throw new Error(`unsupported placement preference ${match[1]} (only spread is supported)`);
  return { Spread: { SpreadDescriptor: match[2]! } };
}

const plain = (text: string) => text;

function checkName(text: string): string {
  if (text === '') throw new Error('it must not be empty');
  return text;
}

export const env = option(
  'env',
  {
    create: 'Set environment variables',
    add: 'Add or update an environment variable',
    remove: 'Remove an environment variable',
  },
  checkEnv,
  { short: 'e' },
);
export const envFile = list('env-file', 'Read in a file of environment variables', plain);
export const label = option(
  'label',
  { create: 'Service labels', add: 'Add or update a service label', remove: 'Remove a label by its key' },
  parseLabel,
  { short: 'l' },
);
export const containerLabel = option(
  'container-label',
  { create: 'Container labels', add: 'Add or update a container label', remove: 'Remove a container label by its key' },
  parseLabel,
);
export const mount = option(
  'mount',
  {
    create: 'Attach a filesystem mount to the service',
    add: 'Add or update a mount on a service',
    remove: 'Remove a mount by its target path',
  },
  parseMount,
  { kind: 'mount' },
);
export const constraint = option(
  'constraint',
  { create: 'Placement constraints', add: 'Add or update a placement constraint', remove: 'Remove a constraint' },
  checkName,
);
export const preference: ListOption<PlacementPreference, PlacementPreference> = {
  create: list('placement-pref', 'Add a placement preference', parsePreference, { kind: 'pref' }),
  add: list('placement-pref-add', 'Add a placement preference', parsePreference, { kind: 'pref' }),
  remove: list('placement-pref-rm', 'Remove a placement preference', parsePreference, { kind: 'pref' }),
};
export const network = option(
  'network',
  { create: 'Network attachments', add: 'Add a network', remove: 'Remove a network' },
  parseNetwork,
  { kind: 'network' },
);
export const dns = option(
  'dns',
  { create: 'Set custom DNS servers', add: 'Add or update a custom DNS server', remove: 'Remove a custom DNS server' },
  checkAddress,
);
export const dnsOption = option(
  'dns-option',
  { create: 'Set DNS options', add: 'Add or update a DNS option', remove: 'Remove a DNS option' },
  checkName,
);
export const dnsSearch = option(
  'dns-search',
  {
    create: 'Set custom DNS search domains',
    add: 'Add or update a custom DNS search domain',
    remove: 'Remove a DNS search domain',
  },
  checkDomain,
);
export const host = option(
  'host',
  {
    create: 'Set one or more custom host-to-IP mappings (host:ip)',
    add: 'Add a custom host-to-IP mapping ("host:ip")',
    remove: 'Remove a custom host-to-IP mapping ("host:ip")',
  },
  parseHost,
);
export const sysctl = option(
  'sysctl',
  { create: 'Sysctl options', add: 'Add or update a Sysctl option', remove: 'Remove a Sysctl option' },
  parseLabel,
);
export const ulimit = option(
  'ulimit',
  { create: 'Ulimit options', add: 'Add or update a ulimit option', remove: 'Remove a ulimit option' },
  parseUlimit,
  { kind: 'ulimit', shown: '[]' },
);
export const group = option(
  'group',
  {
    create: 'Set one or more supplementary user groups for the container',
    add: 'Add an additional supplementary user group to the container',
    remove: 'Remove a previously added supplementary user group from the container',
  },
  checkName,
);
export const genericResource = option(
  'generic-resource',
  { create: 'User defined resources', add: 'Add a Generic resource', remove: 'Remove a Generic resource' },
  parseGenericResource,
);
export const secret = option(
  'secret',
  {
    create: 'Specify secrets to expose to the service',
    add: 'Add or update a secret on a service',
    remove: 'Remove a secret',
  },
  parseReference('secret'),
  { kind: 'secret' },
);
export const config = option(
  'config',
  {
    create: 'Specify configurations to expose to the service',
    add: 'Add or update a config file on a service',
    remove: 'Remove a configuration file',
  },
  parseReference('config'),
  { kind: 'config' },
);

/** One use of `--publish` may name many ports. */
function ports(name: string, usage: string, short?: string): Flag<PortConfig[]> {
  const parse = (text: string, before: PortConfig[] = []) => [...before, ...parsePublish(text)];
  return flag(name, 'port', usage, parse, short === undefined ? {} : { short });
}
export const publish: ListOption<PortConfig, PortConfig> = {
  create: ports('publish', 'Publish a port as a node port', 'p'),
  add: ports('publish-add', 'Add or update a published port'),
  remove: ports('publish-rm', 'Remove a published port by its target port'),
};

export const capAdd = list('cap-add', 'Add Linux capabilities', parseCapability);
export const capDrop = list('cap-drop', 'Drop Linux capabilities', parseCapability);

const listed: readonly ListOption<never, never>[] = [
  env,
  label,
  containerLabel,
  mount,
  constraint,
  preference,
  network,
  dns,
  dnsOption,
  dnsSearch,
  host,
  sysctl,
  ulimit,
  group,
  genericResource,
  secret,
  config,
  publish,
] as unknown as readonly ListOption<never, never>[];

export const createListOptions: readonly Flag<unknown>[] = [
  ...listed.map((each): Flag<unknown> => each.create),
  envFile,
  capAdd,
  capDrop,
];
export const updateListOptions: readonly Flag<unknown>[] = [
  ...listed.flatMap((each): Flag<unknown>[] => [each.add, each.remove]),
  capAdd,
  capDrop,
];
