import assert from 'node:assert/strict';
import { createLogger } from 'winston';
import { ShoalError } from '../../../src/model/errors.js';
import { KernelNetworks } from '../../../src/network/kernel/kernel-networks.js';
import { meshObstacle } from '../../../src/network/kernel/probe.js';
import { type KernelTools, systemTools } from '../../../src/network/kernel/tools.js';
import { ManualClock } from '../../helpers/manual-clock.js';

const tools = (run: KernelTools['run']): KernelTools => ({
  run,
  async setSysctl() {},
  sysctl: () => undefined,
  hasDevice: () => false,
});

describe('the question whether the kernel can balance', () => {
  it('is not answered by a device that a killed daemon left, and leaves none itself', async () => {
    let isThere = true;
    const obstacle = await meshObstacle(
      tools(async (_command, [kind, action]) => {
        if (kind !== 'link') return '';
        if (isThere === (action === 'add')) throw new ShoalError('unavailable', 'File exists');
        isThere = action === 'add';
        return '';
      }),
    );
    assert.deepEqual([obstacle, isThere], [undefined, false]);
  });
});

describe('a machine without the tools', () => {
  it('has nothing to be removed, and that is no failure', async () => {
    const warnings: unknown[] = [];
    const log = createLogger({ silent: true });
    log.warn = ((...words: unknown[]) => warnings.push(words)) as never;
    log.error = log.warn;
    const missing = tools((command) => systemTools.run(`${command}-that-is-not-here` as 'ip', []));
    const clock = new ManualClock();
    const kernel = new KernelNetworks({
      nodeID: 'me',
      tools: missing,
      plane: undefined,
      clock,
      log,
    });
    await kernel.apply({ peers: new Map(), networks: new Map(), services: new Map() });
    await kernel.close();
    assert.deepEqual([warnings, kernel.error], [[], '']);
  });
});
