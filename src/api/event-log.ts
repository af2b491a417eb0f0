import type { Change, Commit } from '../store/view.js';
import type { ManagerBackend } from './backend.js';

/** An event of the cluster in the form of Docker's event stream. */
export interface SwarmEvent {
  Type: string;
  Action: 'create' | 'update' | 'remove';
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'swarm';
  time: number;
  timeNano: number;
}

/** Events kept for clients that ask for the past, as many as Docker's engine keeps. */
const historyMax = 256;
const kindsTold: ReadonlySet<string> = new Set(['Service', 'Node', 'Network', 'Secret', 'Config']);

/** What changes in the cluster, as Docker tells it. It listens while this node is a manager. */
export class EventLog {
  private readonly now: () => number;
  private readonly history: SwarmEvent[] = [];
  private readonly listeners = new Set<(event: SwarmEvent) => void>();
  private manager: ManagerBackend | undefined;
  private stop: (() => void) | undefined;

  constructor(now: () => number) {
    this.now = now;
  }

  /** Listens to the manager that this node now is, or to none any more. Cheap when nothing has changed. */
  follow(manager: ManagerBackend | undefined): void {
    if (manager === this.manager) return;
    this.stop?.();
    this.manager = manager;
    this.stop = manager?.watch((commit) => this.tell(commit));
  }

  /** The kept events, oldest first. */
  past(): readonly SwarmEvent[] {
    return this.history;
  }

  /** Calls back with every event from now on; the result stops it. */
  listen(call: (event: SwarmEvent) => void): () => void {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }

  private tell(commit: Commit): void {
    for (const change of commit.changes) {
      const event = eventOf(change, this.now());
      if (event === undefined) continue;
      this.history.push(event);
      if (this.history.length > historyMax) this.history.shift();
      for (const call of this.listeners) call(event);
    }
  }
}

function eventOf(change: Change, now_ms: number): SwarmEvent | undefined {
  if (!kindsTold.has(change.kind)) return undefined;
  const { before, after } = change;
  const Action = before === undefined ? 'create' : after === undefined ? 'remove' : 'update';
  const Attributes = Action === 'update' ? updateAttributes(change) : { name: nameOf(change) };
  if (Attributes === undefined) return undefined;
  return {
    Type: change.kind.toLowerCase(),
    Action,
    Actor: { ID: change.id, Attributes },
    scope: 'swarm',
    time: Math.floor(now_ms / 1000),
    timeNano: now_ms * 1e6,
  };
}

function nameOf(change: Change): string {
  const object = change.after ?? change.before;
  if (object === undefined || !('Spec' in object)) return '';
  if (change.kind === 'Node' && 'Description' in object) {
    return object.Description?.Hostname || object.Spec?.Name || '';
  }
  return object.Spec !== null && 'Name' in object.Spec ? object.Spec.Name : '';
}

/** The attributes of an update: what changed from what; undefined when nothing changed that is worth telling. */
function updateAttributes(change: Change): Record<string, string> | undefined {
  const attributes: Record<string, string> = { name: nameOf(change) };
  const { before, after } = change;
  if (before === undefined || after === undefined) return attributes;
  const add = (word: string, old: string | undefined, now: string | undefined) => {
    if (old === now) return;
    attributes[`${word}.old`] = old ?? '';
    attributes[`${word}.new`] = now ?? '';
  };
  if (change.kind === 'Service') {
    const [old, now] = [before, after] as NonNullable<Change<'Service'>['before']>[];
    add('image', old!.Spec?.TaskTemplate?.ContainerSpec?.Image, now!.Spec?.TaskTemplate?.ContainerSpec?.Image);
    add(
      'replicas',
      old!.Spec?.Mode?.Replicated?.Replicas?.toString(),
      now!.Spec?.Mode?.Replicated?.Replicas?.toString(),
    );
    add('updatestate', old!.UpdateStatus?.State, now!.UpdateStatus?.State);
  }
  if (change.kind === 'Node') {
    const [old, now] = [before, after] as NonNullable<Change<'Node'>['before']>[];
    add('state', old!.Status?.State, now!.Status?.State);
    add('availability', old!.Spec?.Availability, now!.Spec?.Availability);
    add('role', old!.Spec?.Role, now!.Spec?.Role);
    const isReport = old!.Version?.Index === now!.Version?.Index && Object.keys(attributes).length === 1;
    if (isReport) return undefined; // a new session or a heartbeat is no event
  }
  return attributes;
}
