import type { Output } from './run.js';

/** One host of a lab, whatever it is made of. */
export interface Host {
  readonly index: number;
  readonly name: string;
  /** Where its daemon advertises itself and its published ports answer. */
  readonly address: string;
  readonly engineSocket: string;
  readonly apiSocket: string;
  readonly daemonLog: string;

  /** Boots it: engine and daemon answer when this resolves. Does nothing when it is up. */
  start(): Promise<void>;
  /** Power cut: everything on it is gone at once, its disk stays. */
  crash(): Promise<void>;
  /** Shuts the daemon down and then the host, and removes what only lives while it runs. */
  stop(): Promise<void>;

  startDaemon(): Promise<void>;
  /** Signals the daemon and waits until it has ended (SIGSTOP and SIGCONT: does not wait). */
  signalDaemon(name: NodeJS.Signals): Promise<void>;

  /** Cuts it off the network, or joins it again. */
  partition(): Promise<void>;
  heal(): Promise<void>;

  exec(command: readonly string[]): Promise<Output>;
  /** Like `exec`, on this process's own terminal; resolves with the exit code. */
  interact(command: readonly string[]): Promise<number>;
  isUp(): boolean;
  isDaemonUp(): Promise<boolean>;
}

export interface HostOptions {
  /** Flags for `dockerd` beyond the lab's own. */
  engineFlags: readonly string[];
  /** Flags for `shoal daemon` beyond the lab's own; undefined: no daemon, only the engine. */
  daemonFlags: readonly string[] | undefined;
}
