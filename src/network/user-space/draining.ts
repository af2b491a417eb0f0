import type { Target } from './rotation.js';

/** Knows which tasks are in rotation, and which are not any more but still have connections. */
export class Draining {
  /** By task: how many endpoints of it are in rotation. */
  private readonly inRotation = new Map<string, number>();
  /** Endpoints out of rotation that something is still attached to. */
  private readonly leaving = new Set<Target>();
  private readonly listeners = new Set<() => void>();

  /** `wake` is called when there is something to tick for. */
  constructor(private readonly wake: () => void) {}

  /** A rotation changed. What was on its way to a retired endpoint goes elsewhere before this returns. */
  replaced({ added, retired }: { added: readonly Target[]; retired: readonly Target[] }): void {
    for (const { address } of added) {
      this.inRotation.set(address.taskID, (this.inRotation.get(address.taskID) ?? 0) + 1);
    }
    for (const target of retired) {
      const others = (this.inRotation.get(target.address.taskID) ?? 1) - 1;
      if (others === 0) this.inRotation.delete(target.address.taskID);
      else this.inRotation.set(target.address.taskID, others);
    }
    for (const target of retired) {
      for (const attachment of [...target.attached]) attachment.retired();
      target.retired = true; // only now: a target that this emptied has nothing to report
      if (target.attached.size > 0) this.leaving.add(target);
    }
    if (this.leaving.size > 0) this.wake();
  }

  /** The last attachment of a retired endpoint is gone. */
  emptied(target: Target): void {
    if (!this.leaving.delete(target)) return;
    const { taskID } = target.address;
    if (this.inRotation.has(taskID) || [...this.leaving].some((other) => other.address.taskID === taskID)) return;
    for (const call of [...this.listeners]) call();
  }

  busyTasks(): string[] {
    const tasks = new Set<string>();
    for (const { address } of this.leaving) {
      if (!this.inRotation.has(address.taskID)) tasks.add(address.taskID);
    }
    return [...tasks];
  }

  onReleased(call: () => void): () => void {
    this.listeners.add(call);
    return () => this.listeners.delete(call);
  }

  tick(now_ms: number): boolean {
    for (const target of this.leaving) {
      for (const attachment of [...target.attached]) attachment.endIfIdle(now_ms);
    }
    return this.leaving.size > 0;
  }
}
