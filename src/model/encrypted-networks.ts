import type { Network, NetworkSpec, Node } from './types.js';

/** Docker's option of `network create`: what goes between nodes is encrypted. */
export const encryptedOption = 'encrypted';

/** Its values, as Go reads a boolean; alone (`--opt encrypted`) it is ''. */
export const encryptedValues: ReadonlyMap<string, boolean> = new Map([
  ...['', '1', 't', 'T', 'true', 'TRUE', 'True'].map((text): [string, boolean] => [text, true]),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text): [string, boolean] => [text, false]),
]);

/** Whether what the network's containers send each other is encrypted on its way between nodes. */
export function isEncrypted({ Spec }: Pick<Network, 'Spec'>): boolean {
  return asksForEncryption(Spec);
}

/** Likewise of a network that is to be. */
export function asksForEncryption(spec: NetworkSpec | null): boolean {
  const options = spec?.DriverConfiguration?.Options ?? {};
  return Object.hasOwn(options, encryptedOption) && (encryptedValues.get(options[encryptedOption]!) ?? true);
}

/** Whether the node's kernel can carry a network that is encrypted. */
export function canEncrypt({ Description }: Pick<Node, 'Description'>): boolean {
  return (Description?.Encryption?.Epoch ?? 0) !== 0;
}

/** Why no node of these can; undefined when one can. Names what is missing, once for all nodes that miss the same. */
export function encryptionObstacle(nodes: Iterable<Node>): string | undefined {
  const byObstacle = new Map<string, string[]>();
  for (const node of nodes) {
    if (canEncrypt(node)) return undefined;
    const said = node.Description?.Encryption?.Obstacle || 'it has not said whether its kernel can';
    const obstacle = said.slice(0, obstacleLength_max); // nodes are not believed to be brief
    const hosts = byObstacle.get(obstacle) ?? [];
    hosts.push(node.Description?.Hostname || node.ID);
    byObstacle.set(obstacle, hosts);
  }
  return [...byObstacle].map(([obstacle, hosts]) => `${someOf(hosts)}: ${obstacle}`).join('; ');
}

const shown_max = 3;
const obstacleLength_max = 300;

function someOf(hosts: readonly string[]): string {
  const shown = hosts.slice(0, shown_max).join(', ');
  return hosts.length <= shown_max ? shown : `${shown} and ${hosts.length - shown_max} more`;
}
