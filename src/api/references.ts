import { ShoalError } from '../model/errors.js';
import type { Network, OperationInit, ServiceSpec } from '../model/types.js';
import type { View } from '../store/view.js';
import { getJSON } from './engine.js';
import type { Api } from './exchange.js';

/** Networks that every engine has; a service may use them as they are. */
const predefined: ReadonlySet<string> = new Set(['host', 'bridge', 'none']);

/** Other names no engine gives a network, and in a path they may mean something else. */
const isPlainName = /^\w[\w.-]*$/;

/**
 * Throws `forbidden` in Docker's words for a network that a spec names and only this node's engine has: what no other node knows cannot
 * carry a service.
 */
export async function refuseLocalNetworks(api: Api, view: View, spec: ServiceSpec): Promise<void> {
  for (const { Target } of attachmentsOf(spec)) {
    if (predefined.has(Target) || networkOf(view, Target) !== undefined || !isPlainName.test(Target)) continue;
    const answer = await getJSON(api.engines.own.kept, `/networks/${encodeURIComponent(Target)}`).catch(
      () => undefined,
    );
    if (answer?.response.statusCode !== 200) continue;
    throw new ShoalError(
      'forbidden',
      `The network ${Target} cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.`,
    );
  }
}

function attachmentsOf(spec: ServiceSpec) {
  return [...(spec.TaskTemplate?.Networks ?? []), ...spec.Networks];
}

function networkOf(view: View, reference: string): Network | undefined {
  return view.get('Network', reference) ?? view.byName('Network', reference);
}

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
  for (const attachment of attachmentsOf(spec)) {
    const network = networkOf(view, attachment.Target);
    if (network !== undefined) attachment.Target = network.ID;
    else if (!predefined.has(attachment.Target)) {
      throw new ShoalError('not-found', `network ${attachment.Target} not found`);
    }
  }
  return checks;
}
