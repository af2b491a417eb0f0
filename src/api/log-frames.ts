import { ShoalError } from '../model/errors.js';

/** Streams of Docker's multiplexed framing. */
export const stdoutStream = 1;
export const stderrStream = 2;
/** Ends the stream at the client with the text as its error. */
export const errorStream = 3;

/** A piece of a container's log: one line, or a part of a long one. */
export interface LogMessage {
  stream: number;
  /** RFC 3339 with nine digits: as text, these sort by time. */
  timestamp: string;
  /** The engine's own details of the message, `key=value` by comma; mostly empty. */
  details: string;
  line: Buffer;
}

const headerLength = 8;
/** Far above what an engine sends (a line is split at 16 KiB): beyond it the stream is not what we think it is. */
const frameMax_bytes = 1024 * 1024;
/** A terminal may never send a line feed: what has come by then goes out as a line. */
const lineMax_bytes = 64 * 1024;

/** A frame of the multiplexed stream. */
export function frame(stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerLength);
  header[0] = stream;
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

/** Takes an engine's log stream apart as it comes. The stream must have been asked for with timestamps. */
export class LogReader {
  private rest: Buffer = Buffer.alloc(0);
  /** What went out of a terminal's line so far: the rest of it has no time stamp of its own. */
  private unended: LogMessage | undefined;
  private readonly isRaw: boolean;
  private readonly hasDetails: boolean;

  constructor(options: { isRaw: boolean; hasDetails: boolean }) {
    this.isRaw = options.isRaw;
    this.hasDetails = options.hasDetails;
  }

  /** The messages that `chunk` completes. Throws `unavailable` on what is not a log stream. */
  push(chunk: Buffer): LogMessage[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    return this.isRaw ? this.takeLines() : this.takeFrames();
  }

  /** What is left at the end of the stream: a last line without a line feed. */
  end(): LogMessage[] {
    const rest = this.rest;
    this.rest = Buffer.alloc(0);
    return this.isRaw && rest.length > 0 ? [this.parse(stdoutStream, rest)] : [];
  }

  private takeFrames(): LogMessage[] {
    const messages: LogMessage[] = [];
    let at = 0;
    while (this.rest.length - at >= headerLength) {
      const stream = this.rest[at]!;
      const length = this.rest.readUInt32BE(at + 4);
      if (stream > errorStream || length > frameMax_bytes) throw broken();
      if (this.rest.length - at - headerLength < length) break;
      messages.push(this.parse(stream, this.rest.subarray(at + headerLength, at + headerLength + length)));
      at += headerLength + length;
    }
    this.rest = this.rest.subarray(at);
    return messages;
  }

  private takeLines(): LogMessage[] {
    const messages: LogMessage[] = [];
    let at = 0;
    for (let end = this.rest.indexOf(0x0a); end >= 0; end = this.rest.indexOf(0x0a, at)) {
      messages.push(this.parse(stdoutStream, this.rest.subarray(at, end + 1)));
      at = end + 1;
    }
    this.rest = this.rest.subarray(at);
    if (this.rest.length > lineMax_bytes) {
      const part = this.parse(stdoutStream, this.rest);
      messages.push(part);
      this.unended = part;
      this.rest = Buffer.alloc(0);
    }
    return messages;
  }

  private parse(stream: number, payload: Buffer): LogMessage {
    if (this.unended !== undefined) {
      const { timestamp, details } = this.unended;
      this.unended = undefined;
      return { stream, timestamp, details, line: payload };
    }
    const [timestamp, afterTime] = word(payload);
    const [details, line] = this.hasDetails ? word(afterTime) : ['', afterTime];
    return { stream, timestamp, details, line };
  }
}

function word(bytes: Buffer): [string, Buffer] {
  const space = bytes.indexOf(0x20);
  return space < 0 ? ['', bytes] : [bytes.toString('latin1', 0, space), bytes.subarray(space + 1)];
}

function broken(): ShoalError {
  return new ShoalError('unavailable', 'the engine sent a broken log stream');
}
