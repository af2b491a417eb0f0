import type { Mount } from '../model/types.js';
import type { MountConfig } from './container.js';

/** A task's mount as the engine takes it; options that were not set are not sent, so that the engine's defaults hold. */
export function mountConfig(mount: Mount): MountConfig {
  const { BindOptions: bind, VolumeOptions: volume, TmpfsOptions: tmpfs } = mount;
  return {
    Type: mount.Type,
    Source: mount.Source || undefined,
    Target: mount.Target,
    ReadOnly: mount.ReadOnly || undefined,
    Consistency: mount.Consistency || undefined,
    BindOptions: bind
      ? {
          Propagation: bind.Propagation || undefined,
          NonRecursive: bind.NonRecursive || undefined,
          CreateMountpoint: bind.CreateMountpoint || undefined,
          ReadOnlyNonRecursive: bind.ReadOnlyNonRecursive || undefined,
          ReadOnlyForceRecursive: bind.ReadOnlyForceRecursive || undefined,
        }
      : undefined,
    VolumeOptions: volume
      ? {
          NoCopy: volume.NoCopy || undefined,
          Labels: volume.Labels,
          DriverConfig: volume.DriverConfig
            ? { Name: volume.DriverConfig.Name, Options: volume.DriverConfig.Options }
            : undefined,
          Subpath: volume.Subpath || undefined,
        }
      : undefined,
    TmpfsOptions: tmpfs ? { SizeBytes: tmpfs.SizeBytes || undefined, Mode: tmpfs.Mode || undefined } : undefined,
  };
}
