/** Why a command stopped: the text for standard error and the exit code. A command line that cannot be read is 125, as Docker's. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CliError';
    this.exitCode = options.exitCode ?? 1;
  }
}

/** The daemon's own "no": what it said, and the HTTP status. */
export class DaemonError extends CliError {
  readonly status: number;

  /** `told`: how the user is told of it, where that is not by the daemon's own message. */
  constructor(status: number, message: string, told = `Error response from daemon: ${message}`) {
    super(told);
    this.name = 'DaemonError';
    this.status = status;
  }
}

/** There is no daemon to be reached where the command looks for one, or none that lets it in. */
export class NoDaemonError extends CliError {}
