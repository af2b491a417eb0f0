import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSysctl } from '../../../src/network/kernel/sysctls.js';

describe('settings of the kernel', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'shoal-sysctl-'));
    await mkdir(join(root, 'net/ipv4'), { recursive: true });
    await writeFile(join(root, 'net/ipv4/ip_forward'), '0\n');
  });
  afterEach(() => rm(root, { recursive: true }));

  it('are written', async () => {
    await writeSysctl(root, 'net/ipv4/ip_forward', '1');
    assert.equal(await readFile(join(root, 'net/ipv4/ip_forward'), 'utf8'), '1');
  });

  it('of IPv6 are passed over by a kernel without it, and no others', async () => {
    await writeSysctl(root, 'net/ipv6/conf/shv0/disable_ipv6', '1');
    await assert.rejects(writeSysctl(root, 'net/ipv4/conf/shv0/rp_filter', '2'), { code: 'unavailable' });
  });
});
