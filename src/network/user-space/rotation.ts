import type { Random } from '../../model/random.js';
import type { EndpointAddress } from './checked-route.js';

/** What holds on to a target: a TCP connection or the flow of a UDP client. */
export interface Attachment {
  /** The target has left rotation: what has not reached it yet must go elsewhere, now. */
  retired(): void;
  /** The target is to be set free: ends if nothing is under way. */
  endIfIdle(now_ms: number): void;
}

/** After a failed connect an endpoint gets no more tries for this long (as long as there are others). */
const suspicion_ms = 3000;
/** So many endpoints are looked at for one that is not suspect; keeps a pick cheap when thousands are dead. */
const looksMax = 256;

/** One endpoint of one route. Its attachments outlive its place in the rotation. */
export class Target {
  readonly attached = new Set<Attachment>();
  /** Set once, when it leaves rotation for good; an endpoint that comes back is a new target. */
  retired = false;
  private suspectUntil_ms = 0;

  constructor(
    readonly address: EndpointAddress,
    private readonly emptied: (target: Target) => void,
  ) {}

  attach(attachment: Attachment): void {
    this.attached.add(attachment);
  }

  detach(attachment: Attachment): void {
    if (this.attached.delete(attachment) && this.retired && this.attached.size === 0) this.emptied(this);
  }

  suspect(now_ms: number): void {
    this.suspectUntil_ms = now_ms + suspicion_ms;
  }

  isSuspect(now_ms: number): boolean {
    return this.suspectUntil_ms > now_ms;
  }
}

/** Whose turn it is among the endpoints of one route. */
export class Rotation {
  /** A client goes to one endpoint, by its address, while the endpoints stay the same. */
  isSticky = false;
  /** What is said on its connections is never changed. */
  isOpaque = false;
  private targets: Target[] = [];
  private byKey = new Map<string, Target>();
  private next = 0;

  /** The first pick is by chance: else every node would send its first client to the same task. */
  constructor(
    private readonly random: Random,
    private readonly emptied: (target: Target) => void,
  ) {}

  get size(): number {
    return this.targets.length;
  }

  /** Makes the endpoints so. Those that stay keep their target and their turn. */
  replace(addresses: readonly EndpointAddress[]): { added: Target[]; retired: Target[] } {
    const nextUp = this.targets[this.next];
    const kept = new Map<string, Target>();
    const added: Target[] = [];
    for (const address of addresses) {
      let target = this.byKey.get(address.key);
      if (target === undefined) {
        target = new Target(address, this.emptied);
        added.push(target);
      }
      kept.set(address.key, target);
    }
    const retired = this.targets.filter((target) => !kept.has(target.address.key));
    this.byKey = kept;
    this.targets = [...kept.values()];
    const turn = nextUp === undefined ? -1 : this.targets.indexOf(nextUp);
    this.next = turn >= 0 ? turn : this.targets.length === 0 ? 0 : this.random.below(this.targets.length);
    return { added, retired };
  }

  /**
   * The next endpoint that is not in `tried`, from the client's own on where clients are sticky; one under suspicion only when there is no
   * other. Undefined: all were tried. `client` is asked for its address.
   */
  pick(now_ms: number, tried: ReadonlySet<Target>, client: () => string): Target | undefined {
    const count = this.targets.length;
    const first = this.isSticky ? placeOf(client()) : this.next;
    let lastResort = -1;
    for (let step = 0; step < count && step < looksMax; step++) {
      const at = (first + step) % count;
      const target = this.targets[at]!;
      if (tried.has(target)) continue;
      if (!target.isSuspect(now_ms)) return this.take(at);
      if (lastResort < 0) lastResort = at;
    }
    return lastResort < 0 ? undefined : this.take(lastResort);
  }

  private take(at: number): Target {
    this.next = (at + 1) % this.targets.length;
    return this.targets[at]!;
  }
}

/** The same on every node, so that it does not matter which one a client asks (FNV-1a, 32 bits). */
function placeOf(client: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < client.length; at++) hash = Math.imul(hash ^ client.charCodeAt(at), 0x01000193) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}
