import { formatAddress, formatBlock } from '../../model/ipv4.js';
import { networkBlock } from '../../model/network-block.js';
import type { Network } from '../../model/types.js';
import { bridgeOf } from '../../network/kernel/names.js';
import type { NetworkConfig } from './engine-networks.js';
import { networkLabel } from './labels.js';

/** The first engine that drops what is routed straight to a container's address, unless its network says otherwise. */
const firstProtective_major = 28;

/**
 * The engine's part of a network of the cluster: an ordinary bridge with the same subnet and gateway on every node. The range that the
 * engine may choose from is the gateway alone, so it gives out no address by itself. What leaves it is hidden behind the node by
 * our rules, which know what stays within the cluster. Undefined of a network without a subnet.
 */
export function bridgeConfig(network: Network, engineVersion: string, mtu: number): NetworkConfig | undefined {
  const block = networkBlock(network);
  if (block === undefined) return undefined;
  const gateway = formatAddress(block.gateway);
  const options = network.Spec?.DriverConfiguration?.Options ?? {};
  return {
    Name: network.Spec?.Name ?? network.ID,
    Driver: 'bridge',
    CheckDuplicate: true,
    IPAM: { Config: [{ Subnet: formatBlock(block.subnet), Gateway: gateway, IPRange: `${gateway}/32` }] },
    Options: {
      'com.docker.network.bridge.name': bridgeOf(network.Number),
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
      'com.docker.network.driver.mtu': options['com.docker.network.driver.mtu'] ?? String(mtu),
      ...(Number.parseInt(engineVersion, 10) >= firstProtective_major && {
        'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected',
      }),
    },
    Labels: { ...network.Spec?.Labels, [networkLabel]: network.ID },
  };
}
