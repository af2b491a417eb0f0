import winston, { type Logger } from 'winston';
import type { DaemonOptions } from './options.js';

/** The fields of an error that help to understand it; winston would write it as `{}`. */
const readableErrors = winston.format((info) => {
  for (const [key, value] of Object.entries(info)) {
    if (value instanceof Error) info[key] = { ...value, message: value.message, stack: value.stack };
  }
  return info;
});

/** The daemon's log: a JSON object a line, on standard error. Each part gets `log.child({ part: … })`. */
export function createLog(level: DaemonOptions['logLevel']): Logger {
  // Whoever read the log may end before the daemon. That must not count as an error to be logged: each line of it would make the next.
  process.stderr.on('error', () => {});
  return winston.createLogger({
    level,
    format: winston.format.combine(readableErrors(), winston.format.timestamp(), winston.format.json()),
    transports: [new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
    exitOnError: false,
  });
}
