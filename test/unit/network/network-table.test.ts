import assert from 'node:assert/strict';
import { complete } from '../../../src/model/codec.js';
import { NetworkTable } from '../../../src/network/network-table.js';
import type { View } from '../../../src/store/view.js';

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
