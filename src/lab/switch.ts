import { existsSync } from 'node:fs';
import type { HostLayout, Layout } from './layout.js';
import { run, tryRun } from './run.js';

const ip = (...args: string[]) => run('ip', args);
const inNamespace = (namespace: string, ...command: string[]) => run('ip', ['netns', 'exec', namespace, ...command]);

function exists(namespace: string): boolean {
  return existsSync(`/run/netns/${namespace}`);
}

/** The switch: a bridge in a namespace of its own, and a client beside the hosts. */
export async function switchUp(layout: Layout): Promise<void> {
  const { switchNamespace, clientNamespace } = layout;
  if (!exists(switchNamespace)) {
    await ip('netns', 'add', switchNamespace);
    // Without this, frames between the hosts pass this machine's iptables; the keys are absent where br_netfilter is not loaded.
    await tryRun('ip', [
      'netns',
      'exec',
      switchNamespace,
      'sysctl',
      '-qw',
      'net.bridge.bridge-nf-call-iptables=0',
      'net.bridge.bridge-nf-call-ip6tables=0',
      'net.bridge.bridge-nf-call-arptables=0',
    ]);
    await ip('-n', switchNamespace, 'link', 'set', 'lo', 'up');
    await ip('-n', switchNamespace, 'link', 'add', 'br0', 'type', 'bridge');
    await ip('-n', switchNamespace, 'addr', 'add', `${layout.gatewayAddress}/24`, 'dev', 'br0');
    await ip('-n', switchNamespace, 'link', 'set', 'br0', 'up');
  }
  if (!exists(clientNamespace)) {
    await ip('netns', 'add', clientNamespace);
    await ip('-n', clientNamespace, 'link', 'set', 'lo', 'up');
    await plugIn(layout, clientNamespace, 'portc', ['address', '02:99:00:00:01:00'], layout.clientAddress);
  }
}

async function plugIn(layout: Layout, namespace: string, port: string, address: string[], hostAddress: string) {
  const { switchNamespace } = layout;
  await ip(
    '-n',
    switchNamespace,
    'link',
    'add',
    port,
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    ...address,
    'netns',
    namespace,
  );
  await ip('-n', switchNamespace, 'link', 'set', port, 'master', 'br0', 'up');
  await ip('-n', namespace, 'addr', 'add', `${hostAddress}/24`, 'dev', 'eth0');
  await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
}

/** A host's network namespace with its cable in the switch. */
export async function hostNetworkUp(host: HostLayout): Promise<void> {
  if (exists(host.namespace)) return;
  await ip('netns', 'add', host.namespace);
  await ip('-n', host.namespace, 'link', 'set', 'lo', 'up');
  await plugIn(host.lab, host.namespace, host.switchPort, ['address', host.mac], host.address);
  await ip('-n', host.namespace, 'route', 'add', 'default', 'via', host.lab.gatewayAddress);
  await inNamespace(host.namespace, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
}

export async function hostNetworkDown(host: HostLayout): Promise<void> {
  await tryRun('ip', ['netns', 'del', host.namespace]);
  await tryRun('ip', ['-n', host.lab.switchNamespace, 'link', 'del', host.switchPort]); // else the name is taken until the kernel is done with the namespace
}

/** Pulls the host's cable at the switch, or puts it back: nothing gets in or out, the host itself sees no difference. */
export async function cable(host: HostLayout, plugged: boolean): Promise<void> {
  await ip('-n', host.lab.switchNamespace, 'link', 'set', host.switchPort, plugged ? 'up' : 'down');
}

/** Removes every namespace of the lab. */
export async function switchDown(layout: Layout): Promise<void> {
  for (const namespace of [layout.clientNamespace, layout.switchNamespace]) {
    if (exists(namespace)) await tryRun('ip', ['netns', 'del', namespace]);
  }
}
