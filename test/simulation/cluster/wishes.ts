import type {
  NodeSpec,
  ServiceModeInit,
  ServiceSpec,
  ServiceSpecInit,
  TaskSpecInit,
} from '../../../src/model/types.js';
import type { World } from '../world.js';

const second = 1e9;
/** What a container that fails soon after its start runs. */
const failing = ['sh', '-c', 'sleep 0.5; exit 1'];

/** What of all that a service can ask for users ask for here besides: jobs, constraints, reservations, specs that fail. */
export class Wishes {
  constructor(private readonly world: World) {}

  mode(): ServiceModeInit {
    const { world } = this;
    if (world.oneIn(5)) return { GlobalJob: {} };
    if (world.oneIn(3)) {
      return { ReplicatedJob: { MaxConcurrent: world.between(1, 3), TotalCompletions: world.between(1, 6) } };
    }
    return world.oneIn(5) ? { Global: {} } : { Replicated: { Replicas: world.random.below(7) } };
  }

  /** The mode another time: a job asked for otherwise, or a service scaled. */
  changed(before: ServiceSpec['Mode']): ServiceModeInit {
    const { world } = this;
    if (before?.ReplicatedJob) {
      return { ReplicatedJob: { MaxConcurrent: world.between(1, 3), TotalCompletions: world.between(1, 6) } };
    }
    return before?.Replicated ? { Replicated: { Replicas: world.random.below(9) } } : (before ?? {});
  }

  /** `work`: what any user asks for; `isSound`: nothing that fails by itself. */
  work(work: ServiceSpecInit, mode: ServiceModeInit, isSound: boolean): ServiceSpecInit {
    const { world } = this;
    const tier = world.pick(['node.labels.tier==a', 'node.labels.tier!=b']) as string;
    const template: TaskSpecInit = {
      ...work.TaskTemplate,
      Placement: {
        Constraints: world.oneIn(3) ? [tier] : [],
        MaxReplicas: mode.Replicated != null && world.oneIn(5) ? 2 : 0,
      },
      Resources: world.oneIn(3) ? { Reservations: { NanoCPUs: world.pick([0.3e9, 0.9e9]) } } : {},
    };
    if (mode.ReplicatedJob != null || mode.GlobalJob != null) {
      const Command = ['sh', '-c', `sleep ${world.pick([0.1, 1, 4])}`];
      const Delay = world.pick([0, second]) as number;
      const ContainerSpec = { ...template.ContainerSpec, Command };
      return { TaskTemplate: { ...template, ContainerSpec, RestartPolicy: { Condition: 'on-failure', Delay } } };
    }
    const order = () => world.pick(['stop-first', 'start-first']) as string;
    const MaxFailureRatio = world.pick([0, 0, 0.5]) as number;
    const UpdateConfig = { ...work.UpdateConfig, Order: order(), MaxFailureRatio };
    const RollbackConfig = {
      Parallelism: world.between(0, 2),
      Delay: world.pick([0, second]) as number,
      Monitor: world.between(1, 3) * second,
      Order: order(),
      FailureAction: world.pick(['pause', 'continue']) as string,
    };
    const policies = { UpdateConfig, RollbackConfig };
    if (isSound || !world.oneIn(6)) return { ...work, ...policies, TaskTemplate: template };
    const ContainerSpec = { ...template.ContainerSpec, Command: failing };
    const FailureAction = world.pick(['rollback', 'rollback', 'pause', 'continue']) as string;
    UpdateConfig.FailureAction = FailureAction;
    return { ...work, ...policies, TaskTemplate: { ...template, ContainerSpec } };
  }

  /** A node's labels another time: constraints turn for or against what runs there. */
  labels(): NodeSpec['Labels'] {
    const tier = this.world.pick(['a', 'a', 'b', '']) as string;
    return tier === '' ? {} : { tier };
  }
}

export function isJob(spec: ServiceSpec | null): boolean {
  return spec?.Mode?.ReplicatedJob != null || spec?.Mode?.GlobalJob != null;
}

/** Whether what the service runs fails by itself: it never comes to rest. */
export function failsByItself(spec: ServiceSpec | null): boolean {
  return spec?.TaskTemplate?.ContainerSpec?.Command.join() === failing.join();
}
