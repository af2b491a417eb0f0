/** A message as DNS over TCP has it: its length in two bytes before it (RFC 1035, 4.2.2). */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.alloc(message.length + 2);
  framed.writeUInt16BE(message.length, 0);
  message.copy(framed, 2);
  return framed;
}

/** Cuts a byte stream into messages. Holds at most one that is not whole, 64 KB. */
export class Frames {
  private rest = Buffer.alloc(0);

  *add(bytes: Buffer): Iterable<Buffer> {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= 2 && this.rest.length >= 2 + this.rest.readUInt16BE(0)) {
      const end = 2 + this.rest.readUInt16BE(0);
      const message = this.rest.subarray(2, end);
      this.rest = this.rest.subarray(end);
      yield message;
    }
  }
}
