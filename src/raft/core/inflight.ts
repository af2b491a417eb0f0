/** Appends on their way to one peer: a window limited by their number and by their bytes. */
export class Inflight {
  private readonly queue: { lastIndex: number; bytes: number }[] = [];
  private head = 0;
  private bytes = 0;

  constructor(
    private readonly maxMessages: number,
    private readonly maxBytes: number,
  ) {}

  get count(): number {
    return this.queue.length - this.head;
  }

  get full(): boolean {
    return this.count >= this.maxMessages || this.bytes >= this.maxBytes;
  }

  add(lastIndex: number, bytes: number): void {
    this.queue.push({ lastIndex, bytes });
    this.bytes += bytes;
  }

  /** The peer acknowledged everything up to `index`. */
  freeTo(index: number): void {
    while (this.head < this.queue.length) {
      const first = this.queue[this.head] as { lastIndex: number; bytes: number };
      if (first.lastIndex > index) break;
      this.bytes -= first.bytes;
      this.head++;
    }
    if (this.head > 64 && this.head * 2 > this.queue.length) {
      this.queue.splice(0, this.head);
      this.head = 0;
    }
  }

  /** Lets one more append out, so that a window whose acknowledgements were all lost cannot stay shut. */
  freeFirst(): void {
    const first = this.queue[this.head];
    if (first !== undefined) this.freeTo(first.lastIndex);
  }

  reset(): void {
    this.queue.length = 0;
    this.head = 0;
    this.bytes = 0;
  }
}
