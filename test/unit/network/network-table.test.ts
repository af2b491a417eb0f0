import assert from 'node:assert/strict';
import fc from 'fast-check';
import { complete } from '../../../src/model/codec.js';
import { NameBook } from '../../../src/network/dns/name-book.js';
import { NetworkTable } from '../../../src/network/network-table.js';
import type { View } from '../../../src/store/view.js';
import { Orchestra } from '../../helpers/orchestra.js';

describe('the nodes as the data paths of the others reach them', () => {
  it('are at the address that was given for that, else at their own', () => {
    const nodes = [
      complete('Node', { ID: 'a', Number: 1, Status: { Addr: '10.0.0.1', DataPathAddr: '172.16.0.1' } }),
      complete('Node', { ID: 'b', Number: 2, Status: { Addr: '10.0.0.2' } }),
      complete('Node', { ID: 'c', Number: 3, Status: { Addr: 'name.example' } }),
    ];
    const view = {
      list: (kind: string) => (kind === 'Node' ? nodes : []),
      cluster: () => undefined,
    } as unknown as View;
    const { peers } = new NetworkTable(view);
    assert.deepEqual(
      [...peers.values()].map(({ ID, Address }) => [ID, Address]),
      [
        ['a', '172.16.0.1'],
        ['b', '10.0.0.2'],
      ],
    );
  });
});

describe('what names mean', () => {
  it('is, after every entry of the log, the tasks that run and shall run, and no other for a moment longer', () => {
    const kind = fc.constantFrom('scale', 'image', 'fail', 'run', 'drain', 'plan', 'remove');
    fc.assert(
      fc.property(fc.array(fc.record({ kind, size: fc.nat(5) }), { maxLength: 40 }), (steps) => {
        const world = new Orchestra();
        world.addNodes(3);
        for (const at of [1, 2, 3]) world.asleep.add(`node${at}`); // what tasks report is said below
        world.commit([
          {
            Action: 'create',
            Network: {
              ID: 'net',
              Spec: { Name: 'net' },
              IPAMOptions: { Configs: [{ Subnet: '10.0.1.0/24', Gateway: '10.0.1.1' }] },
            },
          },
        ]);
        const table = new NetworkTable(world.store);
        const book = new NameBook(table);
        const asker = { networkID: 'net', address: '10.0.1.99' };
        world.store.watch((commit) => {
          table.apply(commit);
          book.update({ peers: new Map(), networks: table.networks, services: new Map(table.services) });
          const serving = [...world.store.list('Task')].filter(
            ({ DesiredState, Status }) => DesiredState === 'running' && Status?.State === 'running',
          );
          const expected = serving.map((task) => task.NetworksAttachments[0]!.Addresses[0]!.split('/')[0]!).sort();
          assert.deepEqual([...(book.find(asker, 'tasks.web')?.addresses ?? [])].sort(), expected);
          for (const task of world.store.list('Task')) {
            const found = book.find(asker, `${task.Name}.${task.ID}`)?.addresses.length ?? 0;
            assert.equal(found, serving.includes(task) ? 1 : 0, task.Name);
          }
        });
        world.create('web', 3, { TaskTemplate: { Networks: [{ Target: 'net' }] } });
        for (const { kind: what, size } of steps) {
          const tasks = world.tasks();
          const one = tasks[size % Math.max(1, tasks.length)];
          const known = world.store.byName('Service', 'web') !== undefined;
          if (what === 'scale' && known) world.scale('web', size);
          else if (what === 'image' && known) world.setImage('web', `web:${size}`);
          else if (what === 'remove' && known && size === 0) world.removeService('web');
          else if (what === 'drain')
            world.setNode(`node${(size % 3) + 1}`, { Availability: size > 2 ? 'drain' : 'active' });
          else if (what === 'fail' && one?.NodeID) world.report(one, 'failed');
          else if (what === 'run' && one !== undefined && one.NodeID !== '') {
            const Host = one.NetworksAttachments[0]!.Addresses[0]!.split('/')[0]!;
            world.report(one, 'running', { Addresses: [{ Protocol: 'ip', Host }] });
          }
          world.plan();
        }
      }),
      { numRuns: 100 },
    );
  });
});
