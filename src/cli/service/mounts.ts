import { resolve } from 'node:path';
import { parseBoolean } from '../base/flag.js';
import { parseBytes } from '../base/units.js';
import type { Mount } from '../base/wire.js';
import { splitPairs } from './words.js';

const types = ['bind', 'volume', 'tmpfs', 'npipe', 'cluster'];
const switches = ['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive'];

type Group = 'volume' | 'bind' | 'tmpfs';

/** One `--mount`: `type=volume,source=data,target=/data,readonly`. Throws with the field that is wrong. */
export function parseMount(text: string): Mount {
  const mount: Mount = { Type: 'volume' };
  const used = new Set<Group>();
  for (const { key, value, field } of splitPairs(text)) {
    if (value === undefined && !switches.includes(key))
      throw new Error(`invalid field '${field}' must be a key=value pair`);
    const group = /^(volume|bind|tmpfs)-/.exec(key)?.[1] as Group | undefined;
    if (group !== undefined) used.add(group);
    if (!setField(mount, key, value ?? 'true', field)) throw new Error(`unexpected key '${key}' in '${field}'`);
  }
  if (!types.includes(mount.Type ?? '')) throw new Error(`invalid mount type '${mount.Type}': use ${types.join(', ')}`);
  if (!mount.Target) throw new Error('target is required');
  for (const group of used) {
    if (group !== mount.Type) throw new Error(`cannot mix '${group}-*' options with mount type '${mount.Type}'`);
  }
  if (mount.Type === 'bind' && !mount.Source)
    throw new Error('source is required for mounts of type bind: a path on the node');
  if (mount.BindOptions?.ReadOnlyForceRecursive) checkForcedReadOnly(mount);
  return mount;
}

/** Whether there is such a field; sets it. */
function setField(mount: Mount, key: string, value: string, field: string): boolean {
  const flagged = () => {
    try {
      return parseBoolean(value);
    } catch {
      throw new Error(`invalid value for ${key}: ${value}`);
    }
  };
  const volume = () => {
    mount.VolumeOptions ??= {};
    return mount.VolumeOptions;
  };
  switch (key) {
    case 'type':
      mount.Type = value.toLowerCase();
      return true;
    case 'source':
    case 'src':
      mount.Source = value === '.' || value.startsWith('./') || value.startsWith('../') ? resolve(value) : value;
      return true;
    case 'target':
    case 'dst':
    case 'destination':
      mount.Target = value;
      return true;
    case 'readonly':
    case 'ro':
      mount.ReadOnly = flagged();
      return true;
    case 'consistency':
      mount.Consistency = value.toLowerCase();
      return true;
    case 'volume-nocopy':
      volume().NoCopy = flagged();
      return true;
    case 'volume-label':
      volume().Labels = { ...volume().Labels, ...keyed(value) };
      return true;
    case 'volume-driver':
      volume().DriverConfig = { ...volume().DriverConfig, Name: value };
      return true;
    case 'volume-opt':
      volume().DriverConfig = {
        ...volume().DriverConfig,
        Options: { ...volume().DriverConfig?.Options, ...keyed(value) },
      };
      return true;
    case 'volume-subpath':
      volume().Subpath = value;
      return true;
    case 'tmpfs-size':
      mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: parseBytes(value) };
      return true;
    case 'tmpfs-mode':
      if (!/^[0-7]{1,5}$/.test(value)) throw new Error(`invalid value for ${key}: ${value}: use octal digits`);
      mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(value, 8) };
      return true;
  }
  return setBindField(mount, key, value, flagged, field);
}

function setBindField(mount: Mount, key: string, value: string, flagged: () => boolean, field: string): boolean {
  switch (key) {
    case 'bind-propagation':
      mount.BindOptions = { ...mount.BindOptions, Propagation: value.toLowerCase() };
      return true;
    case 'bind-nonrecursive':
      mount.BindOptions = { ...mount.BindOptions, NonRecursive: flagged() };
      return true;
    case 'bind-recursive': {
      const options = recursions[value];
      if (options === undefined) {
        throw new Error(
          `invalid value for ${key}: ${value} in '${field}' (must be "enabled", "disabled", "writable", or "readonly")`,
        );
      }
      mount.BindOptions = { ...mount.BindOptions, ...options };
      return true;
    }
  }
  return false;
}

const recursions: Readonly<Record<string, Mount['BindOptions']>> = {
  enabled: {},
  disabled: { NonRecursive: true },
  writable: { ReadOnlyNonRecursive: true },
  readonly: { ReadOnlyForceRecursive: true },
};

function checkForcedReadOnly(mount: Mount): void {
  if (!mount.ReadOnly)
    throw new Error(`option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction`);
  if (mount.BindOptions?.Propagation !== 'rprivate') {
    throw new Error(
      `option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction`,
    );
  }
}

function keyed(value: string): Record<string, string> {
  const equals = value.indexOf('=');
  return equals < 0 ? { [value]: '' } : { [value.slice(0, equals)]: value.slice(equals + 1) };
}

/** The mounts once those at some targets are removed and others added; what is added replaces what is at its target. */
export function mergeMounts(mounts: readonly Mount[], removed: readonly string[], added: readonly Mount[]): Mount[] {
  const byTarget = new Map<string, Mount>();
  for (const mount of added) {
    if (byTarget.has(mount.Target ?? '')) throw new Error(`duplicate mount target: ${mount.Target}`);
    byTarget.set(mount.Target ?? '', mount);
  }
  const kept = mounts.filter((mount) => !byTarget.has(mount.Target ?? '') && !removed.includes(mount.Target ?? ''));
  const sorted = (mount: Mount) => `${mount.Source ?? ''}\u0000${mount.Target ?? ''}`;
  return [...kept, ...[...byTarget.values()].filter((mount) => !removed.includes(mount.Target ?? ''))].sort((a, b) =>
    sorted(a) < sorted(b) ? -1 : 1,
  );
}
