import type { CommandSpec } from '../base/command.js';
import { list, onOff, text } from '../base/flag.js';
import { parseLabel } from '../base/labels.js';
import { consolidate } from './ipam.js';

/** `key=value`; the value may be left out. */
function pair(word: string): [string, string] {
  const equals = word.indexOf('=');
  return equals < 0 ? [word, ''] : [word.slice(0, equals), word.slice(equals + 1)];
}

const none = { shown: 'map[]', kind: 'map' } as const;
const attachable = onOff('attachable', 'Enable manual container attachment');
const further = list('aux-address', 'Auxiliary IPv4 or IPv6 addresses used by Network driver', pair, none);
const configFrom = text('config-from', 'The network from which to copy the configuration');
const configOnly = onOff('config-only', 'Create a configuration only network');
const driver = text('driver', 'Driver to manage the Network', { short: 'd', shown: '"bridge"' });
const gateway = list('gateway', 'IPv4 or IPv6 Gateway for the master subnet', String, { kind: 'strings' });
const ingress = onOff('ingress', 'Create swarm routing-mesh network');
const internal = onOff('internal', 'Restrict external access to the network');
const range = list('ip-range', 'Allocate container ip from a sub-range', String, { kind: 'strings' });
const ipamDriver = text('ipam-driver', 'IP Address Management Driver', { shown: '"default"' });
const ipamOption = list('ipam-opt', 'Set IPAM driver specific options', pair, none);
const ipv4 = onOff('ipv4', 'Enable or disable IPv4 address assignment', { shown: 'true' });
const ipv6 = onOff('ipv6', 'Enable or disable IPv6 address assignment');
const label = list('label', 'Set metadata on a network', parseLabel);
const option = list('opt', 'Set driver specific options', pair, { short: 'o', ...none });
const scope = text('scope', "Control the network's scope");
const subnet = list('subnet', 'Subnet in CIDR format that represents a network segment', String, { kind: 'strings' });

/** `shoal network create`: of the cluster with `-d overlay`, else of the node's engine. */
export const networkCreate: CommandSpec = {
  usage: '[OPTIONS] NETWORK',
  operands: { min: 1, max: 1 },
  flags: [
    attachable,
    further,
    configFrom,
    configOnly,
    driver,
    gateway,
    ingress,
    internal,
    range,
    ipamDriver,
    ipamOption,
    ipv4,
    ipv6,
    label,
    option,
    scope,
    subnet,
  ],
  async run(context, values, [Name]) {
    const from = values.get(configFrom) ?? '';
    const Config = consolidate(
      values.get(subnet) ?? [],
      values.get(range) ?? [],
      values.get(gateway) ?? [],
      values.get(further) ?? [],
    );
    const { Id } = await context.client.post<{ Id: string }>('/networks/create', {
      body: {
        Name,
        Driver: values.get(driver) ?? (from === '' ? 'bridge' : ''),
        Scope: values.get(scope) ?? '',
        ...(values.has(ipv4) && { EnableIPv4: values.get(ipv4) }),
        ...(values.has(ipv6) && { EnableIPv6: values.get(ipv6) }),
        IPAM: {
          Driver: values.get(ipamDriver) ?? 'default',
          Options: Object.fromEntries(values.get(ipamOption) ?? []),
          Config,
        },
        Internal: values.get(internal) ?? false,
        Attachable: values.get(attachable) ?? false,
        Ingress: values.get(ingress) ?? false,
        ConfigOnly: values.get(configOnly) ?? false,
        ...(from !== '' && { ConfigFrom: { Network: from } }),
        Options: Object.fromEntries(values.get(option) ?? []),
        Labels: Object.fromEntries(values.get(label) ?? []),
      },
    });
    context.out.write(`${Id}\n`);
  },
};
