import { ShoalError } from '../errors.js';
import type { ConfigSpec, Driver, SecretSpec } from '../types.js';
import { checkOneOf, refuseAs } from './check.js';
import { checkObjectLabels, checkObjectName } from './names.js';

/** Docker's limits: 500 KB a secret, 1000 KB a config. */
const secretLimit_bytes = 500 * 1024;
const configLimit_bytes = 1000 * 1024;

/** A secret as it is created. Throws `invalid-argument` in Docker's words, or `not-supported`. */
export function validateSecretSpec(spec: SecretSpec, where = 'Spec'): void {
  checkObjectName(`${where}.Name`, spec.Name);
  checkObjectLabels(where, spec.Labels);
  checkTemplating(`${where}.Templating`, spec.Templating);
  if (spec.Driver) {
    throw new ShoalError('not-supported', `${where}.Driver: secret drivers are not supported; give Data instead`);
  }
  checkData(`${where}.Data`, 'secret', spec.Data, secretLimit_bytes);
}

/** A config as it is created. */
export function validateConfigSpec(spec: ConfigSpec, where = 'Spec'): void {
  checkObjectName(`${where}.Name`, spec.Name);
  checkObjectLabels(where, spec.Labels);
  checkTemplating(`${where}.Templating`, spec.Templating);
  checkData(`${where}.Data`, 'config', spec.Data, configLimit_bytes);
}

function checkTemplating(where: string, driver: Driver | null): void {
  if (driver) checkOneOf(`${where}.Name`, driver.Name, ['', 'golang']);
}

function checkData(where: string, kind: string, data: Uint8Array | string, limit_bytes: number): void {
  if (data.length === 0 || data.length >= limit_bytes) {
    refuseAs(`${kind} data must be larger than 0 and less than ${limit_bytes} bytes`, where);
  }
}
