import { isDeepStrictEqual } from 'node:util';
import type { Project } from './load.js';
import type { ComposeService } from './schema.js';

/** Lists whose entries stand for something: of two for the same the later one counts. */
const keys: Readonly<Record<string, (entry: never) => unknown>> = {
  ports: (port: { PublishedPort?: number; TargetPort?: number; Protocol?: string }) =>
    port.PublishedPort ? `${port.PublishedPort}/${port.Protocol}` : `:${port.TargetPort}/${port.Protocol}`,
  secrets: (file: { source: string }) => file.source,
  configs: (file: { source: string }) => file.source,
  volumes: (mount: { target?: string }) => mount.target,
};
/** What a later file says anew rather than besides. */
const replaced: ReadonlySet<string> = new Set(['command', 'entrypoint', 'test']);

/** The project of a file and of one that goes over it: services part by part, everything else whole. */
export function mergeProjects(base: Project, over: Project): Project {
  const services = new Map(base.services);
  for (const [name, service] of over.services) {
    const before = services.get(name);
    services.set(name, before === undefined ? service : (mergeValues(before, service, '') as ComposeService));
  }
  return {
    services,
    networks: new Map([...base.networks, ...over.networks]),
    volumes: new Map([...base.volumes, ...over.volumes]),
    secrets: new Map([...base.secrets, ...over.secrets]),
    configs: new Map([...base.configs, ...over.configs]),
    directory: base.directory,
  };
}

function mergeValues(base: unknown, over: unknown, key: string): unknown {
  if (base === undefined || replaced.has(key)) return over;
  if (base instanceof Map && over instanceof Map) {
    if (key === 'ulimits') return new Map([...base, ...over]);
    return new Map([...base, ...[...over].map(([name, one]) => [name, mergeValues(base.get(name), one, '')] as const)]);
  }
  if (Array.isArray(base) && Array.isArray(over)) return mergeLists(base, over, key);
  if (!isObject(base) || !isObject(over)) return over;
  // Options belong to their log driver.
  if (key === 'logging' && base.driver !== undefined && over.driver !== undefined && base.driver !== over.driver) {
    return over;
  }
  const merged: Record<string, unknown> = { ...base };
  for (const [name, part] of Object.entries(over)) merged[name] = mergeValues(base[name], part, name);
  return merged;
}

function mergeLists(base: readonly unknown[], over: readonly unknown[], key: string): unknown[] {
  const keyOf = keys[key] as ((entry: unknown) => unknown) | undefined;
  if (keyOf === undefined)
    return [...base, ...over.filter((one) => !base.some((each) => isDeepStrictEqual(each, one)))];
  const merged = new Map(base.map((one) => [keyOf(one), one]));
  for (const one of over) merged.set(keyOf(one), one);
  return [...merged.values()];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);
}
