import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createLogger } from 'winston';
import { complete } from '../../../src/model/codec.js';
import { ShoalError } from '../../../src/model/errors.js';
import { seededRandom } from '../../../src/model/random.js';
import type { DataPathKey, NetworkService } from '../../../src/model/types.js';
import { desiredEncrypted, desiredKernel, tunnelMTU } from '../../../src/network/kernel/desired.js';
import { Encryption, removeProgram } from '../../../src/network/kernel/encryption/encryption.js';
import { observeProgram } from '../../../src/network/kernel/encryption/observed.js';
import { encryptingPeers } from '../../../src/network/kernel/encryption/peers.js';
import { encryptionObstacle, epochHere } from '../../../src/network/kernel/encryption/probe.js';
import {
  emptyProgram,
  type Policy,
  type Program,
  programCommands,
  programFor,
  type State,
  withoutKey,
} from '../../../src/network/kernel/encryption/program.js';
import { type End, sealOf } from '../../../src/network/kernel/encryption/seals.js';
import { encryptedTunnel, plainTunnel } from '../../../src/network/kernel/names.js';
import { rules6For, rulesFor } from '../../../src/network/kernel/rules.js';
import type { KernelTools } from '../../../src/network/kernel/tools.js';
import type { NetworkItems } from '../../../src/network/network-table.js';

const key = (Generation: number): DataPathKey => ({ Generation, Key: Buffer.alloc(32, Generation), CreatedAt: 'then' });
const keys = (...generations: number[]) => generations.map(key);
const end = (number: number, epoch = 7): End => ({
  ID: `node${number}`,
  Number: number,
  epoch,
  address: `192.168.0.${number}`,
});
const hex = (number: number) => `0x${number.toString(16).padStart(8, '0')}`;

/** The kernel's IPsec, as `ip xfrm` shows and changes it. */
class Machine implements KernelTools {
  states: State[] = [];
  policies: Policy[] = [];
  /** What the kernel says to one that would add a state. */
  refusal = '';
  lines: string[] = [];
  /** As one that is locked down does (kernel_lockdown.7). */
  hidesKeys = false;

  async run(command: string, args: readonly string[], input = ''): Promise<string> {
    assert.equal(command, 'ip');
    if (args.includes('list')) return args.includes('state') ? this.shownStates() : this.shownPolicies();
    assert.ok(!args.join(' ').includes('aead'), 'keys are not among the arguments');
    for (const line of input.split('\n').filter((one) => one !== '')) this.carryOut(line);
    return '';
  }

  private carryOut(line: string): void {
    this.lines.push(line);
    const word = line.split(' ');
    const after = (name: string) => word[word.indexOf(name) + 1] ?? '';
    const [, kind, action] = word;
    const [from, to, spi] = [after('src'), after('dst'), Number(after('spi'))];
    if (kind === 'state') {
      const at = this.states.findIndex((one) => one.to === to && one.spi === spi);
      if (action === 'delete') {
        if (at < 0) throw new ShoalError('unavailable', 'RTNETLINK answers: No such process');
        this.states.splice(at, 1);
        return;
      }
      if (this.refusal !== '') {
        throw new ShoalError('unavailable', `ip -batch -: Error: ${this.refusal}.\nCommand failed -:1: ${line}`);
      }
      assert.ok(at < 0, `${line}: there is one`);
      assert.match(line, / mode transport replay-window 512 flag esn aead rfc4106\(gcm\(aes\)\) 0x[0-9a-f]{40} 128$/);
      this.states.push({ from, to, spi, reqid: Number(after('reqid')), key: after('rfc4106(gcm(aes))').slice(2) });
      return;
    }
    const direction = after('dir') as Policy['direction'];
    const port = Number(after('dport'));
    this.policies = this.policies.filter(
      (one) => one.from !== from || one.to !== to || one.direction !== direction || one.port !== port,
    );
    if (action === 'delete') return;
    const template = / tmpl src (\S+) dst (\S+) proto esp(?: spi (\S+))? reqid (\d+) mode transport$/.exec(line);
    const seal = template
      ? { from: template[1]!, to: template[2]!, spi: Number(template[3] ?? 0), reqid: Number(template[4]) }
      : undefined;
    assert.equal(seal === undefined, line.includes('action block'));
    this.policies.push({ direction, from, to, port, priority: Number(after('priority')), seal });
  }

