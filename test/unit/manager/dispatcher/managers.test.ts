import assert from 'node:assert/strict';
import { type ManagerAddress, managersFor } from '../../../../src/manager/dispatcher/managers.js';

describe('the manager that a node shall have its session with', () => {
  const managers = (count: number): ManagerAddress[] =>
    Array.from({ length: count }, (_, at) => ({ nodeID: `manager${at}`, address: `10.0.0.${at}:2377` }));
  const preferred = (nodeID: string, of: readonly ManagerAddress[]) => {
    const found = (managersFor(nodeID, of).Managers ?? []).filter((one) => one.Preferred);
    assert.equal(found.length, of.length === 0 ? 0 : 1);
    return found[0]?.NodeID;
  };

  it('is another than the node itself, when there is one', () => {
    assert.equal(preferred('manager0', managers(2)), 'manager1');
    assert.equal(preferred('manager0', managers(1)), 'manager0');
    assert.equal(preferred('worker', []), undefined);
  });

  it('is spread evenly, and changes for no more nodes than it must when a manager comes or goes', () => {
    const nodes = Array.from({ length: 900 }, (_, at) => `worker${at}`);
    const three = managers(3);
    const before = nodes.map((id) => preferred(id, three));
    for (const { nodeID } of three) {
      const share = before.filter((id) => id === nodeID).length;
      assert.ok(share > 240 && share < 360, `${nodeID} has ${share} of 900`);
    }
    const without = three.slice(0, 2);
    for (const [at, id] of nodes.entries()) {
      if (before[at] !== 'manager2') assert.equal(preferred(id, without), before[at]);
    }
  });
});
