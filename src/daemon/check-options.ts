import { isIP } from 'node:net';
import { ShoalError } from '../model/errors.js';
import { listenAddress } from './addresses.js';
import type { DaemonOptions } from './options.js';

const bad = (message: string) => new ShoalError('invalid-argument', message);

/** Throws `invalid-argument`, which names the flag and what is allowed, for what no daemon could run with. */
export function checkOptions(options: DaemonOptions): void {
  const { stateDirectory, apiHosts, engineSocket, publishAddress, historyURL } = options;
  // An empty one would be the directory that the daemon happens to be started in.
  if (stateDirectory === '') throw bad('--state-dir: is empty; name a directory, such as /var/lib/shoal');
  if (apiHosts.length === 0) throw bad('--host: at least one is needed');
  if (!/^(unix:\/\/)?\//.test(engineSocket)) {
    throw bad(`--engine-socket ${JSON.stringify(engineSocket)}: must be /PATH or unix:///PATH`);
  }
  listenAddress('', options.listenAddress, {});
  if (publishAddress !== '' && isIP(publishAddress) === 0) {
    throw bad(`--publish-addr ${JSON.stringify(publishAddress)}: must be an IP address of this machine`);
  }
  if (historyURL !== '' && !(/^rediss?:\/\//.test(historyURL) && URL.canParse(historyURL))) {
    throw bad('--history: must be redis://host:port or rediss://host:port'); // it may have a password in it
  }
}
