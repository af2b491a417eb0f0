import { messageOf } from '../../model/errors.js';
import type { Route } from '../../model/types.js';
import { rulesFor } from './rules.js';
import { renderWhole } from './ruleset.js';
import type { KernelTools } from './tools.js';

/** A device that is there for a moment: none of ours is called so. */
const probeDevice = 'shvprobe';

const peer = (at: number) => ({ ID: `${at}`, Number: at, Address: `192.0.2.${at}`, DataPathPort: 4789 });
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
};

/**
 * Why published ports cannot be balanced by this kernel with these tools; undefined when they can. Nothing stays: rules are only checked,
 * and a device that is made is removed.
 */
export async function meshObstacle(tools: KernelTools): Promise<string | undefined> {
  const items = {
    peers: new Map([peer(1), peer(2)].map((one) => [one.ID, one])),
    networks: new Map(),
    services: new Map(),
  };
  const inside = new Map([['tcp . 80', '192.0.2.3 . 80']]);
  const rules = rulesFor(items, '1', [], { routes: [route], publishAddress: '', inside, engineBridges: [] });
  try {
    await tools.run('nft', ['-c', '-f', '-'], renderWhole(rules));
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

async function removeDevice(tools: KernelTools): Promise<void> {
  await tools.run('ip', ['link', 'del', probeDevice]).catch(() => {}); // mostly there is none
}