  private shownStates(): string {
    const shown = this.states.map(
      ({ from, to, spi, reqid, key: digits }) =>
        `src ${from} dst ${to}\n\tproto esp spi ${hex(spi)} reqid ${reqid} mode transport\n\treplay-window 0 flag esn\n\taead rfc4106(gcm(aes)) 0x${this.hidesKeys ? digits.replace(/./g, '0') : digits} 128\n\tanti-replay esn context:\n\t seq-hi 0x0, seq 0x0, oseq-hi 0x0, oseq 0x1\n\tsel src 0.0.0.0/0 dst 0.0.0.0/0 \n`,
    );
    const other =
      'src 10.0.0.1 dst 10.0.0.2\n\tproto esp spi 0x00001000 reqid 7 mode tunnel\n\tauth-trunc hmac(sha256) 0x00 128\n';
    return [...shown, other].join('');
  }

  private shownPolicies(): string {
    const shown = this.policies.map(({ direction, from, to, port, priority, seal }) => {
      const head = `src ${from} dst ${to} proto udp dport ${port} \n\tdir ${direction} `;
      if (seal === undefined) return `${head}action block priority ${priority} ptype main \n`;
      const spi = seal.spi === 0 ? '' : `spi ${hex(seal.spi)} `;
      return `${head}priority ${priority} ptype main \n\ttmpl src ${seal.from} dst ${seal.to}\n\t\tproto esp ${spi}reqid ${seal.reqid} mode transport\n`;
    });
    return [...shown, 'src 10.0.0.1/32 dst 10.0.0.2/32 \n\tdir out priority 9 ptype main \n'].join('');
  }

  async setSysctl(): Promise<void> {}
  sysctl = () => undefined;
  hasDevice = () => false;
}

const selector = ({ direction, from, to }: Policy) => `${direction} ${from} ${to}`;
const sorted = ({ states, policies }: Program) => ({
  states: [...states].sort((a, b) => a.to.localeCompare(b.to) || a.spi - b.spi),
  policies: [...policies].sort((a, b) => selector(a).localeCompare(selector(b))),
});

