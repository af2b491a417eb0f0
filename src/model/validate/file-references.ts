import type { ConfigReference, FileTarget, SecretReference } from '../types.js';
import { checkPlain, checkRange, refuse, refuseAs, shown } from './check.js';

/** Secrets that a container gets as files. Whether they exist is checked against the store, not here. */
export function checkSecretReferences(where: string, references: readonly SecretReference[]): void {
  const byTarget = new Map<string, string>();
  for (const [at, { SecretID, SecretName, File: file }] of references.entries()) {
    const path = `${where}[${at}]`;
    if (SecretID === '' || SecretName === '') {
      refuseAs('malformed secret reference, SecretID and SecretName must be given', path);
    }
    if (!file) refuseAs('malformed secret reference, no target provided', path);
    checkTarget(`${path}.File`, file);
    checkDistinct(path, 'secret', SecretName, file.Name, byTarget);
  }
}

/** Configs that a container gets as files, or that its runtime reads. */
export function checkConfigReferences(where: string, references: readonly ConfigReference[]): void {
  const byTarget = new Map<string, string>();
  for (const [at, { ConfigID, ConfigName, File: file, Runtime: runtime }] of references.entries()) {
    const path = `${where}[${at}]`;
    if (ConfigID === '' || ConfigName === '') {
      refuseAs('malformed config reference, ConfigID and ConfigName must be given', path);
    }
    if (file && runtime) refuse(path, 'invalid Config: cannot specify both File and Runtime');
    if (!file && !runtime) refuseAs('malformed config reference, no target provided', path);
    if (!file) continue;
    checkTarget(`${path}.File`, file);
    checkDistinct(path, 'config', ConfigName, file.Name, byTarget);
  }
}

function checkTarget(where: string, file: FileTarget): void {
  if (file.Name === '') refuse(`${where}.Name`, 'must not be empty');
  checkPlain(`${where}.Name`, file.Name);
  if (file.Name.split('/').some((part) => part === '..' || part === '.') || file.Name.endsWith('/')) {
    refuse(`${where}.Name`, `${shown(file.Name)} must be the plain name or path of a file`);
  }
  for (const field of ['UID', 'GID'] as const) {
    if (!/^\d{0,10}$/.test(file[field])) refuse(`${where}.${field}`, `${shown(file[field])} must be a number`);
  }
  checkRange(`${where}.Mode`, file.Mode, 0, 0o7777);
}

function checkDistinct(where: string, kind: string, name: string, target: string, byTarget: Map<string, string>): void {
  const other = byTarget.get(target);
  if (other !== undefined) {
    refuseAs(`${kind} references '${other}' and '${name}' have a conflicting target: '${target}'`, where);
  }
  byTarget.set(target, name);
}
