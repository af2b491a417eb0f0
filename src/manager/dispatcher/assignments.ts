import { isEncrypted } from '../../model/encrypted-networks.js';
import { isAfter } from '../../model/states.js';
import type { AssignmentsInit, Config, NetworkAttachment, Secret, Task, TaskSpec } from '../../model/types.js';
import type { View } from '../../store/view.js';

/** Whether a task's change matters to its node: reports that came from there do not go back. */
export function concernsNode(before: Task | undefined, after: Task | undefined): boolean {
  return before === undefined || after === undefined || before.Version?.Index !== after.Version?.Index;
}

/** Whether a task is to end from now on, if it was not before. */
export function isToEnd(before: Task | undefined, after: Task | undefined): boolean {
  return after !== undefined && isAfter(after.DesiredState, 'running') && concernsNode(before, after);
}

/** Of a task as a node was told it, what may change, and what it needs besides: the task as it was is not kept for it. */
interface Told {
  desiredState: string;
  index: number;
  spec: TaskSpec | null;
  attachments: readonly NetworkAttachment[];
}

type Dependencies = Pick<AssignmentsInit, 'Secrets' | 'Configs' | 'RemovedSecretIDs' | 'RemovedConfigIDs'>;

/**
 * What a node has been told, and what it must be told next. `hold` says of a task that shall end whether it must be shown as
 * still wanted, because some node may still send it traffic.
 */
export class AssignmentLedger {
  private readonly tasks = new Map<string, Told>();
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
    let dependsOnFiles = this.secrets.size + this.configs.size > 0;
    for (const id of taskIDs) {
      const task = view.get('Task', id);
      const told = this.tasks.get(id);
      if (task === undefined || task.NodeID !== this.nodeID) {
        if (this.tasks.delete(id)) RemovedTaskIDs.push(id);
        continue;
      }
      const shown = this.hold(task) ? { ...task, DesiredState: 'running' } : task;
      const { DesiredState: desiredState, Spec: spec, NetworksAttachments: attachments } = shown;
      const index = shown.Version?.Index ?? 0;
      if (told?.desiredState === desiredState && told.index === index) continue;
      this.tasks.set(id, { desiredState, index, spec, attachments });
      dependsOnFiles ||= asksForFiles(spec);
      const { RegistryAuth = '' } = view.get('Service', shown.ServiceID) ?? {};
      Tasks.push(RegistryAuth === '' ? shown : { ...shown, RegistryAuth });
    }
    const files = dependsOnFiles ? this.dependencies(view) : noFiles();
    return { Full: false, Tasks, RemovedTaskIDs, ...files, ...this.dataPathKeys(view) };
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
    for (const { attachments } of this.tasks.values()) {
      for (const { Network } of attachments) {
        const network = view.get('Network', Network?.ID ?? '');
        if (network !== undefined && isEncrypted(network)) return true;
      }
    }
    return false;
  }

  /** Secrets and configs that the node's tasks name, against those it has. */
  private dependencies(view: View): Dependencies {
    const secretIDs = new Set<string>();
    const configIDs = new Set<string>();
    for (const { spec } of this.tasks.values()) {
      for (const { SecretID } of spec?.ContainerSpec?.Secrets ?? []) secretIDs.add(SecretID);
      for (const { ConfigID } of spec?.ContainerSpec?.Configs ?? []) configIDs.add(ConfigID);
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

function noFiles(): Dependencies {
  return { Secrets: [], Configs: [], RemovedSecretIDs: [], RemovedConfigIDs: [] };
}

function asksForFiles(spec: TaskSpec | null): boolean {
  const { Secrets = [], Configs = [] } = spec?.ContainerSpec ?? {};
  return Secrets.length + Configs.length > 0;
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
