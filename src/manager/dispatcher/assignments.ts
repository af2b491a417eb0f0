import { isEncrypted } from '../../model/encrypted-networks.js';
import { isAfter } from '../../model/states.js';
import type { AssignmentsInit, Config, Secret, Task } from '../../model/types.js';
import type { View } from '../../store/view.js';

/** Whether a task's change matters to its node: reports that came from there do not go back. */
export function concernsNode(before: Task | undefined, after: Task | undefined): boolean {
  return before === undefined || after === undefined || before.Version?.Index !== after.Version?.Index;
}

/** Whether a task is to end from now on, if it was not before. */
export function isToEnd(before: Task | undefined, after: Task | undefined): boolean {
  return after !== undefined && isAfter(after.DesiredState, 'running') && concernsNode(before, after);
}

/**
 * What a node has been told, and what it must be told next. `hold` says of a task that shall end whether it must be shown as
 * still wanted, because some node may still send it traffic.
 */
export class AssignmentLedger {
  /** Each task as the node was told it. */
  private readonly tasks = new Map<string, Task>();
  private readonly secrets = new Set<string>();
  private readonly configs = new Set<string>();
  /** Which keys of encrypted networks the node has, by generation and time; undefined: nothing was said. */
  private keys: string | undefined;

  constructor(
    private readonly nodeID: string,
    private readonly hold: (task: Task) => boolean,
  ) {}

  /** Everything, for a node that may know nothing or something else. */
  full(view: View): AssignmentsInit {
    this.tasks.clear();
    this.secrets.clear();
    this.configs.clear();
    this.keys = undefined;
    return {
      ...this.changes(
        view,
        [...view.tasksOfNode(this.nodeID)].map((task) => task.ID),
      ),
      Full: true,
    };
  }

  /** What became of these tasks since the node was told; see `isEmpty`. */
  changes(view: View, taskIDs: Iterable<string>): AssignmentsInit {
    const Tasks: Task[] = [];
    const RemovedTaskIDs: string[] = [];
    for (const id of taskIDs) {
      const task = view.get('Task', id);
      const told = this.tasks.get(id);
      if (task === undefined || task.NodeID !== this.nodeID) {
        if (this.tasks.delete(id)) RemovedTaskIDs.push(id);
        continue;
      }
      const shown = this.hold(task) ? { ...task, DesiredState: 'running' } : task;
      if (
        told !== undefined &&
        told.DesiredState === shown.DesiredState &&
        told.Version?.Index === shown.Version?.Index
      )
        continue;
      this.tasks.set(id, shown);
      const { RegistryAuth = '' } = view.get('Service', shown.ServiceID) ?? {};
      Tasks.push(RegistryAuth === '' ? shown : { ...shown, RegistryAuth });
    }
    return { Full: false, Tasks, RemovedTaskIDs, ...this.dependencies(view), ...this.dataPathKeys(view) };
  }

  /** The keys of encrypted networks, if a task of the node is on one: they are for nobody else. */
  private dataPathKeys(view: View): Pick<AssignmentsInit, 'DataPathKeys'> {
    const Keys = this.isOnEncrypted(view) ? (view.cluster()?.DataPathKeys ?? []) : [];
    const keys = Keys.map(({ Generation, CreatedAt }) => `${Generation} ${CreatedAt}`).join();
    if (keys === this.keys) return {};
    this.keys = keys;
    return { DataPathKeys: { Keys } };
  }

  private isOnEncrypted(view: View): boolean {
    for (const { NetworksAttachments } of this.tasks.values()) {
      for (const { Network } of NetworksAttachments) {
        const network = view.get('Network', Network?.ID ?? '');
        if (network !== undefined && isEncrypted(network)) return true;
      }
    }
    return false;
  }

  /** Secrets and configs that the node's tasks name, against those it has. */
  private dependencies(
    view: View,
  ): Pick<AssignmentsInit, 'Secrets' | 'Configs' | 'RemovedSecretIDs' | 'RemovedConfigIDs'> {
    const secretIDs = new Set<string>();
    const configIDs = new Set<string>();
    for (const { Spec } of this.tasks.values()) {
      for (const { SecretID } of Spec?.ContainerSpec?.Secrets ?? []) secretIDs.add(SecretID);
      for (const { ConfigID } of Spec?.ContainerSpec?.Configs ?? []) configIDs.add(ConfigID);
    }
    const Secrets = difference(secretIDs, this.secrets).flatMap((id): Secret | never[] => view.get('Secret', id) ?? []);
    const Configs = difference(configIDs, this.configs).flatMap((id): Config | never[] => view.get('Config', id) ?? []);
    const RemovedSecretIDs = difference(this.secrets, secretIDs);
    const RemovedConfigIDs = difference(this.configs, configIDs);
    for (const { ID } of Secrets) this.secrets.add(ID);
    for (const { ID } of Configs) this.configs.add(ID);
    for (const id of RemovedSecretIDs) this.secrets.delete(id);
    for (const id of RemovedConfigIDs) this.configs.delete(id);
    return { Secrets, Configs, RemovedSecretIDs, RemovedConfigIDs };
  }
}

export function isEmpty(assignments: AssignmentsInit): boolean {
  if (assignments.DataPathKeys) return false;
  return [
    assignments.Tasks,
    assignments.RemovedTaskIDs,
    assignments.Secrets,
    assignments.Configs,
    assignments.RemovedSecretIDs,
    assignments.RemovedConfigIDs,
  ].every((list) => (list?.length ?? 0) === 0);
}

function difference(of: Iterable<string>, without: ReadonlySet<string>): string[] {
  return [...of].filter((one) => !without.has(one));
}
