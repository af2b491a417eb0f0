import { BlockList, isIP } from 'node:net';
import { ShoalError } from '../../model/errors.js';
import type { Hello, Task, TaskAddress } from '../../model/types.js';
import { wholeAddress } from '../../network/network-table.js';

// What nodes say of addresses, other nodes connect to: published ports lead there from every node. An address that means another thing on
// each machine would lead clients to what only that machine itself, or its cloud, may ask.

const local = new BlockList();
local.addSubnet('0.0.0.0', 8, 'ipv4');
local.addSubnet('127.0.0.0', 8, 'ipv4');
local.addSubnet('169.254.0.0', 16, 'ipv4'); // of one wire; clouds answer with credentials there
local.addSubnet('224.0.0.0', 3, 'ipv4'); // groups, and what nobody has
local.addAddress('::', 'ipv6');
local.addAddress('::1', 'ipv6');
local.addSubnet('fe80::', 10, 'ipv6');
local.addSubnet('ff00::', 8, 'ipv6');

/** Whether it means the same machine wherever in the cluster it is used. */
function isOfNetwork(address: string): boolean {
  return !local.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** The address in `host:port`. */
const hostOf = (address: string) => address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

/**
 * Throws `invalid-argument` naming the field of an address that is no IP address, or means another machine to each node. In a cluster on
 * one machine, whose managers have such an address themselves (`own`, host:port), nodes may as well.
 */
export function checkAddresses({ Addr, ClusterAddr, DataPathAddr }: Hello, own: string): void {
  const isOnNetwork = isIP(hostOf(own)) === 0 || isOfNetwork(hostOf(own));
  for (const [field, address] of Object.entries({ Addr, ClusterAddr: hostOf(ClusterAddr), DataPathAddr })) {
    if (address === '') continue;
    if (isIP(address) === 0) throw new ShoalError('invalid-argument', `Hello.${field}: must be an IP address`);
    if (isOnNetwork && !isOfNetwork(address)) {
      throw new ShoalError('invalid-argument', `Hello.${field}: ${address} is not the same machine to every node`);
    }
  }
}

/** Where a task answers, of what its node says: on its networks at its own addresses, else at the node's (`nodeAddress`). */
export function addressesFrom(said: readonly TaskAddress[], task: Task, nodeAddress: string): TaskAddress[] {
  const own = new Set(task.NetworksAttachments.flatMap(({ Addresses }) => Addresses.map((one) => one.split('/')[0])));
  return said.filter(({ Protocol, Host }) => (Protocol === wholeAddress ? own.has(Host) : Host === nodeAddress));
}
