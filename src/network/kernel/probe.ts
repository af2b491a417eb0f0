import { messageOf } from '../../model/errors.js';
import type { Route } from '../../model/types.js';
import { rulesFor } from './rules.js';
import { renderWhole } from './ruleset.js';
import type { KernelTools } from './tools.js';

/** A device that is there for a moment: none of ours is called so. */
const probeDevice = 'shvprobe';

const peer = (at: number) => ({
  ID: `${at}`,
  Number: at,
  Address: `192.0.2.${at}`,
  DataPathPort: 4789,
  EncryptionEpoch: 0,
});
const route: Route = {
  ID: 'tcp/80',
  ServiceID: '',
  ServiceName: '',
  Protocol: 'tcp',
  PublishedPort: 80,
  TargetPort: 80,
  Endpoints: [1, 2].map((at) => ({
    TaskID: `${at}`,
    NodeID: `${at}`,
    Host: `192.0.2.${at}`,
    Port: 80,
    Inside: '192.0.2.3',
  })),
  Masquerade: false,
  Sticky: true,
  Opaque: false,
};

const items = {
  peers: new Map([peer(1), peer(2)].map((one) => [one.ID, one])),
  networks: new Map(),
  services: new Map(),
};
const inside = new Map([['tcp . 80', '192.0.2.3 . 80']]);
const destinations = new Set(['tcp 192.0.2.3 80', '192.0.2.4']);
const rulesWith = (changing: { starting: ReadonlySet<string>; ending: ReadonlySet<string> }) =>
  rulesFor(items, '1', [], { routes: [route], publishAddress: '', inside, engineBridges: [], ...changing });

/**
 * Why published ports cannot be balanced by this kernel with these tools; undefined when they can. Nothing stays: rules are only checked,
 * and a device that is made is removed.
 */
export async function meshObstacle(tools: KernelTools): Promise<string | undefined> {
  try {
    await tools.run('nft', ['-c', '-f', '-'], renderWhole(rulesWith({ starting: destinations, ending: new Set() })));
    await tools.run('conntrack', ['-C']);
    await removeDevice(tools); // of a daemon that was killed meanwhile
    await tools.run('ip', ['link', 'add', probeDevice, 'type', 'vxlan', 'id', '4095', 'dstport', '4789']);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await removeDevice(tools);
  }
}

/** Whether it can have clients end kept connections: it changes what packets say, which kernels before 5.16 cannot. */
export async function canEndConnections(tools: KernelTools): Promise<boolean> {
  const rules = renderWhole(rulesWith({ starting: destinations, ending: destinations }));
  return (await tools.run('nft', ['-c', '-f', '-'], rules).catch(() => undefined)) !== undefined;
}

async function removeDevice(tools: KernelTools): Promise<void> {
  await tools.run('ip', ['link', 'del', probeDevice]).catch(() => {}); // mostly there is none
}
