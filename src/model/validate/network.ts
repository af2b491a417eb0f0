import { encryptedOption, encryptedValues } from '../encrypted-networks.js';
import { ShoalError } from '../errors.js';
import type { NetworkSpec } from '../types.js';
import { checkLabels, checkOneOf, refuse, refuseAs, shown } from './check.js';
import { checkObjectLabels } from './names.js';
import { checkSubnets } from './network-ipam.js';

/** The MTU of a node's own network, less what VXLAN adds (RFC 7348: 50 bytes over IPv4). */
const mtu_min = 576;
const mtu_max = 65_485;
/** What every link of IPv6 carries in one piece (RFC 8200, 5). */
const mtuOfIPv6_min = 1280;

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
  checkOptions(at('Options'), spec.DriverConfiguration?.Options ?? {}, spec.IPv6Enabled);
  checkOneOf(at('IPAM.Driver'), spec.IPAMOptions?.Driver?.Name ?? '', ['', 'default']);
  checkSubnets(at('IPAM.Config'), spec);
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

function checkOptions(where: string, options: Readonly<Record<string, string>>, hasIPv6: boolean): void {
  checkLabels(where, options);
  if (Object.hasOwn(options, encryptedOption)) {
    checkOneOf(`${where}.${encryptedOption}`, options[encryptedOption]!, [...encryptedValues.keys()]);
  }
  const mtu = options['com.docker.network.driver.mtu'];
  const least = hasIPv6 ? mtuOfIPv6_min : mtu_min;
  if (mtu !== undefined && (!/^\d{1,5}$/.test(mtu) || Number(mtu) < least || Number(mtu) > mtu_max)) {
    const range = `a number from ${least} to ${mtu_max}${hasIPv6 ? ' where there is IPv6' : ''}`;
    refuse(`${where}["com.docker.network.driver.mtu"]`, `${shown(mtu)} is not ${range}`);
  }
}
