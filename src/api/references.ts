import { ShoalError } from '../model/errors.js';
import type { OperationInit, ServiceSpec } from '../model/types.js';
import type { View } from '../store/view.js';

/** Networks that every engine has; a service may use them as they are. */
const predefined: ReadonlySet<string> = new Set(['host', 'bridge', 'none']);

/**
 * Checks that the secrets, configs and networks a spec names exist, and writes network ids for their names (into `spec`).
 * The result holds the transaction to what was seen: it fails if one of them is removed meanwhile.
 */
export function resolveReferences(view: View, spec: ServiceSpec): OperationInit[] {
  const container = spec.TaskTemplate?.ContainerSpec;
  const checks: OperationInit[] = [];
  const check = (kind: 'Secret' | 'Config', references: readonly { id: string; name: string }[]) => {
    const missing = references.filter(({ id }) => view.get(kind, id) === undefined);
    if (missing.length > 0) {
      const word = `${kind.toLowerCase()}${missing.length > 1 ? 's' : ''}`;
      throw new ShoalError('invalid-argument', `${word} not found: ${missing.map(({ name }) => name).join(', ')}`);
    }
    for (const { id } of references) checks.push({ Action: 'check', Kind: kind, ID: id });
  };
  check(
    'Secret',
    (container?.Secrets ?? []).map((one) => ({ id: one.SecretID, name: one.SecretName })),
  );
  check(
    'Config',
    (container?.Configs ?? []).map((one) => ({ id: one.ConfigID, name: one.ConfigName })),
  );
  for (const attachment of [...(spec.TaskTemplate?.Networks ?? []), ...spec.Networks]) {
    const network = view.get('Network', attachment.Target) ?? view.byName('Network', attachment.Target);
    if (network !== undefined) attachment.Target = network.ID;
    else if (!predefined.has(attachment.Target)) {
      throw new ShoalError('not-found', `network ${attachment.Target} not found`);
    }
  }
  return checks;
}
