import { complete } from '../../../src/model/codec.js';
import type { ServiceModeInit, ServiceSpec, ServiceSpecInit } from '../../../src/model/types.js';
import { withStoredDefaults } from '../../../src/model/validate/defaults.js';
import { validateServiceSpec } from '../../../src/model/validate/service.js';
import type { World } from '../world.js';
import { isJob, type Wishes } from './wishes.js';

const second = 1e9;

/** What users declare. */
export class Specs {
  constructor(
    private readonly world: World,
    private readonly names: readonly string[],
    private readonly firstPort: number,
    private readonly wishes?: Wishes,
  ) {}

  mode(): ServiceModeInit {
    const isGlobal = this.world.oneIn(6);
    const plain = isGlobal ? { Global: {} } : { Replicated: { Replicas: this.world.random.below(7) } };
    return this.wishes?.mode() ?? plain;
  }

  /** One of the many things that a service can be, with the number of the change on it. */
  made(name: string, mode: ServiceModeInit, change: number): ServiceSpec {
    const { world } = this;
    const port = this.firstPort + this.names.indexOf(name);
    const Ports = world.oneIn(4)
      ? []
      : [{ Protocol: 'tcp', TargetPort: 80, PublishedPort: world.oneIn(3) ? 0 : port, PublishMode: 'ingress' }];
    const spec = withStoredDefaults(
      complete('ServiceSpec', {
        Name: name,
        Labels: { change: String(change) },
        EndpointSpec: { Ports },
        Mode: mode,
        ...(this.wishes?.work(this.work(change), mode, false) ?? this.work(change)),
        ...(mode.ReplicatedJob || mode.GlobalJob ? { EndpointSpec: null } : {}),
      }),
    );
    validateServiceSpec(spec);
    return spec;
  }

  private work(change: number): ServiceSpecInit {
    const { world } = this;
    return {
      TaskTemplate: {
        ContainerSpec: {
          Image: world.pick(['web', 'db']) as string,
          Command: world.oneIn(4) ? ['sleep', '1000000'] : [], // which ends at no signal but the last
          Env: [`CHANGE=${change}`],
          StopGracePeriod: world.between(1, 6) * second,
        },
        RestartPolicy: { Condition: 'any', Delay: world.pick([0, 0.1 * second, second, 5 * second]) },
      },
      UpdateConfig: {
        Parallelism: world.between(0, 3),
        Delay: world.pick([0, 0, second]) as number,
        Monitor: world.between(1, 5) * second,
        Order: world.pick(['stop-first', 'stop-first', 'start-first']) as string,
        FailureAction: world.pick(['continue', 'continue', 'pause', 'rollback']) as string,
      },
    };
  }

  /** The spec another time; `isRepair`: as one that does not fail by itself. */
  changed(before: ServiceSpec, change: number, isRepair: boolean): ServiceSpec {
    const { world, wishes } = this;
    const Labels = { change: String(change) };
    if (wishes !== undefined) {
      const Mode = world.oneIn(2) ? wishes.changed(before.Mode) : (before.Mode as ServiceModeInit);
      const isScaled = !isRepair && !isJob(before) && world.oneIn(3);
      const work = isScaled ? {} : wishes.work(this.work(change), Mode, isRepair);
      return withStoredDefaults(complete('ServiceSpec', { ...before, ...work, Labels, Mode }));
    }
    const replicated = before.Mode?.Replicated != null;
    if (replicated && world.oneIn(2)) {
      return complete('ServiceSpec', { ...before, Labels, Mode: { Replicated: { Replicas: world.random.below(9) } } });
    }
    return complete('ServiceSpec', { ...before, ...this.work(change), Labels });
  }
}
