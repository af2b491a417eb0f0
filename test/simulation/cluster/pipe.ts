import type { World } from '../world.js';
import type { Links } from './links.js';

// What grpc-js does to a connection of ours that is silent: a ping after 10 s, the end after 10 s more (security/listener.ts).
const keepalive_ms = 20_000;
/** A sender tries again later and later while nothing gets through. */
const retransmit_ms_max = 800;

/** One direction of a connection: in order and complete, as TCP has it; what is cut waits, and not for ever. */
export class Pipe<Item> {
  private readonly queue: Item[] = [];
  private isMoving = false;
  private isBroken = false;
  private stalledSince = Number.NaN;

  constructor(
    private readonly world: World,
    private readonly links: Links,
    private readonly from: string,
    private readonly to: string,
    private readonly deliver: (items: Item[]) => void,
    /** Nothing got through for too long. */
    private readonly broke: () => void,
  ) {}

  get length(): number {
    return this.queue.length;
  }

  send(item: Item): void {
    if (this.isBroken) return;
    this.queue.push(item);
    this.move();
  }

  /** What is on its way is lost. */
  clear(): void {
    this.queue.length = 0;
  }

  /** Nothing more comes out of it. */
  close(): void {
    this.isBroken = true;
    this.queue.length = 0;
  }

  private move(): void {
    if (this.isMoving || this.isBroken || this.queue.length === 0) return;
    this.isMoving = true;
    const count = this.queue.length;
    this.world.after(this.links.delay_ms(this.from, this.to), () => this.arrive(count));
  }

  private arrive(count: number): void {
    if (this.isBroken) return;
    if (!this.links.passes(this.from, this.to)) {
      this.stall(count);
      return;
    }
    this.stalledSince = Number.NaN;
    this.isMoving = false;
    this.deliver(this.queue.splice(0, count));
    this.move();
  }

  private stall(count: number): void {
    if (Number.isNaN(this.stalledSince)) {
      const since = this.world.now_ms;
      this.stalledSince = since;
      this.world.after(keepalive_ms, () => {
        if (this.stalledSince === since && !this.isBroken) this.broke();
      });
    }
    this.links.onHeal(() => this.world.after(this.world.random.below(retransmit_ms_max), () => this.arrive(count)));
  }
}
