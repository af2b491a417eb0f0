import { formatBlock, formatIP } from '../../model/ip.js';
import { hasIPv6, type NetworkBlock, type Segment, segmentsOf } from '../../model/network-block.js';
import type { Network } from '../../model/types.js';
import { bridgeOf } from '../../network/kernel/names.js';
import type { NetworkConfig } from './engine-networks.js';
import { networkLabel, segmentLabel } from './labels.js';

/** The first engine that drops what is routed straight to a container's address, unless its network says otherwise. */
const firstProtective_major = 28;

/**
 * The engine's part of a network of the cluster: for each segment an ordinary bridge with the same subnets and gateways on every node. The range
 * that the engine may choose from is the gateway alone, so it gives out no address by itself. What leaves it is hidden behind the
 * node by our rules, which know what stays within the cluster. None of a network without a subnet.
 */
export function bridgeConfigs(network: Network, engineVersion: string, mtu: number): NetworkConfig[] {
  return segmentsOf(network).map((segment, at) => bridgeConfig(network, segment, at, engineVersion, mtu));
}

function bridgeConfig(
  network: Network,
  { ipv4, ipv6 }: Segment,
  at: number,
  engineVersion: string,
  mtu: number,
): NetworkConfig {
  const options = network.Spec?.DriverConfiguration?.Options ?? {};
  const name = network.Spec?.Name ?? network.ID;
  const isProtective = Number.parseInt(engineVersion, 10) >= firstProtective_major;
  return {
    Name: at === 0 ? name : `${name}.${at}`,
    Driver: 'bridge',
    CheckDuplicate: true,
    EnableIPv6: hasIPv6(network),
    IPAM: { Config: [ipv4, ...(ipv6 === undefined ? [] : [ipv6])].map(poolOf) },
    Options: {
      'com.docker.network.bridge.name': bridgeOf(network.Number, at),
      'com.docker.network.bridge.enable_ip_masquerade': 'false',
      'com.docker.network.driver.mtu': options['com.docker.network.driver.mtu'] ?? String(mtu),
      ...(isProtective && { 'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected' }),
      ...(isProtective && ipv6 && { 'com.docker.network.bridge.gateway_mode_ipv6': 'nat-unprotected' }),
    },
    Labels: { ...network.Spec?.Labels, [networkLabel]: network.ID, [segmentLabel]: String(at) },
  };
}

function poolOf({ subnet, gateway }: NetworkBlock): NetworkConfig['IPAM']['Config'][number] {
  const Gateway = formatIP(gateway);
  return { Subnet: formatBlock(subnet), Gateway, IPRange: `${Gateway}/${Gateway.includes(':') ? 128 : 32}` };
}
