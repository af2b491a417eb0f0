import assert from 'node:assert/strict';
import { DrainGate } from '../../../../src/manager/dispatcher/drain-gate.js';
import { complete } from '../../../../src/model/codec.js';
import type { TaskInit } from '../../../../src/model/types.js';

describe('the drain gate', () => {
  const task = (over: TaskInit = {}) =>
    complete('Task', {
      ID: 't',
      Version: { Index: 10 },
      DesiredState: 'shutdown',
      Status: { State: 'running', Addresses: [{ Port: 1 }] },
      ...over,
    });
  const at = (revision: number, ...busy: string[]) => ({ revision, busy: new Set(busy) });
  const gateOf = (...managers: string[]) => {
    const gate = new DrainGate(() => 3_000);
    gate.setManagers(managers, 0);
    return gate;
  };

  it('holds a task until every manager is past its version and none is busy with it', () => {
    const gate = gateOf('m', 'n');
    gate.setProgress('m', at(10));
    assert.ok(gate.holds(task(), 0));
    gate.setProgress('n', at(9));
    assert.ok(gate.holds(task(), 0));
    gate.setProgress('n', at(10, 't'));
    assert.ok(gate.holds(task(), 0));
    gate.setProgress('n', at(10, 'another'));
    assert.ok(!gate.holds(task(), 0));
    assert.deepEqual(gate.waitingTasks(), []);
  });

  it('does not hold what no traffic can reach', () => {
    const gate = gateOf('m');
    assert.ok(!gate.holds(task({ DesiredState: 'running' }), 0));
    assert.ok(!gate.holds(task({ DesiredState: 'ready' }), 0));
    assert.ok(!gate.holds(task({ Status: { State: 'running' } }), 0));
    assert.ok(!gate.holds(task({ Status: { State: 'failed', Addresses: [{ Port: 1 }] } }), 0));
    assert.ok(gate.holds(task({ DesiredState: 'remove' }), 0));
  });

  it('holds no longer than the stop grace from when it began to, ten seconds when the task says nothing', () => {
    const gate = gateOf('m');
    gate.setProgress('m', at(1));
    assert.ok(gate.holds(task(), 1_000));
    assert.ok(gate.holds(task(), 10_999));
    assert.ok(!gate.holds(task(), 11_000));
    const quick = task({ ID: 'q', Spec: { ContainerSpec: { StopGracePeriod: 2e9 } } });
    assert.ok(gate.holds(quick, 0));
    assert.ok(!gate.holds(quick, 2_000));
  });

  it('waits for a manager that is not heard of for a while only, and listens to members only', () => {
    const gate = gateOf('m', 'n');
    gate.setProgress('m', at(10));
    gate.setProgress('stranger', at(0));
    assert.ok(gate.holds(task(), 2_999));
    assert.ok(!gate.holds(task(), 3_000));
    gate.setProgress('n', at(0));
    assert.ok(gate.holds(task(), 3_000));
    gate.lose('n', 5_000);
    assert.ok(gate.holds(task(), 7_999));
    assert.ok(!gate.holds(task(), 8_000));
    gate.setProgress('n', at(0));
    gate.setManagers(['m'], 8_000);
    assert.ok(!gate.holds(task(), 8_000));
  });
});
