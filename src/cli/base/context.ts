import { readFile } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { type Clock, systemClock } from '../../model/clock.js';
import { type Client, createClient } from './client.js';
import { clientTLS } from './client-tls.js';
import { Values } from './flag.js';

export interface Output extends Writable {
  isTTY?: boolean;
  columns?: number;
}

/** All that a command may reach of the world around it; a test hands in its own. */
export interface Context {
  readonly out: Output;
  readonly err: Output;
  readonly input: Readable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** The daemon's API at the address of `-H`, the environment, or the default. Connects when first used. */
  readonly client: Client;
  readFile(path: string): Promise<Buffer>;
  /** Waits, and keeps the program alive meanwhile. `cancel` ends the wait early. */
  sleep(delay_ms: number, cancel?: AbortSignal): Promise<void>;
  /** Calls at Ctrl-C instead of ending the program; the result stops that. */
  onInterrupt(call: () => void): () => void;
  /** Lets go of the daemon. */
  close(): void;
}

/** The address of the daemon when the command line names none. */
export const defaultHost = 'unix:///var/run/shoal.sock';

/** The real world, with the daemon at `host` (undefined: the environment's, or the default), reached as the flags before the command say. */
export function systemContext(host: string | undefined, globals: Values = new Values()): Context {
  const address = host ?? (process.env.SHOAL_HOST || process.env.DOCKER_HOST || defaultHost);
  let client: Client | undefined;
  return {
    out: process.stdout,
    err: process.stderr,
    input: process.stdin,
    env: process.env,
    clock: systemClock,
    get client() {
      client ??= createClient(address, clientTLS(process.env, globals));
      return client;
    },
    readFile: (path) => readFile(path),
    sleep: (delay_ms, cancel) =>
      wait(delay_ms, undefined, cancel === undefined ? {} : { signal: cancel }).catch(() => undefined),
    onInterrupt(call) {
      process.on('SIGINT', call);
      return () => process.off('SIGINT', call);
    },
    close: () => client?.close(),
  };
}
