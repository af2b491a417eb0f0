import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { CliError } from '../base/errors.js';
import type { Mount } from '../base/wire.js';
import type { Project } from './compose/load.js';
import type { ComposeService } from './compose/schema.js';
import type { ComposeMount } from './compose/short-forms.js';
import { isExternal, nameOf, stackLabels } from './names.js';

/** The mounts of a service. Throws for a volume that the stack does not declare, and options that are another type's. */
export function mountsOf(stack: string, project: Project, name: string, service: ComposeService): Mount[] {
  return (service.volumes ?? []).map((mount) => {
    try {
      return mountOf(stack, project, mount);
    } catch (thrown) {
      throw new CliError(`service ${name}: ${(thrown as Error).message}`);
    }
  });
}

function mountOf(stack: string, project: Project, given: ComposeMount): Mount {
  const { type = 'volume' } = given;
  for (const options of ['bind', 'volume', 'tmpfs'] as const) {
    if (given[options] !== undefined && options !== type) {
      throw new CliError(`${options} options are incompatible with type ${type}`);
    }
  }
  if (!['bind', 'volume', 'tmpfs', 'npipe'].includes(type)) {
    throw new CliError(`volume type must be volume, bind, tmpfs or npipe, not ${type}`);
  }
  const mount: Mount = { Type: type, Target: given.target ?? '' };
  if (given.read_only) mount.ReadOnly = true;
  if (given.consistency) mount.Consistency = given.consistency;
  if (type === 'tmpfs') {
    if (given.source) throw new CliError('invalid tmpfs source, source must be empty');
    const { size, mode } = given.tmpfs ?? {};
    if (size !== undefined || mode !== undefined) {
      mount.TmpfsOptions = {
        ...(size === undefined ? {} : { SizeBytes: size }),
        ...(mode === undefined ? {} : { Mode: mode }),
      };
    }
  } else if (type === 'volume') {
    setVolume(mount, stack, project, given);
  } else {
    if (!given.source) throw new CliError(`invalid ${type} source, source cannot be empty`);
    mount.Source = type === 'bind' ? absolute(given.source, project.directory) : given.source;
    if (given.bind?.propagation) mount.BindOptions = { Propagation: given.bind.propagation };
  }
  return mount;
}

function setVolume(mount: Mount, stack: string, project: Project, given: ComposeMount): void {
  const { nocopy = false, subpath } = given.volume ?? {};
  const options: NonNullable<Mount['VolumeOptions']> = {
    ...(nocopy ? { NoCopy: true } : {}),
    ...(subpath ? { Subpath: subpath } : {}),
  };
  if (given.source) {
    const declared = project.volumes.get(given.source);
    if (declared === undefined) throw new CliError(`undefined volume ${JSON.stringify(given.source)}`);
    mount.Source = nameOf(stack, given.source, declared);
    if (!isExternal(declared)) {
      options.Labels = stackLabels(stack, declared.labels);
      if (declared.driver || declared.driver_opts) {
        options.DriverConfig = {
          Name: declared.driver ?? '',
          ...(declared.driver_opts ? { Options: Object.fromEntries(declared.driver_opts) } : {}),
        };
      }
    }
  }
  if (Object.keys(options).length > 0) mount.VolumeOptions = options;
}

/** Paths are the compose file's, and the nodes'; `~` is our own home. */
function absolute(path: string, directory: string): string {
  if (path === '~' || path.startsWith('~/')) return resolve(homedir(), path.slice(2));
  return resolve(directory, path);
}
