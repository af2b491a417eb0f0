import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from 'winston';
import type { ApiAddress } from '../api/listening.js';
import { createApiServer } from '../api/server.js';
import { AttendedClock } from '../model/attended-clock.js';
import { systemClock } from '../model/clock.js';
import { messageOf, ShoalError } from '../model/errors.js';
import { packageRoot } from '../model/paths.js';
import { systemRandom as random } from '../model/random.js';
import { DockerEngine } from '../worker/docker-engine.js';
import { apiAddresses } from './api-hosts.js';
import { checkOptions } from './check-options.js';
import { closeProcess } from './closed-process.js';
import { Daemon } from './daemon.js';
import { connectEngineSocket } from './engine-socket.js';
import { streamEngineSocket } from './engine-stream.js';
import { historyAt } from './event-history.js';
import { encryptionHere, kernelPlaneFor, kernelToolsHere } from './kernel-use.js';
import { lockStateDirectory } from './lock.js';
import { createLog } from './log.js';
import { makeDirectory } from './make-directory.js';
import { type DaemonOptions, defaultDaemonOptions } from './options.js';
import type { Parts } from './parts.js';
import { comeFirst } from './priority.js';
import { openRaft, prepareRaft } from './raft.js';
import { surviveErrors } from './survive.js';
import { clearWorkerSide, startWorkerSide } from './worker-side.js';

export type { DaemonOptions };
export { defaultDaemonOptions };

const linger_ms_max = 500;
const stop_ms_max = 20_000; // systemd and Docker give up on us a little later

/** The version in package.json. */
function shoalVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}

/** A daemon that is in no cluster yet uses no engine: that there is none to use is better known now than when tasks come. */
async function sayEngine(engine: DockerEngine, socket: string, log: Logger): Promise<void> {
  try {
    log.info('the Docker Engine answers', { socket, version: (await engine.info()).version });
  } catch (error) {
    log.warn('the Docker Engine does not answer: this node can run nothing until it does', {
      socket,
      reason: messageOf(error),
    });
  }
}

/** Throws `failed-precondition`, which names the address and what to do, when the API cannot be served there. */
async function serve(api: ReturnType<typeof createApiServer>, host: ApiAddress): Promise<void> {
  try {
    if ('path' in host) makeDirectory(dirname(host.path));
    await api.listen(host);
  } catch (error) {
    if (error instanceof ShoalError) throw error;
    const where = 'path' in host ? `unix://${host.path}` : `tcp://${host.host}:${host.port}`;
    const isDenied = ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '');
    const then = isDenied ? '. Run the daemon as root, or name a place of your own with --host' : '';
    throw new ShoalError('failed-precondition', `--host ${where}: cannot be served: ${messageOf(error)}${then}`, {
      cause: error,
    });
  }
}

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal(): Promise<string> {
  return new Promise((done) => {
    let signals = 0;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        signals += 1;
        if (signals > 1) process.exit(1);
        done(signal);
      });
    }
  });
}

/**
 * Runs the daemon until SIGTERM or SIGINT, then stops it cleanly: a leading manager hands over first, containers run on. Throws
 * ShoalError when it cannot start: options that make no sense, a state directory that another daemon has, a socket that is taken.
 */
export async function runDaemon(given: Partial<DaemonOptions>): Promise<void> {
  const options: DaemonOptions = { ...defaultDaemonOptions, ...given };
  checkOptions(options);
  const log = createLog(options.logLevel);
  const hosts = apiAddresses(options, log);
  closeProcess(log);
  comeFirst(log);
  const lock = await lockStateDirectory(resolve(options.stateDirectory));
  const stopping = stopSignal();
  surviveErrors(log, () => {
    log.once('finish', () => process.exit(1));
    log.end();
    setTimeout(() => process.exit(1), 1_000);
  });

  const clock = new AttendedClock(systemClock);
  const kernel = await kernelToolsHere();
  const kernelTools = 'missing' in kernel ? undefined : kernel;
  const kernelPlane = await kernelPlaneFor(options, kernel, log);
  const encryption = await encryptionHere(kernel, random, log);
  const engine = new DockerEngine(options.engineSocket, clock);
  const engineSocket = options.engineSocket.replace(/^unix:\/\//, '');
  const parts: Parts = {
    clock,
    random,
    log,
    connectEngine: () => connectEngineSocket(engineSocket),
    streamEngine: () => streamEngineSocket(engineSocket, clock),
    prepareRaft,
    openRaft: (place) => openRaft(place, { clock, random, log: log.child({ part: 'raft' }) }),
    startWorker: (place) =>
      startWorkerSide(place, {
        engine,
        hostname: options.hostname || hostname(),
        labels: options.labels,
        genericResources: options.genericResources,
        publishAddress: options.publishAddress,
        kernelTools,
        kernelPlane,
        encryption,
        clock,
        random,
        log,
      }),
    clearNode: (nodeID) => clearWorkerSide(nodeID, { engine, kernelTools, clock, log }),
  };
  const version = shoalVersion();
  const daemon = new Daemon(parts, { ...options, stateDirectory: resolve(options.stateDirectory) }, version);
  const newHistory = historyAt(options.historyURL, () => daemon.clusterID, log);
  const api = createApiServer(daemon, { log: log.child({ part: 'api' }), clock, random, newHistory });
  try {
    // The API first: a node that takes long to come back can be asked why.
    for (const host of hosts) await serve(api, host);
    log.info('daemon started', {
      version,
      process: process.pid,
      hosts: options.apiHosts,
      state: options.stateDirectory,
    });
    void sayEngine(engine, options.engineSocket, log);
    await daemon.start();
    const signal = await stopping;
    log.info('stopping', { signal });
  } finally {
    const late = setTimeout(() => {
      log.error('stopping takes too long; the process ends all the same');
      process.exit(1);
    }, stop_ms_max);
    await daemon.stop().catch((error) => log.error('stopping failed', { reason: messageOf(error) }));
    await api.close();
    await lock.release();
    clearTimeout(late);
    log.info('stopped');
    // A connection attempt that a library has not given up yet must not keep the process.
    setTimeout(() => process.exit(), linger_ms_max).unref();
  }
}
