import type { Readable } from 'node:stream';
import { CliError } from '../base/errors.js';

const header_bytes = 8;
const frame_bytes_max = 16 * 1024 * 1024; // far above any line the engine sends; a length beyond it is no length

export interface Frame {
  readonly isError: boolean;
  readonly payload: Buffer;
}

/** The frames of Docker's multiplexed log stream. Throws `CliError` when what comes is none. */
export async function* readFrames(stream: Readable): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= header_bytes) {
      const length = rest.readUInt32BE(4);
      const source = rest[0]!;
      if (source > 3 || length > frame_bytes_max)
        throw new CliError(
          `unrecognized log stream from the daemon: header ${rest.subarray(0, header_bytes).toString('hex')}`,
        );
      if (rest.length < header_bytes + length) break;
      const payload = rest.subarray(header_bytes, header_bytes + length);
      rest = rest.subarray(header_bytes + length);
      if (source === 3) throw new CliError(`error from daemon in stream: ${payload.toString('utf8').trim()}`);
      yield { isError: source === 2, payload };
    }
  }
}
