import { isIP } from 'node:net';
import type { ContainerSpec, HealthConfig, Privileges, Ulimit } from '../types.js';
import {
  checkLabels,
  checkNotNegative,
  checkOneOf,
  checkPlain,
  checkRange,
  hasTemplate,
  refuse,
  refuseAs,
  shown,
} from './check.js';
import { checkConfigReferences, checkSecretReferences } from './file-references.js';
import { checkImage } from './image.js';
import { checkMounts } from './mounts.js';

/** Kernel limit of a host name (HOST_NAME_MAX). */
const hostnameLength = 64;
const signal = /^(?:(?:SIG)?[A-Z]{2,6}[0-9]?|(?:SIG)?RT(?:MIN(?:\+[0-9]{1,2})?|MAX(?:-[0-9]{1,2})?)|[1-9][0-9]?)$/i;
const ulimits: readonly string[] = [
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
];

/** The container of a task. Throws `invalid-argument` that names the field. */
export function checkContainer(where: string, spec: ContainerSpec): void {
  checkImage(`${where}.Image`, spec.Image);
  checkLabels(`${where}.Labels`, spec.Labels);
  for (const [at, env] of spec.Env.entries()) {
    if (env === '' || env.startsWith('=')) refuse(`${where}.Env[${at}]`, `${shown(env)} must be NAME=value or NAME`);
  }
  checkPlain(`${where}.Hostname`, spec.Hostname);
  if (spec.Hostname.length > hostnameLength && !hasTemplate(spec.Hostname)) {
    refuse(`${where}.Hostname`, `must be ${hostnameLength} characters or fewer`);
  }
  checkPlain(`${where}.Dir`, spec.Dir);
  if (spec.Dir !== '' && !spec.Dir.startsWith('/')) refuse(`${where}.Dir`, 'must be an absolute path');
  checkPlain(`${where}.User`, spec.User);
  for (const [at, group] of spec.Groups.entries()) {
    checkPlain(`${where}.Groups[${at}]`, group);
    if (group === '') refuse(`${where}.Groups[${at}]`, 'must not be empty');
  }
  if (spec.StopSignal !== '' && !signal.test(spec.StopSignal)) {
    refuse(`${where}.StopSignal`, `${shown(spec.StopSignal)} is not a signal name or number`);
  }
  if (spec.StopGracePeriod !== undefined) checkNotNegative(`${where}.StopGracePeriod`, spec.StopGracePeriod);
  checkMounts(`${where}.Mounts`, spec.Mounts);
  if (spec.Healthcheck) checkHealth(`${where}.Healthcheck`, spec.Healthcheck);
  if (spec.Privileges) checkPrivileges(`${where}.Privileges`, spec.Privileges);
  for (const [at, entry] of spec.Hosts.entries()) checkHost(`${where}.Hosts[${at}]`, entry);
  for (const [at, server] of (spec.DNSConfig?.Nameservers ?? []).entries()) {
    if (isIP(server) === 0)
      refuse(`${where}.DNSConfig.Nameservers[${at}]`, `${shown(server)} must be an IPv4 or IPv6 address`);
  }
  for (const list of ['Search', 'Options'] as const) {
    for (const [at, word] of (spec.DNSConfig?.[list] ?? []).entries()) {
      if (word === '' || /\s/.test(word))
        refuse(`${where}.DNSConfig.${list}[${at}]`, `${shown(word)} must be one word`);
      checkPlain(`${where}.DNSConfig.${list}[${at}]`, word);
    }
  }
  checkSecretReferences(`${where}.Secrets`, spec.Secrets);
  checkConfigReferences(`${where}.Configs`, spec.Configs);
  checkOneOf(`${where}.Isolation`, spec.Isolation, ['', 'default', 'process', 'hyperv']);
  for (const [key, value] of Object.entries(spec.Sysctls)) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.\-/]*$/.test(key))
      refuse(`${where}.Sysctls`, `${shown(key)} is not a kernel setting`);
    checkPlain(`${where}.Sysctls[${shown(key)}]`, value);
  }
  for (const list of ['CapabilityAdd', 'CapabilityDrop'] as const) {
    for (const [at, name] of spec[list].entries()) {
      if (!/^[A-Za-z][A-Za-z0-9_]{1,63}$/.test(name)) {
        refuse(`${where}.${list}[${at}]`, `${shown(name)} is not a capability, such as CAP_NET_ADMIN or ALL`);
      }
    }
  }
  for (const [at, limit] of spec.Ulimits.entries()) checkUlimit(`${where}.Ulimits[${at}]`, limit);
  checkRange(`${where}.OomScoreAdj`, spec.OomScoreAdj, -1000, 1000);
}

function checkHealth(where: string, health: HealthConfig): void {
  const [type] = health.Test;
  if (type !== undefined) checkOneOf(`${where}.Test[0]`, type, ['', 'NONE', 'CMD', 'CMD-SHELL']);
  for (const field of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    if (health[field] !== 0 && health[field] < 1_000_000) {
      refuseAs(`ContainerSpec: ${field} in HealthConfig cannot be less than 1ms`, `${where}.${field}`);
    }
  }
  if (health.Retries < 0) refuseAs('ContainerSpec: Retries in HealthConfig cannot be negative', `${where}.Retries`);
}

function checkPrivileges(where: string, privileges: Privileges): void {
  const { CredentialSpec: credential, Seccomp: seccomp, AppArmor: appArmor } = privileges;
  if (credential) {
    const given = [credential.Config, credential.File, credential.Registry].filter((one) => one !== '');
    if (given.length !== 1) {
      refuse(`${where}.CredentialSpec`, 'invalid CredentialSpec: must have exactly one of Config, File and Registry');
    }
  }
  if (seccomp) checkOneOf(`${where}.Seccomp.Mode`, seccomp.Mode, ['', 'default', 'unconfined', 'custom']);
  if (seccomp && seccomp.Mode !== 'custom' && seccomp.Profile.length > 0) {
    refuse(`${where}.Seccomp.Profile`, 'is allowed with Mode custom only');
  }
  if (appArmor) checkOneOf(`${where}.AppArmor.Mode`, appArmor.Mode, ['', 'default', 'disabled']);
}

/** A line of the container's hosts file: an address and its names. */
function checkHost(where: string, entry: string): void {
  const [address = '', ...names] = entry.trim().split(/\s+/);
  if ((isIP(address) === 0 && address !== 'host-gateway') || names.length === 0) {
    refuse(where, `${shown(entry)} must be an IP address and one or more host names, as in "10.0.0.1 db"`);
  }
  checkPlain(where, entry);
}

function checkUlimit(where: string, limit: Ulimit): void {
  checkOneOf(`${where}.Name`, limit.Name, ulimits);
  for (const field of ['Soft', 'Hard'] as const) {
    if (limit[field] < -1) refuse(`${where}.${field}`, `${limit[field]} must be -1 (no limit) or more`);
  }
  if (limit.Hard !== -1 && (limit.Soft === -1 || limit.Soft > limit.Hard)) {
    refuse(
      `${where}.Soft`,
      `ulimit soft limit must be less than or equal to hard limit: ${limit.Soft} > ${limit.Hard}`,
    );
  }
}
