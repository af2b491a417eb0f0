import {
  type Block,
  contains,
  familyOf,
  formatBlock,
  lastOf,
  overlap,
  parseCIDR,
  parseIP,
  prefixOf,
  sizeOf,
} from '../ip.js';
import { tunnelBlocks } from '../network-block.js';
import type { IPAMConfig, NetworkSpec } from '../types.js';
import { bare, checkPlain, refuse, refuseAs, shown } from './check.js';

/** By family, the shortest and the longest prefix of a subnet. */
const prefixes = { 4: [8, 29], 6: [16, 125] } as const;
/** Each is a bridge on every node of the network. */
const subnets_max = 16;
// What hosts of an organisation, or of the world, have; all else of IPv6 is of one link, of groups, or means something else (RFC 4291, 2.4).
const usableIPv6 = ['2000::/3', 'fc00::/7'].map((text) => parseCIDR(text)!.block);

/** The subnets that are asked for of a network, with what lies in each. Throws `invalid-argument` naming the field. */
export function checkSubnets(where: string, { IPAMOptions, IPv6Enabled }: NetworkSpec): void {
  const subnets: Block[] = [];
  for (const [at, config] of (IPAMOptions?.Configs ?? []).entries()) {
    const field = `${where}[${at}]`;
    const subnet = checkConfig(field, config);
    if (subnet === undefined) continue;
    const family = familyOf(subnet.first);
    if (family === 6 && !IPv6Enabled) {
      refuse(`${field}.Subnet`, `${formatBlock(subnet)} is of IPv6, which the network is to have only with EnableIPv6`);
    }
    const other = subnets.find((one) => overlap(one, subnet));
    if (other !== undefined) {
      refuse(`${field}.Subnet`, `${formatBlock(subnet)} overlaps ${formatBlock(other)}, another subnet of the network`);
    }
    subnets.push(subnet);
    if (subnets.filter(({ first }) => familyOf(first) === family).length > subnets_max) {
      refuse(where, `a network has at most ${subnets_max} subnets of IPv${family}`);
    }
  }
}

/** Undefined of a subnet that is left to the cluster. */
function checkConfig(where: string, config: IPAMConfig): Block | undefined {
  for (const field of ['Subnet', 'Range', 'Gateway'] as const) checkPlain(`${where}.${field}`, config[field]);
  const { Subnet, Range, Gateway, AuxiliaryAddresses } = config;
  if (Subnet === '') {
    if (Range !== '' || Gateway !== '' || Object.keys(AuxiliaryAddresses).length > 0) {
      refuse(`${where}.Subnet`, 'must be given where a range, a gateway or auxiliary addresses are');
    }
    return undefined;
  }
  const subnet = parseCIDR(Subnet);
  if (subnet === undefined) {
    refuseAs(`Invalid subnet ${bare(Subnet)} : invalid CIDR address: ${bare(Subnet)}`, `${where}.Subnet`);
  }
  const { block } = subnet;
  if (subnet.address !== block.first) {
    refuseAs(`invalid subnet ${Subnet}: it should be ${formatBlock(block)}`, `${where}.Subnet`);
  }
  checkPlace(`${where}.Subnet`, block);
  if (Range !== '') {
    const range = parseCIDR(Range)?.block;
    if (range === undefined || range.bits < block.bits || !contains(block, range.first)) {
      refuseAs(`invalid ip-range ${shown(Range)}: it must be a CIDR within ${Subnet}`, `${where}.IPRange`);
    }
  }
  for (const [name, address] of [['Gateway', Gateway], ...Object.entries(AuxiliaryAddresses)] as const) {
    if (name === 'Gateway' && address === '') continue;
    const number = parseIP(address);
    if (number === undefined || !contains(block, number) || number === block.first || number === lastOf(block)) {
      const field = name === 'Gateway' ? 'Gateway' : `AuxiliaryAddresses[${shown(name)}]`;
      refuseAs(
        `no matching subnet for ${name === 'Gateway' ? 'gateway' : 'aux-address'} ${shown(address)}`,
        `${where}.${field}`,
      );
    }
  }
  const kept = new Set(Object.values(AuxiliaryAddresses).map(parseIP));
  if (Gateway === '' ? BigInt(kept.size) >= sizeOf(block.bits) - 2n : kept.has(parseIP(Gateway))) {
    refuse(`${where}.AuxiliaryAddresses`, `must leave ${Gateway === '' ? 'an address for the gateway' : Gateway}`);
  }
  return block;
}

function checkPlace(where: string, block: Block): void {
  const family = familyOf(block.first);
  const [shortest, longest] = prefixes[family];
  const prefix = prefixOf(block);
  if (prefix < shortest || prefix > longest) refuse(where, `/${prefix} is not from /${shortest} to /${longest}`);
  if (family === 6 && !usableIPv6.some((usable) => contains(usable, block.first))) {
    refuse(where, `${formatBlock(block)} is not in ${usableIPv6.map(formatBlock).join(' or ')}`);
  }
  if (overlap(tunnelBlocks[family], block)) {
    refuse(
      where,
      `${formatBlock(block)} overlaps ${formatBlock(tunnelBlocks[family])}, the addresses of the nodes' tunnels`,
    );
  }
}
