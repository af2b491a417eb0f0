import assert from 'node:assert/strict';
import type { PortConfigInit } from '../../../src/model/types.js';
import { Orchestra } from '../../helpers/orchestra.js';

describe('published ports', () => {
  let world: Orchestra;
  beforeEach(() => {
    world = new Orchestra();
    world.addNodes(1);
  });
  const web = (Ports: PortConfigInit[], name = 'web') =>
    world.create(name, 1, { EndpointSpec: { Mode: 'vip', Ports } });
  const published = (name = 'web') => world.service(name).Endpoint?.Ports.map((port) => port.PublishedPort);

  it('left to the cluster are given out from 30000 on, and the tasks know them', () => {
    web([{ TargetPort: 80 }, { TargetPort: 81, Protocol: 'udp' }]);
    web([{ TargetPort: 80 }], 'api');
    world.settle();
    const given = [...published('web')!, ...published('api')!];
    assert.ok(given.every((port) => port >= 30_000 && port <= 32_767));
    assert.equal(new Set(given).size, 3);
    assert.deepEqual(world.running('web')[0]!.Spec?.EndpointPorts, world.service('web').Endpoint?.Ports);
    assert.deepEqual(world.service('web').Endpoint?.Spec, world.service('web').Spec?.EndpointSpec);
    assert.equal(world.service('web').Spec?.EndpointSpec?.Ports[0]?.PublishedPort, 0);
  });

  it('come with the first tasks in one entry', () => {
    web([{ TargetPort: 80 }]);
    world.plan();
    assert.equal(world.wanted('web').length, 1);
    assert.ok(published()![0]! >= 30_000);
    world.settle();
    assert.equal(world.plans, 1);
  });

  it('stay as they are when the service is updated otherwise', () => {
    web([{ TargetPort: 80 }]);
    world.settle();
    const before = published();
    world.setImage('web', 'web:2');
    world.settle();
    assert.deepEqual(published(), before);
    world.update('web', (spec) => {
      spec.EndpointSpec!.Ports!.unshift({ TargetPort: 443, PublishedPort: 443 });
    });
    world.settle();
    assert.deepEqual(published(), [443, before![0]!]);
  });

  it('that are asked for by number are never given out', () => {
    web([{ TargetPort: 80, PublishedPort: 30_000 }]);
    web([{ TargetPort: 80 }], 'api');
    world.settle();
    assert.deepEqual(published('api'), [30_001]);
  });

  it('of host mode are left to the node', () => {
    web([{ TargetPort: 80, PublishMode: 'host' }]);
    world.settle();
    assert.deepEqual(published(), [0]);
    assert.deepEqual(world.look().transactions, []);
  });

  it('are free again when the service no longer publishes them', () => {
    web([{ TargetPort: 80, PublishedPort: 8080 }]);
    world.settle();
    world.update('web', (spec) => {
      spec.EndpointSpec = null;
    });
    world.settle();
    assert.deepEqual(published(), []);
    web([{ TargetPort: 80, PublishedPort: 8080 }], 'api');
    world.settle();
    assert.equal(world.running('api').length, 1);
  });

  it('cost a service that publishes none no version', () => {
    const before = world.create('plain', 1).Version?.Index;
    world.settle();
    assert.equal(world.service('plain').Version?.Index, before);
  });
});
