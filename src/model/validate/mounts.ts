import { posix } from 'node:path';
import { ShoalError } from '../errors.js';
import type { Mount } from '../types.js';
import {
  checkLabels,
  checkNotNegative,
  checkOneOf,
  checkPlain,
  hasTemplate,
  refuse,
  refuseAs,
  shown,
} from './check.js';

const volumeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const optionsOf: Readonly<Record<string, 'BindOptions' | 'VolumeOptions' | 'TmpfsOptions'>> = {
  bind: 'BindOptions',
  volume: 'VolumeOptions',
  tmpfs: 'TmpfsOptions',
};

export function checkMounts(where: string, mounts: readonly Mount[]): void {
  const targets = new Set<string>();
  for (const [at, mount] of mounts.entries()) {
    checkMount(`${where}[${at}]`, mount);
    const target = posix.resolve('/', mount.Target);
    if (targets.has(target)) {
      refuseAs(`ContainerSpec: duplicate mount point: ${mount.Target}`, `${where}[${at}].Target`);
    }
    targets.add(target);
  }
}

function checkMount(where: string, mount: Mount): void {
  const { Type: type, Source: source, Target: target } = mount;
  if (type === 'cluster')
    throw new ShoalError('not-supported', `${where}.Type: cluster volumes are not supported; use volume or bind`);
  checkOneOf(`${where}.Type`, type, ['', 'bind', 'volume', 'tmpfs']);
  checkPlain(`${where}.Source`, source);
  checkPlain(`${where}.Target`, target);
  if (!target.startsWith('/') && !hasTemplate(target)) {
    refuseAs(`invalid mount target, must be an absolute path: ${shown(target)}`, `${where}.Target`);
  }
  if (posix.normalize(target) === '/') refuse(`${where}.Target`, 'must not be the root of the container');
  if (type === 'tmpfs' && source !== '') refuseAs('invalid tmpfs source, source must be empty', `${where}.Source`);
  if (type === 'volume' && source !== '' && !hasTemplate(source) && !volumeName.test(source)) {
    refuse(`${where}.Source`, `${shown(source)} is not a volume name; only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  if ((type === 'bind' || type === '') && !source.startsWith('/') && !hasTemplate(source)) {
    refuseAs(`invalid bind mount source, must be an absolute path: ${shown(source)}`, `${where}.Source`);
  }
  checkOneOf(`${where}.Consistency`, mount.Consistency, ['', 'default', 'consistent', 'cached', 'delegated']);
  for (const options of Object.values(optionsOf)) {
    if (mount[options] && options !== optionsOf[type || 'bind']) {
      refuse(`${where}.${options}`, `must not be given on a mount of type ${type || 'bind'}`);
    }
  }
  if (mount.BindOptions) {
    const propagations = ['', 'private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
    checkOneOf(`${where}.BindOptions.Propagation`, mount.BindOptions.Propagation, propagations);
  }
  if (mount.VolumeOptions) {
    checkLabels(`${where}.VolumeOptions.Labels`, mount.VolumeOptions.Labels);
    checkLabels(`${where}.VolumeOptions.DriverConfig.Options`, mount.VolumeOptions.DriverConfig?.Options ?? {});
    const subpath = mount.VolumeOptions.Subpath;
    checkPlain(`${where}.VolumeOptions.Subpath`, subpath);
    if (subpath.startsWith('/') || subpath.split('/').includes('..')) {
      refuse(`${where}.VolumeOptions.Subpath`, 'must be a relative path within the volume');
    }
  }
  if (mount.TmpfsOptions) checkNotNegative(`${where}.TmpfsOptions.SizeBytes`, mount.TmpfsOptions.SizeBytes);
}
