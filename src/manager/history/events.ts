import type { Service } from '../../model/types.js';
import type { Change, Commit, Kind, Tables } from '../../store/view.js';

/** A swarm-scope event in the shape of the Engine API's `GET /events`. */
export interface ClusterEvent {
  Type: 'service' | 'node' | 'secret' | 'config' | 'network';
  Action: 'create' | 'update' | 'remove';
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'swarm';
  /** Seconds since 1970, and the same in nanoseconds. */
  time: number;
  timeNano: number;
}

const types: Partial<Record<Kind, ClusterEvent['Type']>> = {
  Service: 'service',
  Node: 'node',
  Secret: 'secret',
  Config: 'config',
  Network: 'network',
};

/**
 * What happened in a commit, as Docker tells it (daemon/cluster/events of moby: the object's name and, of an update, what changed from
 * what to what). Changes that no client would see give none.
 */
export function eventsOf(commit: Commit, now_ms: number): ClusterEvent[] {
  const said_ms = Date.parse(commit.time);
  const at_ms = Number.isNaN(said_ms) ? now_ms : said_ms; // of an entry that is applied again after a restart: when it happened
  return commit.changes.flatMap((change) => {
    const Type = types[change.kind];
    if (Type === undefined) return [];
    const Action = change.before === undefined ? 'create' : change.after === undefined ? 'remove' : 'update';
    const Attributes = attributesOf(change);
    if (Action === 'update' && !tells(change, Attributes)) return [];
    return [
      {
        Type,
        Action,
        Actor: { ID: change.id, Attributes },
        scope: 'swarm',
        time: Math.floor(at_ms / 1000),
        timeNano: at_ms * 1e6,
      },
    ];
  });
}

/** An update counts when its desired fields changed, or an observed one that Docker reports (a node's state). */
function tells(change: Change, attributes: Record<string, string>): boolean {
  return (
    change.before?.Version?.Index !== change.after?.Version?.Index ||
    Object.keys(attributes).some((key) => key.endsWith('.new'))
  );
}

function attributesOf(change: Change): Record<string, string> {
  const subject = change.after ?? change.before;
  const attributes: Record<string, string> = { name: nameOf(change.kind, subject) };
  const note = (key: string, before: unknown, after: unknown) => {
    if (before === after || before === undefined || after === undefined) return;
    attributes[`${key}.old`] = String(before);
    attributes[`${key}.new`] = String(after);
  };
  if (change.before === undefined || change.after === undefined) return attributes;
  if (is(change, 'Service')) {
    note('image', imageOf(change.before), imageOf(change.after));
    note('replicas', change.before?.Spec?.Mode?.Replicated?.Replicas, change.after?.Spec?.Mode?.Replicated?.Replicas);
    note('updatestate', change.before?.UpdateStatus?.State ?? '', change.after?.UpdateStatus?.State ?? '');
  } else if (is(change, 'Node')) {
    note('state', change.before?.Status?.State, change.after?.Status?.State);
    note('availability', change.before?.Spec?.Availability, change.after?.Spec?.Availability);
    note('role', change.before?.Spec?.Role, change.after?.Spec?.Role);
  }
  return attributes;
}

function is<K extends Kind>(change: Change, kind: K): change is Change<K> {
  return change.kind === kind;
}

function nameOf(kind: Kind, subject: Tables[Kind] | undefined): string {
  if (subject === undefined || kind === 'Task') return '';
  if (kind === 'Node') return (subject as Tables['Node']).Description?.Hostname ?? '';
  return (subject as Tables['Service']).Spec?.Name ?? '';
}

const imageOf = (service: Service | undefined) => service?.Spec?.TaskTemplate?.ContainerSpec?.Image;
