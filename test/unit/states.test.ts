import assert from 'node:assert/strict';
import { complete, decode, encode } from '../../src/model/codec.js';
import { isAfter, isFinal } from '../../src/model/states.js';

describe('the model', () => {
  it('orders task states as Docker does', () => {
    assert.ok(isAfter('running', 'starting'));
    assert.ok(isFinal('failed'));
    assert.ok(!isFinal('running'));
  });

  it('carries a task over the wire whole', () => {
    const task = complete('Task', {
      ID: 'a',
      Spec: { ContainerSpec: { Image: 'web', Env: ['A=1'], StopGracePeriod: 0 } },
    });
    assert.deepEqual(decode('Task', encode('Task', task)), task);
    assert.equal(task.Spec?.ContainerSpec?.StopGracePeriod, 0);
    assert.equal(task.Spec?.ContainerSpec?.Init, undefined);
  });
});
