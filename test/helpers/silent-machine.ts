import { ShoalError } from '../../src/model/errors.js';
import type { KernelTools } from '../../src/network/kernel/tools.js';
import type { SimulatedEngine } from './simulated-engine.js';

/** A machine on which commands do nothing but are remembered; its bridges are those of the engine. */
export class SilentMachine implements KernelTools {
  readonly asked: string[] = [];
  hasTunnel = false;
  table = '';

  constructor(private readonly engine: SimulatedEngine) {}

  async run(command: string, args: readonly string[], input = ''): Promise<string> {
    const line = `${command} ${args.join(' ')}`;
    if (line === 'ip -j -d addr show') return JSON.stringify([this.underlay, ...this.tunnel(), ...this.bridges()]);
    if (line.startsWith('nft list')) {
      if (this.table === '') throw new ShoalError('unavailable', 'No such file or directory');
      return this.table;
    }
    if (command === 'nft')
      this.table = input.startsWith('table ip shoal\ndelete table ip shoal\n') && !input.includes('{') ? '' : input;
    if (input.includes('link add shv0')) this.hasTunnel = true;
    if (input.includes('link del shv0')) this.hasTunnel = false;
    this.asked.push(`${line} ${input}`);
    return '';
  }
  async setSysctl(): Promise<void> {}
  /** As a kernel without IPv6 has it. */
  sysctl: (path: string) => string | undefined = () => undefined;
  hasDevice(name: string): boolean {
    return name === 'shv0' && this.hasTunnel;
  }
  private readonly underlay = {
    ifname: 'eth0',
    mtu: 1400,
    flags: ['UP'],
    addr_info: [{ family: 'inet', local: '192.168.0.1', prefixlen: 24 }],
  };
  private tunnel() {
    const there = { ifname: 'shv0', mtu: 1350, flags: ['UP'], address: '', addr_info: [] };
    return this.hasTunnel ? [there] : [];
  }
  private bridges() {
    return [...this.engine.bridges.values()].map(({ config }) => ({
      ifname: config.Options['com.docker.network.bridge.name'],
      mtu: 1350,
      flags: ['UP'],
      linkinfo: { info_kind: 'bridge' },
      addr_info: [],
    }));
  }
}
