import { Writable } from 'node:stream';
import { createLogger, format, type Logger, transports } from 'winston';

/** A log at the daemon's ordinary level, and what was written to it. */
export function logLines(): { log: Logger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  return {
    log: createLogger({ level: 'info', format: format.json(), transports: [new transports.Stream({ stream })] }),
    lines,
  };
}
