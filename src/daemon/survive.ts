import type { Logger } from 'winston';

// What a connection that somebody else broke may throw where nobody listens any more. None of it touches our own state.
const ofConnections = new Set([
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ECANCELED',
  'ETIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
  'ERR_HTTP2_INVALID_STREAM',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP_HEADERS_SENT',
]);

/**
 * What happens to errors that nobody caught: those of connections and of forgotten promises are logged; any other ends the process,
 * because state that a mistake has left half-changed must not be replicated. `ended` gets the log out first.
 */
export function surviveErrors(log: Logger, ended: () => void): void {
  process.on('unhandledRejection', (error) => log.error('a promise was rejected and nobody looked', { error }));
  process.on('uncaughtException', (error: NodeJS.ErrnoException) => {
    if (error.code !== undefined && ofConnections.has(error.code)) {
      log.error('an error of a connection was not caught', { error });
      return;
    }
    log.error('fatal: an error was not caught', { error });
    ended();
  });
}
