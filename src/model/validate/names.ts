import { checkLabels, refuseAs } from './check.js';

/** Name of a service: it becomes a DNS name. Docker's rules and words (swarmkit controlapi validateAnnotations). */
export function checkServiceName(where: string, name: string): void {
  if (name === '') refuseAs('meta: name must be provided', where);
  if (!/^[A-Za-z0-9](?:[-_]*[A-Za-z0-9])*$/.test(name)) {
    refuseAs('name must be valid as a DNS name component', where);
  }
  if (name.length > 63) refuseAs('name must be 63 characters or fewer', where);
}

/** Name of a secret or a config (swarmkit controlapi validateConfigOrSecretAnnotations). */
export function checkObjectName(where: string, name: string): void {
  if (name === '') refuseAs('name must be provided', where);
  if (name.length > 64 || !/^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(name)) {
    refuseAs(
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]',
      where,
    );
  }
}

/** Labels of any object of the cluster. */
export function checkObjectLabels(where: string, labels: Readonly<Record<string, string>>): void {
  checkLabels(`${where}.Labels`, labels);
}
