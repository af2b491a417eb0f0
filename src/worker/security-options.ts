import { ShoalError } from '../model/errors.js';
import type { Privileges } from '../model/types.js';

/** A task's privileges as the engine's `SecurityOpt` strings. Throws `not-supported` on what this node cannot give. */
export function securityOptions(privileges: Privileges | null): string[] {
  if (privileges === null) return [];
  const options: string[] = [];
  const { SELinuxContext: selinux, Seccomp: seccomp, AppArmor: appArmor, CredentialSpec: credentials } = privileges;

  if (selinux?.Disable) options.push('label=disable');
  for (const part of ['User', 'Role', 'Type', 'Level'] as const) {
    if (selinux?.[part]) options.push(`label=${part.toLowerCase()}:${selinux[part]}`);
  }
  if (seccomp?.Mode === 'unconfined') options.push('seccomp=unconfined');
  if (seccomp?.Mode === 'custom') options.push(`seccomp=${Buffer.from(seccomp.Profile).toString('utf8')}`);
  if (appArmor?.Mode === 'disabled') options.push('apparmor=unconfined');
  if (privileges.NoNewPrivileges) options.push('no-new-privileges');
  if (credentials?.Config) {
    throw new ShoalError(
      'not-supported',
      'ContainerSpec.Privileges.CredentialSpec.Config is not supported: allowed are File and Registry',
    );
  }
  if (credentials?.File) options.push(`credentialspec=file://${credentials.File}`);
  if (credentials?.Registry) options.push(`credentialspec=registry://${credentials.Registry}`);
  return options;
}
