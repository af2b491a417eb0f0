import type { Writable } from 'node:stream';

/** Sends on a stream of which only the newest message counts: what the other end has not taken yet is replaced, never queued. */
export class NewestOnly<Message> {
  private next: Message | undefined;
  private full = false;

  constructor(private readonly stream: Writable) {
    stream.on('drain', () => {
      this.full = false;
      const { next } = this;
      this.next = undefined;
      if (next !== undefined) this.send(next);
    });
  }

  send(message: Message): void {
    if (this.full) this.next = message;
    else this.full = !this.stream.write(message);
  }
}
