import assert from 'node:assert/strict';
import { checkOptions } from '../../../src/daemon/check-options.js';
import { type DaemonOptions, defaultDaemonOptions } from '../../../src/daemon/options.js';

describe('the options of the daemon', () => {
  const check = (options: Partial<DaemonOptions>) => checkOptions({ ...defaultDaemonOptions, ...options });

  it('are sound as they are when nothing is said', () => {
    check({});
    check({ publishAddress: '::1', engineSocket: 'unix:///x', historyURL: 'redis://h:1', listenAddress: '[::1]:1' });
  });

  it('are refused by the name of the flag', () => {
    const wrong: [Partial<DaemonOptions>, RegExp][] = [
      [{ stateDirectory: '' }, /^--state-dir: is empty/], // it would be wherever the daemon is started
      [{ apiHosts: [] }, /^--host: at least one/],
      [{ engineSocket: '' }, /^--engine-socket "": must be \/PATH or unix/],
      [{ engineSocket: 'tcp://127.0.0.1:2375' }, /^--engine-socket "tcp/], // tunnels and the pass-through use a socket
      [{ listenAddress: 'nowhere' }, /^listen address must be/],
      [{ publishAddress: 'nowhere' }, /^--publish-addr "nowhere": must be an IP address/],
      [{ historyURL: 'http://x' }, /^--history: must be redis/],
    ];
    for (const [options, message] of wrong) assert.throws(() => check(options), { code: 'invalid-argument', message });
  });
});
