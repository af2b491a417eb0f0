import assert from 'node:assert/strict';
import { createLogger } from 'winston';
import { ShoalError } from '../../../src/model/errors.js';
import type { Route } from '../../../src/model/types.js';
import { KernelNetworks } from '../../../src/network/kernel/kernel-networks.js';
import { KernelPlane, type ListeningPlane } from '../../../src/network/kernel/kernel-plane.js';
import type { KernelTools } from '../../../src/network/kernel/tools.js';
import { route } from '../../helpers/data-plane-contract.js';
import { ManualClock } from '../../helpers/manual-clock.js';

/** A machine that remembers what nft was told, and refuses when it shall. */
class Machine implements KernelTools {
  readonly told: string[] = [];
  refuses = false;
  /** As conntrack lists them. */
  connections = '';
  async run(command: string, args: readonly string[], input = ''): Promise<string> {
    if (command === 'nft' && this.refuses) throw new ShoalError('unavailable', 'nft: no');
    if (command === 'nft' && args[0] === '-f') this.told.push(input);
    if (command === 'conntrack') return this.connections;
    if (command !== 'ip' || !args.includes('addr')) return '';
    return JSON.stringify([{ ifname: 'eth0', mtu: 1500, flags: [], addr_info: [] }]);
  }
  async setSysctl() {}
  sysctl(): undefined {}
  hasDevice = () => false;
}

class Listeners implements ListeningPlane {
  readonly missing = new Set<string>();
  wasHad = () => {};
  async apply(routes: readonly Route[]) {
    const failed = routes.filter(({ ID }) => this.missing.has(ID)).map(({ ID }) => ({ routeID: ID, reason: 'in use' }));
    return { failed };
  }
  busyTasks = () => ['b'];
  onReleased = () => () => {};
  listens = (routeID: string) => !this.missing.has(routeID);
  onListening(call: () => void) {
    this.wasHad = call;
  }
  async close() {}
}

const removed = /^table ip shoal\ndelete table ip shoal\ntable ip shoal_compared\n/;

describe('the kernel plane before its listeners', () => {
  let machine: Machine;
  let base: Listeners;
  let clock: ManualClock;
  let plane: KernelPlane;
  const web = (port: number) => route(port, [{ task: 'a', port: 9 }]);
  beforeEach(async () => {
    machine = new Machine();
    base = new Listeners();
    clock = new ManualClock();
    const log = createLogger({ silent: true });
    const kernel = new KernelNetworks({
      nodeID: 'node',
      tools: machine,
      plane: { publishAddress: '', endsConnections: true },
      clock,
      log,
    });
    const self = { ID: 'node', Number: 1, Address: '127.0.0.1', DataPathPort: 4789, EncryptionEpoch: 0 };
    await kernel.apply({ peers: new Map([[self.ID, self]]), networks: new Map(), services: new Map() });
    plane = new KernelPlane({ base, kernel });
  });
  afterEach(() => plane.close());

  it('leads to what it was told, and leaves a port to the program that has it until that is gone', async () => {
    base.missing.add('tcp/81');
    const { failed } = await plane.apply([web(80), web(81)]);
    assert.deepEqual(failed, [{ routeID: 'tcp/81', reason: 'in use' }]);
    assert.match(machine.told.at(-1)!, /tcp \. 80 : goto pub_tcp_80/);
    assert.doesNotMatch(machine.told.at(-1)!, /pub_tcp_81/);
    base.missing.clear();
    base.wasHad();
    await clock.advance(0);
    assert.match(machine.told.at(-1)!, /tcp \. 81 : goto pub_tcp_81/);
    assert.deepEqual(plane.busyTasks(), ['b']);
  });

  it('does not say that a change is made while rules of before it may lead elsewhere', async () => {
    await plane.apply([web(80)]);
    machine.refuses = true;
    await assert.rejects(plane.apply([web(82)]), /the rules could not be changed: nft: no/);
    machine.refuses = false;
    await plane.apply([web(82)]);
    assert.match(machine.told.at(-1)!, /^table ip shoal\ndelete table ip shoal\n.*pub_tcp_82/s);
  });

  it('keeps what connections need after the last port has gone, until they have ended', async () => {
    machine.connections =
      'tcp      6 431999 ESTABLISHED src=10.0.0.9 dst=127.0.0.1 sport=5 dport=80 src=127.0.0.1 dst=10.0.0.9 sport=9 dport=5 mark=1392508928 use=1';
    await plane.apply([web(80)]);
    machine.told.length = 0;
    await plane.apply([]);
    assert.doesNotMatch(machine.told.at(-1)!, /goto pub_tcp_80/);
    assert.deepEqual(plane.busyTasks(), ['b', 'a']);
    const isGone = () => machine.told.some((text) => removed.test(text));
    await clock.advance(2_500);
    assert.equal(isGone(), false);
    machine.connections = '';
    for (let passed = 0; passed < 8_000; passed += 100) await clock.advance(100);
    assert.deepEqual([isGone(), plane.busyTasks()], [true, ['b']]);
  });

  it('removes its rules when it is closed', async () => {
    await plane.apply([web(80)]);
    await plane.close();
    assert.match(machine.told.at(-1)!, removed);
  });
});
