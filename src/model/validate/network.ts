import { encryptedOption, encryptedValues } from '../encrypted-networks.js';
import { ShoalError } from '../errors.js';
import { contains, formatBlock, lastOf, parseAddress, parseCIDR } from '../ipv4.js';
import type { IPAMConfig, NetworkSpec } from '../types.js';
import { bare, checkLabels, checkOneOf, checkPlain, refuse, refuseAs, shown } from './check.js';
import { checkObjectLabels } from './names.js';

const smallestSubnet_bits = 29;
const largestSubnet_bits = 8;
/** The MTU of a node's own network, less what VXLAN adds (RFC 7348: 50 bytes over IPv4). */
const mtu_min = 576;
const mtu_max = 65_485;

/** A network for the cluster as it is created. Throws `invalid-argument` naming the field, or `not-supported` with the reason. */
export function validateNetworkSpec(spec: NetworkSpec, where = ''): void {
  const at = (field: string) => (where === '' ? field : `${where}.${field}`);
  checkNetworkName(at('Name'), spec.Name);
  if (['bridge', 'host', 'none', 'default'].includes(spec.Name)) {
    throw new ShoalError('forbidden', `operation is not permitted on predefined ${spec.Name} network`);
  }
  if (spec.Name.startsWith('container:')) refuse(at('Name'), `${shown(spec.Name)} is not a name for a network`);
  checkObjectLabels(where === '' ? 'Spec' : where, spec.Labels);
  checkOneOf(at('Driver'), spec.DriverConfiguration?.Name ?? '', ['', 'overlay']);
  checkOneOf(at('Scope'), spec.Scope, ['', 'swarm']);
  if (spec.IPv6Enabled) throw new ShoalError('not-supported', `${at('EnableIPv6')}: cluster networks carry IPv4 only`);
  checkOptions(at('Options'), spec.DriverConfiguration?.Options ?? {});
  checkOneOf(at('IPAM.Driver'), spec.IPAMOptions?.Driver?.Name ?? '', ['', 'default']);
  const configs = spec.IPAMOptions?.Configs ?? [];
  if (configs.length > 1) {
    throw new ShoalError(
      'not-supported',
      `${at('IPAM.Config')}: a cluster network has one subnet, not ${configs.length}`,
    );
  }
  for (const config of configs) checkConfig(at('IPAM.Config[0]'), config);
}

function checkNetworkName(where: string, name: string): void {
  if (name === '') refuseAs('network name cannot be empty', where);
  if (name.length > 64 || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) {
    refuseAs(
      `invalid network name: ${shown(name)}, only 64 [a-zA-Z0-9_.-] characters are allowed, the first being [a-zA-Z0-9]`,
      where,
    );
  }
}

function checkOptions(where: string, options: Readonly<Record<string, string>>): void {
  checkLabels(where, options);
  if (Object.hasOwn(options, encryptedOption)) {
    checkOneOf(`${where}.${encryptedOption}`, options[encryptedOption]!, [...encryptedValues.keys()]);
  }
  const mtu = options['com.docker.network.driver.mtu'];
  if (mtu !== undefined && (!/^\d{1,5}$/.test(mtu) || Number(mtu) < mtu_min || Number(mtu) > mtu_max)) {
    refuse(`${where}["com.docker.network.driver.mtu"]`, `${shown(mtu)} is not a number from ${mtu_min} to ${mtu_max}`);
  }
}

function checkConfig(where: string, config: IPAMConfig): void {
  for (const field of ['Subnet', 'Range', 'Gateway'] as const) checkPlain(`${where}.${field}`, config[field]);
  const { Subnet, Range, Gateway, AuxiliaryAddresses } = config;
  if (Subnet === '') {
    if (Range !== '' || Gateway !== '' || Object.keys(AuxiliaryAddresses).length > 0) {
      refuse(`${where}.Subnet`, 'must be given where a range, a gateway or auxiliary addresses are');
    }
    return;
  }
  const subnet = parseCIDR(Subnet);
  if (subnet === undefined)
    refuseAs(`Invalid subnet ${bare(Subnet)} : invalid CIDR address: ${bare(Subnet)}`, `${where}.Subnet, of IPv4`);
  const { block } = subnet;
  if (subnet.address !== block.first) {
    refuseAs(`invalid subnet ${Subnet}: it should be ${formatBlock(block)}`, `${where}.Subnet`);
  }
  if (block.bits < largestSubnet_bits || block.bits > smallestSubnet_bits) {
    refuse(`${where}.Subnet`, `/${block.bits} is not from /${largestSubnet_bits} to /${smallestSubnet_bits}`);
  }
  if (Range !== '') {
    const range = parseCIDR(Range)?.block;
    if (range === undefined || range.bits < block.bits || !contains(block, range.first)) {
      refuseAs(`invalid ip-range ${shown(Range)}: it must be a CIDR within ${Subnet}`, `${where}.IPRange`);
    }
  }
  for (const [name, address] of [['Gateway', Gateway], ...Object.entries(AuxiliaryAddresses)] as const) {
    if (name === 'Gateway' && address === '') continue;
    const number = parseAddress(address);
    if (number === undefined || !contains(block, number) || number === block.first || number === lastOf(block)) {
      const field = name === 'Gateway' ? 'Gateway' : `AuxiliaryAddresses[${shown(name)}]`;
      refuseAs(
        `no matching subnet for ${name === 'Gateway' ? 'gateway' : 'aux-address'} ${shown(address)}`,
        `${where}.${field}`,
      );
    }
  }
}