describe('what encrypts networks between nodes', () => {
  it('is the same at both ends of each way, and nowhere else', () => {
    const [one, two] = [
      programFor(end(1), [end(2), end(3)], keys(1, 2, 3), 4790),
      programFor(end(2), [end(1), end(3)], keys(1, 2, 3), 4790),
    ];
    const ways = ({ states }: Program, from: number, to: number) =>
      states.filter((state) => state.from === end(from).address && state.to === end(to).address);
    assert.deepEqual([ways(one, 1, 2).length, ways(two, 1, 2).length], [2, 3], 'sent with two, taken with three');
    for (const { spi, key: digits } of ways(one, 1, 2)) {
      assert.ok(ways(two, 1, 2).some((state) => state.spi === spi && state.key === digits));
    }
    const all = [...one.states, ...programFor(end(3), [end(1), end(2)], keys(1, 2, 3), 4790).states];
    const used = new Map<string, string>();
    for (const { key: digits, from, to } of all) {
      assert.equal(used.get(digits) ?? `${from} ${to}`, `${from} ${to}`, 'a key has one sender and one receiver');
      used.set(digits, `${from} ${to}`);
    }
  });

  it('is told apart by the receiver, whoever sends with whichever of three keys', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 65_000 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(numbers, fc.nat(1_000), fc.nat(0xffffff), ([receiver, ...senders], generation, epoch) => {
        const three = keys(generation + 1, generation + 2, generation + 3);
        const self = end(receiver!, epoch + 1);
        const { states } = programFor(
          self,
          senders.map((one) => end(one, epoch + 1)),
          three,
          4790,
        );
        const inward = states.filter(({ to }) => to === self.address);
        assert.equal(new Set(inward.map(({ spi }) => spi)).size, senders.length * 3);
        assert.ok(inward.every(({ spi }) => spi > 255 && spi <= 0xffffffff && Number.isInteger(spi)));
      }),
    );
  });

  it('is other with every life of either kernel', () => {
    const seen = new Set(
      [end(2, 7), end(2, 8)].flatMap((two) => [end(1, 7), end(1, 8)].map((one) => sealOf(key(1), one, two).key)),
    );
    assert.equal(seen.size, 4);
  });

  it('has a receiver for whatever is sent, however far nodes are in a rotation', () => {
    const at = [keys(1, 2), keys(1, 2, 3), keys(2, 3, 4)];
    for (const [from, theirs] of at.entries()) {
      for (const ours of [at[from]!, at[from + 1] ?? theirs, at[from - 1] ?? theirs]) {
        const sender = programFor(end(1), [end(2)], theirs, 4790);
        const receiver = programFor(end(2), [end(1)], ours, 4790);
        const { spi } = sender.policies.find(({ direction, seal }) => direction === 'out' && seal)!.seal!;
        const sent = sender.states.find((state) => state.spi === spi && state.to === end(2).address);
        assert.ok(sent && receiver.states.some((state) => state.spi === spi && state.key === sent.key));
      }
    }
  });

  it('lets nothing through without keys, or from and to others', () => {
    for (const program of [programFor(end(1), [end(2)], [], 4790), programFor(end(1), [], keys(1, 2), 4790)]) {
      assert.deepEqual([program.states, program.policies.map(({ seal }) => seal)], [[], [undefined, undefined]]);
    }
    const { policies } = programFor(end(1), [end(2)], keys(1, 2), 4790);
    const [open, shut] = [policies.filter(({ seal }) => seal), policies.filter(({ seal }) => !seal)];
    assert.ok(open.every((one) => shut.every((other) => one.priority < other.priority)));
  });

  it('is brought to the kernel from whatever is there, and nothing when all is there', async () => {
    const program = fc
      .tuple(
        fc.uniqueArray(fc.integer({ min: 2, max: 5 })),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 0, max: 4 }),
      )
      .map(([peers, epoch, generation]) =>
        programFor(
          end(1, epoch),
          peers.map((one) => end(one)),
          generation === 0 ? [] : keys(generation, generation + 1),
          4790,
        ),
      );
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(program, fc.constant(emptyProgram)),
        fc.oneof(program, fc.constant(emptyProgram)),
        async (before, after) => {
          const machine = new Machine();
          for (const [to, from] of [
            [before, emptyProgram],
            [after, before],
          ] as const) {
            await machine.run('ip', ['-batch', '-'], programCommands(to, from).join('\n'));
          }
          const found = await observeProgram(machine);
          assert.deepEqual(sorted(found), sorted(after));
          assert.deepEqual(programCommands(after, found), []);
        },
      ),
    );
  });

  it('is shown without keys', () => {
    const lines = programCommands(programFor(end(1), [end(2)], keys(1, 2), 4790), emptyProgram);
    assert.match(lines.join(), /0x[0-9a-f]{40}/);
    assert.doesNotMatch(lines.map(withoutKey).join(), /[0-9a-f]{40}/);
  });
});

describe('the question whether the kernel can encrypt', () => {
  it('is answered by really asking for it, in the words of the kernel, and leaves nothing', async () => {
    const machine = new Machine();
    assert.equal(await encryptionObstacle(machine), undefined);
    assert.deepEqual(machine.states, []);
    machine.refusal = 'Requested AEAD algorithm not found';
    const obstacle = await encryptionObstacle(machine);
    assert.match(obstacle!, /^the kernel has no .*CONFIG_INET_ESP.*: Error: Requested AEAD algorithm not found\.$/);
  });

  it('is answered no where keys are hidden, for nobody could see whether they are the right ones', async () => {
    const machine = new Machine();
    machine.hidesKeys = true;
    assert.match((await encryptionObstacle(machine))!, /hides keys.*lockdown/);
    assert.deepEqual(machine.states, []);
  });

  it('takes over the epoch of what is there', async () => {
    const machine = new Machine();
    const fresh = await epochHere(machine, seededRandom(1));
    assert.ok(fresh > 0 && fresh <= 0xffffff);
    await machine.run(
      'ip',
      [],
      programCommands(programFor(end(1, 77), [end(2)], keys(1, 2), 4790), emptyProgram).join('\n'),
    );
    assert.equal(await epochHere(machine, seededRandom(1)), 77);
  });
});

