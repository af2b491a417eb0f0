import { type Clock, timestamp } from '../../../src/model/clock.js';
import { complete } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import { newID } from '../../../src/model/ids.js';
import type { OperationInit, Service, ServiceInit, ServiceSpec } from '../../../src/model/types.js';
import { withStoredDefaults } from '../../../src/model/validate/defaults.js';
import { validateServiceSpec } from '../../../src/model/validate/service.js';
import type { View } from '../../../src/store/view.js';
import { processClock, type World } from '../world.js';
import type { Cluster } from './cluster.js';
import type { Host } from './host.js';
import type { Wishes } from './wishes.js';

const second = 1e9;

/**
 * One change after the other while nothing fails, each looked at when all has come to rest. In the turmoil before, anything that a change
 * was to bring about may come about by another that has the same services looked at.
 */
export class CalmChanges {
  private readonly clock: Clock;

  constructor(
    private readonly world: World,
    private readonly cluster: Cluster,
    /** Has the leader asked until the answer is yes, and waits until all is as declared then. */
    private readonly once: (what: string, ask: (leader: Host, view: View) => Promise<boolean>) => Promise<void>,
  ) {
    this.clock = processClock(world, 1, () => true);
  }

  async run(wishes: Wishes): Promise<void> {
    const room = 2 * this.cluster.hosts.length; // for tasks that take nearly a whole CPU
    await this.create('turned', 4);
    await this.turn('turned', ({ Spec }) => ({
      Spec: { ...Spec, ...workOf(1, 0) },
      PreviousSpec: Spec,
      UpdateStatus: null,
    }));
    await this.relabel(wishes);
    await this.create('early', room, 0.9);
    await this.create('late', room, 0.9);
    await this.remove('early');
    await this.setLeaderBack('late');
    await this.turn('turned', ({ Spec, PreviousSpec }) => ({
      Spec: PreviousSpec,
      PreviousSpec: Spec,
      UpdateStatus: { State: 'rollback_started', StartedAt: timestamp(this.clock) },
    }));
  }

  /** A new service; `reserved`: of each task, in CPUs. */
  create(name: string, replicas: number, reserved = 0): Promise<void> {
    const ID = newID(this.world.random);
    return this.once(`${name} was not created`, async (leader, view) => {
      if (view.byName('Service', name) !== undefined) return true;
      const Service = { ID, Spec: specOf(name, replicas, reserved), Endpoint: {} };
      return this.propose(leader, { Action: 'create', Service });
    });
  }

  private remove(name: string): Promise<void> {
    return this.once(`${name} was not removed`, async (leader, view) => {
      const service = view.byName('Service', name);
      if (service === undefined) return true;
      return this.propose(leader, { Action: 'remove', Kind: 'Service', ID: service.ID });
    });
  }

  /** As the API does it: to another spec, or back. */
  private turn(name: string, change: (service: Service) => ServiceInit): Promise<void> {
    return this.once(`${name} was not updated`, async (leader, view) => {
      const service = view.byName('Service', name) as Service;
      const ExpectedVersion = service.Version?.Index ?? 0;
      return this.propose(leader, { Action: 'update', ExpectedVersion, Service: { ...service, ...change(service) } });
    });
  }

  /** Other labels for every node: constraints turn for or against what runs there. */
  private relabel(wishes: Wishes): Promise<void> {
    return this.once('labels could not be changed', async (leader, view) => {
      const operations = [...view.list('Node')].map((node): OperationInit => {
        const Spec = { ...node.Spec, Labels: wishes.labels() };
        return { Action: 'update', ExpectedVersion: node.Version?.Index ?? 0, Node: { ...node, Spec } };
      });
      return this.propose(leader, ...operations);
    });
  }

  /** The leader's clock is set back while a task waits for its restart, which does not come later for that. */
  private async setLeaderBack(service: string): Promise<void> {
    for (const { engine } of this.cluster.hosts) {
      const container = engine.running().find(({ name }) => name.startsWith(`${service}.`));
      if (container === undefined) continue;
      engine.exit(container.id, 1);
      break;
    }
    await this.world.run(this.world.now_ms + 2_000);
    await this.once('nobody leads', async (leader) => {
      leader.error.wall_ms -= 600_000;
      return true;
    });
  }

  private async propose(leader: Host, ...Operations: OperationInit[]): Promise<boolean> {
    try {
      await leader.propose({ Operations, Origin: 'api', Time: timestamp(this.clock) });
      return true;
    } catch (error) {
      if (!(error instanceof ShoalError)) throw error;
      return false;
    }
  }
}

/** Updates go all at once, rollbacks one by one. */
function specOf(name: string, replicas: number, reserved: number): ServiceSpec {
  const spec = withStoredDefaults(
    complete('ServiceSpec', {
      Name: name,
      Mode: { Replicated: { Replicas: replicas } },
      ...workOf(0, reserved),
      UpdateConfig: { Parallelism: 0, Monitor: second },
      RollbackConfig: { Parallelism: 1, Monitor: second },
    }),
  );
  validateServiceSpec(spec);
  return spec;
}

function workOf(change: number, reserved: number): Pick<ServiceSpec, 'TaskTemplate'> {
  const TaskTemplate = complete('TaskSpec', {
    ContainerSpec: { Image: 'web', Env: [`CHANGE=${change}`], StopGracePeriod: 2 * second },
    Resources: reserved === 0 ? null : { Reservations: { NanoCPUs: reserved * second } },
    RestartPolicy: { Condition: 'any', Delay: 5 * second },
  });
  return { TaskTemplate };
}
