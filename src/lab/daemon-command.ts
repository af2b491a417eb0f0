import { join } from 'node:path';
import { packageRoot } from '../model/paths.js';

/** The command line of this very Shoal. */
export function shoalCommand(...args: string[]): string[] {
  return [process.execPath, join(packageRoot(), 'bin', 'shoal'), ...args];
}

export interface DaemonPlace {
  stateDirectory: string;
  apiSocket: string;
  engineSocket: string;
  address: string;
  /** Others have the same ports at other addresses. */
  sharesMachine: boolean;
}

/** `shoal daemon` for a host of a lab. */
export function daemonCommand(place: DaemonPlace, extraFlags: readonly string[]): string[] {
  return shoalCommand(
    'daemon',
    '--state-dir',
    place.stateDirectory,
    '--host',
    `unix://${place.apiSocket}`,
    '--engine-socket',
    place.engineSocket,
    '--listen-addr',
    `${place.address}:2377`,
    '--advertise-addr',
    place.address,
    ...(place.sharesMachine ? ['--publish-addr', place.address] : []),
    ...extraFlags,
  );
}
