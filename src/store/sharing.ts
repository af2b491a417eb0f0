import { taskStates } from '../model/states.js';
import type { Task } from '../model/types.js';

// A hundred thousand tasks say the same few things: what they have in common is kept once. That is most of a task's memory, and with it most
// of what the garbage collector moves about while tasks come and change by the thousand.

const states = new Map<string, string>(taskStates.map((state) => [state, state]));
const noItems = Object.freeze([]) as readonly unknown[];
const noLabels: Readonly<Record<string, never>> = Object.freeze({});

/** Texts that were met lately, each once. Forgets all when there are too many. */
class Texts {
  private readonly known = new Map<string, string>();

  one(text: string): string {
    const known = this.known.get(text);
    if (known !== undefined) return known;
    if (text.length > textLength_max) return text;
    if (this.known.size >= texts_max) this.known.clear();
    this.known.set(text, text);
    return text;
  }
}

const textLength_max = 64;
const texts_max = 5_000; // ids of services and nodes, their messages, and times that many have

function itemsOf<T>(list: T[]): T[] {
  return list.length === 0 ? (noItems as T[]) : list;
}

function labelsOf(labels: Record<string, string>): Record<string, string> {
  for (const _ in labels) return labels;
  return noLabels;
}

/**
 * Makes parts of tasks that are equal one and the same. It writes to what it is given, though never anything that could be told from what is
 * there, so that an object which others hold already stays what it was.
 */
export class Sharing {
  private readonly texts = new Texts();

  /** A task that was just read from an entry or a snapshot. */
  whole(task: Task): void {
    const { texts } = this;
    task.Labels = labelsOf(task.Labels);
    task.ServiceLabels = labelsOf(task.ServiceLabels);
    task.AssignedGenericResources = itemsOf(task.AssignedGenericResources);
    task.NetworksAttachments = itemsOf(task.NetworksAttachments);
    task.Failures = itemsOf(task.Failures);
    task.ServiceID = texts.one(task.ServiceID);
    task.ServiceName = texts.one(task.ServiceName);
    task.NodeID = texts.one(task.NodeID);
    task.CreatedAt = texts.one(task.CreatedAt);
    task.UpdatedAt = texts.one(task.UpdatedAt);
    task.DesiredState = states.get(task.DesiredState) ?? task.DesiredState;
    this.status(task);
  }

  /** One of which nothing but the status is new. */
  status({ Status }: Task): void {
    if (Status === null) return;
    const { texts } = this;
    Status.State = states.get(Status.State) ?? Status.State;
    Status.Message = texts.one(Status.Message);
    Status.AppliedBy = texts.one(Status.AppliedBy);
    Status.AppliedAt = texts.one(Status.AppliedAt);
    Status.RunningAt = texts.one(Status.RunningAt);
    Status.Timestamp = texts.one(Status.Timestamp);
    Status.Addresses = itemsOf(Status.Addresses);
  }
}