const network = (number: number, Options: Record<string, string>) =>
  complete('Network', {
    ID: `net${number}`,
    Number: number,
    Spec: { Name: `net${number}`, DriverConfiguration: { Options } },
    IPAMOptions: { Configs: [{ Subnet: `10.0.${number}.0/24`, Gateway: `10.0.${number}.1` }] },
  });
const service = (on: number, nodes: number[]) =>
  ({
    ID: `net${on}/web`,
    NetworkID: `net${on}`,
    ServiceID: 'web',
    VirtualIP: `10.0.${on}.254`,
    Endpoints: nodes.map((at) => ({
      TaskID: `t${at}`,
      NodeID: `node${at}`,
      Address: `10.0.${on}.${at + 1}`,
      Serving: true,
    })),
  }) as unknown as NetworkService;
const items = (epochs: Record<number, number> = { 1: 7, 2: 7, 3: 7, 4: 0 }): NetworkItems => ({
  peers: new Map(
    Object.entries(epochs).map(([at, EncryptionEpoch]) => [
      `node${at}`,
      { ID: `node${at}`, Number: Number(at), Address: `192.168.0.${at}`, DataPathPort: 4789, EncryptionEpoch },
    ]),
  ),
  networks: new Map([network(1, {}), network(2, { encrypted: '' })].map((one) => [one.ID, one])),
  services: new Map([service(1, [1, 2, 3]), service(2, [1, 2, 4])].map((one) => [one.ID, one])),
});

describe('encrypted networks in the kernel', () => {
  const carried = [...items().networks.values()];

  it('reach the nodes with a task on one that can encrypt', () => {
    assert.deepEqual(
      encryptingPeers(items(), 'node1').map(({ ID }) => ID),
      ['node2'],
    );
  });

  it('have a tunnel of their own, at a port of its own, and what is not encrypted never goes the same way', () => {
    const peers = encryptingPeers(items(), 'node1');
    const encrypted = desiredEncrypted(items(), 'node1', carried, 1416, { peers, port: 4790, knowsIPv6: true });
    const plain = desiredKernel(items(), 'node1', carried, 1450, false, true);
    assert.deepEqual([encrypted.tunnel?.port, encrypted.tunnel?.address], [4790, '100.97.0.1']);
    assert.deepEqual([...plain.remote.keys()], ['10.0.1.3', '10.0.1.4']);
    assert.deepEqual(
      [...encrypted.remote],
      [
        ['10.0.2.3', '100.97.0.2'],
        ['10.0.2.5', '100.97.0.4'],
      ],
    );
    assert.deepEqual([[...plain.virtual], [...encrypted.virtual]], [['10.0.1.254'], ['10.0.2.254']]);
    assert.equal(
      desiredEncrypted(items(), 'node1', carried, 1416, { peers, port: undefined, knowsIPv6: true }).tunnel,
      undefined,
    );
  });

  it('have IPv6 over that tunnel alone', () => {
    const Configs = [...network(2, {}).IPAMOptions!.Configs, { Subnet: 'fd00:2::/64', Gateway: 'fd00:2::1' }];
    const secret = network(2, { encrypted: '' });
    const dual = complete('Network', {
      ...secret,
      Spec: { ...secret.Spec, IPv6Enabled: true },
      IPAMOptions: { Configs },
    });
    const web = service(2, [1, 2]);
    const Endpoints = web.Endpoints.map((one, at) => ({ ...one, Address6: `fd00:2::${at + 2}` }));
    const all: NetworkItems = {
      ...items(),
      networks: new Map([network(1, {}), dual].map((one) => [one.ID, one])),
      services: new Map([[web.ID, { ...web, VirtualIP6: 'fd00:2::ff', Endpoints }]]),
    };
    const peers = encryptingPeers(all, 'node1');
    const encrypted = desiredEncrypted(all, 'node1', [dual], 1416, { peers, port: 4790, knowsIPv6: true });
    const plain = desiredKernel(all, 'node1', [dual], 1450, false, true);
    assert.deepEqual([encrypted.tunnel?.address6, plain.tunnel?.address6], ['fd53:686f:616c::1:1', '']);
    assert.equal(encrypted.remote.get('fd00:2::3'), 'fd53:686f:616c::1:2');
    assert.equal(plain.remote.size, 0);
    assert.deepEqual([...plain.proxies].sort(), ['fd00:2::3 dev shl2', 'fd00:2::ff dev shl2']);
    const rules = rules6For(all, 'node1', [dual], undefined)!;
    assert.deepEqual([...rules.sets.get('encrypted')!.elements.keys()], ['"shl2"']);
    assert.ok(![...rules.sets.get('within')!.elements.keys()].some((way) => way.includes('shv0')));
  });

  it('carry packets that fit the wire with all that is added, and no smaller ones than need be', () => {
    assert.deepEqual([tunnelMTU(plainTunnel), tunnelMTU(encryptedTunnel)], [1450, 1416]);
    for (let mtu = 1_200; mtu < 1_300; mtu++) {
      const onWire = (inner: number) => 20 + 16 + Math.ceil((inner + 30 + 2) / 4) * 4 + 16;
      const fits = tunnelMTU(encryptedTunnel, mtu);
      assert.ok(onWire(fits) <= mtu && onWire(fits + 1) > mtu, `${fits} of ${mtu}`);
    }
  });

  it('are refused by the rules whatever would come or go in the clear', () => {
    const { chains, sets } = rulesFor(items(), 'node1', carried, undefined, true);
    assert.deepEqual([...sets.get('encrypted')!.elements.keys()], ['"shl2"']);
    const within = [...sets.get('within')!.elements.keys()];
    assert.ok(within.includes('"shv1" . "shl2"') && within.includes('"shv0" . "shl1"'));
    assert.ok(!within.includes('"shv0" . "shl2"') && !within.includes('"shv1" . "shl1"'));
    assert.deepEqual(chains.get('sealed_arriving')?.rules, ['udp dport 4790 meta ipsec missing drop']);
    assert.deepEqual(chains.get('sealed_leaving')?.rules, ['udp dport 4790 rt ipsec missing drop']);
    const forward = chains.get('forward')!.rules;
    const refused = forward.indexOf('iifname "shv0" oifname @encrypted drop');
    assert.ok(refused > 0 && forward.findIndex((rule) => rule.startsWith('ct direction reply')) > refused);
    assert.equal(rulesFor(items(), 'node1', carried, undefined).chains.has('sealed_arriving'), false);
  });

  describe('as one node keeps them', () => {
    let machine: Machine;
    let encryption: Encryption;
    let told: number[];
    beforeEach(() => {
      machine = new Machine();
      told = [];
      const log = createLogger({ silent: true });
      encryption = new Encryption({ nodeID: 'node1', tools: machine, epoch: 7, random: seededRandom(3), log });
      encryption.onEpoch = () => told.push(encryption.epoch);
    });

    it('are not touched while the node has no keys', async () => {
      await encryption.make(items(), true);
      assert.deepEqual(machine.lines, []);
      encryption.setKeys(keys(1, 2));
      await encryption.make(items(), true);
      assert.deepEqual([machine.states.length, machine.policies.length], [3, 4]);
      encryption.setKeys([]);
      await encryption.make(items(), false);
      assert.deepEqual([machine.states, machine.policies], [[], []]);
    });

    it('get other keys when the kernel has forgotten how far it had counted, and only then', async () => {
      encryption.setKeys(keys(1, 2));
      await encryption.make(items(), true);
      machine.policies.splice(0, 2);
      assert.equal((await encryption.differences(items())).length, 2);
      await encryption.make(items(), true);
      assert.deepEqual([told, machine.policies.length], [[], 4]);
      const before = machine.states.map((state) => state.key);
      machine.states.pop();
      await encryption.make(items(), true);
      assert.deepEqual([told, told[0] !== 7], [[encryption.epoch], true]);
      assert.ok(machine.states.length === 3 && machine.states.every((state) => !before.includes(state.key)));
      await encryption.make(items(), true);
      assert.equal(told.length, 1);
    });

    it('go on counting with a node whose tasks come and go', async () => {
      const without = { ...items(), services: new Map() };
      encryption.setKeys(keys(1, 2));
      await encryption.make(items(), true);
      const before = machine.states.map((state) => state.key);
      for (const [now, isLook] of [
        [without, false],
        [items(), true],
        [without, true],
      ] as const) {
        await encryption.make(now, isLook);
        assert.deepEqual(
          machine.states.map((state) => state.key),
          before,
        );
      }
      const gone = { ...without, peers: new Map([...items().peers].filter(([id]) => id === 'node1')) };
      await encryption.make(gone, false);
      assert.deepEqual(machine.states, []);
      assert.deepEqual(told, []);
    });

    it('get other keys when the node takes part again, having removed all', async () => {
      encryption.setKeys(keys(1, 2));
      await encryption.make(items(), true);
      const before = machine.states.map((state) => state.key);
      encryption.setKeys([]);
      await encryption.make(items(), false);
      assert.deepEqual([machine.states, told.length], [[], 1]);
      encryption.setKeys(keys(1, 2));
      await encryption.make(items(), false);
      assert.ok(machine.states.length === 3 && machine.states.every((state) => !before.includes(state.key)));
      assert.equal(told.length, 1);
    });

    it('get other keys when all was removed for want of networks', async () => {
      encryption.setKeys(keys(1, 2));
      await encryption.make(items(), true);
      const before = machine.states.map((state) => state.key);
      encryption.forget(await removeProgram(machine));
      assert.deepEqual([machine.states, told], [[], []]);
      await encryption.make(items(), true);
      assert.ok(machine.states.length === 3 && machine.states.every((state) => !before.includes(state.key)));
      assert.deepEqual(told, [encryption.epoch]);
      await encryption.make(items(), true);
      assert.equal(told.length, 1);
    });

    it('never get a key again that was counted with at another address of either end', async () => {
      encryption.setKeys(keys(1, 2));
      const used = new Map<string, string>();
      const at = async (own: string, other: string) => {
        const moved = items();
        const place = (id: string, Address: string) => ({ ...moved.peers.get(id)!, Address });
        const peers = new Map(moved.peers).set('node1', place('node1', own)).set('node2', place('node2', other));
        await encryption.make({ ...moved, peers }, true);
        assert.equal(machine.states.length, 3);
        for (const { key: digits, from, to } of machine.states) {
          assert.equal(used.get(digits) ?? `${from} ${to} ${encryption.epoch}`, `${from} ${to} ${encryption.epoch}`);
          used.set(digits, `${from} ${to} ${encryption.epoch}`);
        }
      };
      await at('192.168.0.1', '192.168.0.2');
      await at('192.168.0.1', '192.168.0.22');
      assert.deepEqual(told, [], 'the other end moved, and says so itself');
      await at('192.168.0.11', '192.168.0.22');
      await at('192.168.0.1', '192.168.0.22');
      assert.deepEqual([told.length, used.size], [2, 12]);
    });

    it('are left as an agent before has made them, until the managers have said whether there are any', async () => {
      encryption.setKeys(keys(1, 2));
      await encryption.make(items(), true);
      const before = [...machine.states];
      const log = createLogger({ silent: true });
      const next = new Encryption({ nodeID: 'node1', tools: machine, epoch: 7, random: seededRandom(4), log });
      await next.make(items(), true);
      next.setKeys(keys(1, 2));
      await next.make(items(), true);
      assert.deepEqual([machine.states, next.epoch], [before, 7]);
      const last = new Encryption({ nodeID: 'node1', tools: machine, epoch: 7, random: seededRandom(4), log });
      last.setKeys([]);
      await last.make(items(), true);
      assert.deepEqual([machine.states, machine.policies, last.epoch === 7], [[], [], false]);
    });

    it('say what went wrong without a key', async () => {
      encryption.setKeys(keys(1, 2));
      machine.refusal = 'No buffer space available';
      const failure: unknown = await encryption.make(items(), true).catch((error) => error);
      assert.match(String(failure), /No buffer space/);
      assert.doesNotMatch(String(failure), /[0-9a-f]{40}/);
      assert.doesNotMatch((await encryption.differences(items())).join(), /[0-9a-f]{40}/);
    });
  });
});
