// Two nodes with a container each on an encrypted network, as namespaces of a kernel that can encrypt: test/integration/encryption.test.ts
// boots one for it. What is seen is written as JSON to the file that is named.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { createLogger } from 'winston';
import { systemClock } from '../../src/model/clock.js';
import { complete } from '../../src/model/codec.js';
import { systemRandom } from '../../src/model/random.js';
import type { DataPathKey, NetworkService } from '../../src/model/types.js';
import { Encryption } from '../../src/network/kernel/encryption/encryption.js';
import { observeProgram } from '../../src/network/kernel/encryption/observed.js';
import { encryptionObstacle, epochHere } from '../../src/network/kernel/encryption/probe.js';
import { emptyProgram, type Program, programCommands } from '../../src/network/kernel/encryption/program.js';
import { KernelNetworks } from '../../src/network/kernel/kernel-networks.js';
import { systemTools } from '../../src/network/kernel/tools.js';
import type { NetworkItems } from '../../src/network/network-table.js';
import { packetsIn } from './captured.js';
import { Namespace } from './namespaces.js';
import { Voice, voicePort } from './voice.js';
import { inner, vxlan } from './vxlan.js';

export interface Seen {
  obstacle: string | undefined;
  probeLeft: string;
  mtu: number;
  /** Datagrams of the client, and those that were answered, as keys changed twice. */
  rotations: { sent: number; answered: number };
  /** A datagram that fills a packet, there and back. */
  large: boolean;
  wire: { encrypted: number; fragments: number; others: string[]; canaries: number };
  /** Of what a stranger sends: whether the container had it. `control`: past the encryption, to show that it is well made. */
  injected: { control: boolean; stranger: boolean; forged: boolean };
  /** Of what has numbers that were used before: whether it was answered, and how much the receiver refused. */
  replayed: { answers: boolean; refused: number };
  differences: { good: string[]; spoilt: string[] };
  /** Without the policy, and with it again. */
  mended: { isShut: boolean; answers: boolean };
  flushed: { epochs: number; answers: boolean };
  restarted: { epochIsSame: boolean; answers: boolean };
  left: { ours: string; foreign: string };
}

const canary = 'a canary that nobody on the wire shall read';
const strangerMAC = '02:00:00:00:00:99';
const log = createLogger({ silent: true });
/** Nobody looks by himself: else what is spoilt might be mended before it is looked at. */
const clock = { ...systemClock, after: () => () => {} };
const numbers = [1, 2] as const;
type Place = (typeof numbers)[number];

class World {
  readonly wire = new Namespace('wire');
  readonly nodes = { 1: new Namespace('n1'), 2: new Namespace('n2') };
  readonly stranger = new Namespace('stranger');

  static async make(): Promise<World> {
    const all = ['wire', 'n1', 'n2', 'c1', 'c2', 'stranger'];
    await systemTools.run('ip', ['-batch', '-'], all.map((name) => `netns add ${name}\n`).join(''));
    const world = new World();
    const { wire, nodes, stranger } = world;
    await wire.ip('link add br0 type bridge', 'link set br0 up');
    for (const [at, one] of [nodes[1], nodes[2], stranger].entries()) {
      const { name } = one;
      await wire.ip(`link add ${name} type veth peer name eth0 netns ${name}`, `link set ${name} master br0 up`);
      await one.ip(`addr add 192.168.9.${at + 1}/24 dev eth0`, 'link set eth0 up', 'link set lo up');
    }
    await stranger.ip(`link set eth0 address ${strangerMAC}`);
    for (const at of numbers) {
      await nodes[at].ip(
        'link add shl5 type bridge',
        'addr add 10.0.5.1/24 dev shl5',
        'link set shl5 up',
        `link add c${at} type veth peer name eth0 netns c${at}`,
        `link set c${at} master shl5 up`,
      );
      const inside = new Namespace(`c${at}`);
      await inside.ip(`addr add ${container(at)}/24 dev eth0`, 'link set eth0 up', 'route add default via 10.0.5.1');
      inside.close();
    }
    return world;
  }
}

const container = (at: Place) => `10.0.5.${at + 1}`;
const key = (Generation: number): DataPathKey => ({ Generation, Key: Buffer.alloc(32, Generation), CreatedAt: 'then' });
const keys = (...generations: number[]) => generations.map(key);

class Node {
  private constructor(
    readonly at: Place,
    readonly encryption: Encryption,
    readonly kernel: KernelNetworks,
  ) {}

  static async start(at: Place, { toolsWithoutRules: tools }: Namespace): Promise<Node> {
    const nodeID = `n${at}`;
    const epoch = await epochHere(tools, systemRandom);
    const encryption = new Encryption({ nodeID, tools, epoch, random: systemRandom, log });
    return new Node(at, encryption, new KernelNetworks({ nodeID, tools, plane: undefined, encryption, clock, log }));
  }
}

/** As the managers would tell it. */
function itemsOf(nodes: readonly Node[]): NetworkItems {
  const peers = nodes.map(({ at, encryption }) => ({
    ID: `n${at}`,
    Number: at,
    Address: `192.168.9.${at}`,
    DataPathPort: 4789,
    EncryptionEpoch: encryption.epoch,
  }));
  const network = complete('Network', {
    ID: 'shut',
    Number: 5,
    Spec: { Name: 'shut', DriverConfiguration: { Options: { encrypted: '' } } },
    IPAMOptions: { Configs: [{ Subnet: '10.0.5.0/24', Gateway: '10.0.5.1' }] },
  });
  const service: NetworkService = {
    ID: 'shut/web',
    NetworkID: 'shut',
    ServiceID: 'web',
    ServiceName: 'web',
    VirtualIP: '',
    VirtualIP6: '',
    Sticky: false,
    Opaque: false,
    Endpoints: numbers.map((at) => ({
      TaskID: `t${at}`,
      NodeID: `n${at}`,
      Address: container(at),
      Address6: '',
      Serving: true,
      Hostname: '',
      Aliases: [],
      Nameservers: [],
      Name: `web.${at}`,
      ContainerID: '',
    })),
  };
  return {
    peers: new Map(peers.map((peer) => [peer.ID, peer])),
    networks: new Map([[network.ID, network]]),
    services: new Map([[service.ID, service]]),
  };
}

async function look(): Promise<Seen> {
  const world = await World.make();
  const { nodes, stranger } = world;
  const foreign =
    'xfrm state add src 192.168.9.1 dst 192.168.9.77 proto esp spi 0x1000 reqid 7 mode transport aead rfc4106(gcm(aes)) 0x' +
    `${'11'.repeat(20)} 128`;
  await nodes[1].ip(foreign, 'xfrm policy add src 192.168.9.1/32 dst 192.168.9.77/32 proto tcp dir out priority 9');
  const probed = nodes[2].toolsWithoutRules;
  const obstacle = await encryptionObstacle(probed);
  const probeLeft = await probed.run('ip', ['xfrm', 'state']);
  const capture = spawn('ip', [
    'netns',
    'exec',
    'wire',
    'tcpdump',
    '-i',
    'br0',
    '-U',
    '-Z',
    'root',
    '-s',
    '0',
    '-w',
    '/run/wire.pcap',
  ]);
  const voices = ['c1', 'c2', 'stranger'].map((name) => new Voice(name).ready());
  const [voice, , strange] = (await Promise.all(voices)) as [Voice, Voice, Voice];
  const answers = (size: number, tries = 100) => voice.say<boolean>({ reach: container(2), text: canary, size, tries });

  let [one, two] = await Promise.all([Node.start(1, nodes[1]), Node.start(2, nodes[2])]);
  const tellAll = async () => {
    const items = itemsOf([one, two]);
    await Promise.all([one, two].map(({ kernel }) => kernel.apply(items)));
  };
  await tellAll();
  await Promise.all([one, two].map(({ kernel }) => kernel.setKeys(keys(1, 2))));
  const mtu = Number((await nodes[1].run('ip', ['-o', 'link', 'show', 'shv1'])).match(/mtu (\d+)/)![1]);
  const large = await answers(mtu - 28);

  await voice.say({ talkTo: container(2), text: canary });
  const generations = [
    [1, 2, 3],
    [2, 3, 4],
  ];
  for (const [at, these] of generations.entries()) {
    const [first, then] = at % 2 === 0 ? [one, two] : [two, one];
    await wait(300);
    await first.kernel.setKeys(keys(...these));
    await wait(300);
    await then.kernel.setKeys(keys(...these));
  }
  await wait(300);
  const rotations = await voice.say<Seen['rotations']>({ stop: true });

  const injected = await inject(voice, strange, stranger);
  const differences = { good: await differencesOf(one), spoilt: [] as string[] };
  await nodes[1].ip('xfrm policy delete src 192.168.9.1/32 dst 192.168.9.2/32 proto udp dport 4790 dir out');
  differences.spoilt = await differencesOf(one);
  const isShut = !(await answers(100, 5));
  await one.kernel.refresh();
  const mended = { isShut, answers: await answers(100) };

  let epochs = 0;
  let telling: Promise<unknown> = Promise.resolve();
  one.encryption.onEpoch = () => {
    epochs += 1;
    telling = tellAll();
  };
  const sending = (await observeProgram(nodes[1].toolsWithoutRules)).states.filter(({ to }) => to === '192.168.9.2');
  const [add, remove] = [programCommands, (a: Program, b: Program) => programCommands(b, a)].map((commands) =>
    commands({ states: sending, policies: [] }, emptyProgram),
  );
  await nodes[1].ip(...remove!, ...add!); // it counts from 0 again
  const replayed = { answers: await answers(100, 5), refused: await refusedBy(nodes[2]) };
  await nodes[1].ip(...remove!);
  await one.kernel.refresh();
  await telling;
  const flushed = { epochs, answers: await answers(100) };

  // An agent that was killed: its successor takes over what is there.
  const { epoch } = one.encryption;
  one = await Node.start(1, nodes[1]);
  await tellAll();
  await one.kernel.setKeys(keys(2, 3, 4));
  const restarted = { epochIsSame: one.encryption.epoch === epoch, answers: await answers(100) };

  capture.kill('SIGINT');
  await new Promise((resolve) => capture.once('exit', resolve));
  const packets = packetsIn(readFileSync('/run/wire.pcap'));
  const between = packets.filter(({ frame }) => frame.toString('hex', 6, 12) !== strangerMAC.replaceAll(':', ''));
  const wire = {
    encrypted: between.filter(({ protocol }) => protocol === 50).length,
    fragments: between.filter(({ isFragment }) => isFragment).length,
    others: [
      ...new Set(
        between
          .filter((one) => one.protocol !== 50)
          .map((one) => `${one.source} > ${one.destination} protocol ${one.protocol} port ${one.port}`),
      ),
    ],
    canaries: between.filter(({ frame }) => frame.includes(canary)).length,
  };

  await Promise.all([one, two].map(({ kernel }) => kernel.close()));
  const listed = await Promise.all(['state', 'policy'].map((kind) => nodes[1].run('ip', ['xfrm', kind])));
  const links = await nodes[1].run('ip', ['-br', 'link']);
  const entries = listed.flatMap((text) => text.split(/\n(?=src )/));
  const devices = ['shv0', 'shv1'].filter((name) => links.includes(name));
  const left = {
    ours: [...entries.filter((entry) => !entry.includes('192.168.9.77')), ...devices].join('\n').trim(),
    foreign: entries
      .filter((entry) => entry.includes('192.168.9.77'))
      .map((entry) => entry.split('\n')[0])
      .join('; '),
  };
  return {
    obstacle,
    probeLeft,
    mtu,
    rotations,
    large,
    wire,
    injected,
    differences,
    mended,
    replayed,
    flushed,
    restarted,
    left,
  };
}

/** Packets with numbers from before, or which it takes for ones of the next 2 ** 32 and so cannot open (RFC 4303, A2.2). */
async function refusedBy(namespace: Namespace): Promise<number> {
  let refused = 0;
  for (let left = 100; left > 0 && refused === 0; left--) {
    const text = await namespace.run('cat', ['/proc/net/xfrm_stat']);
    const counts = [...text.matchAll(/XfrmInState(?:Seq|Proto)Error\s+(\d+)/g)].map((found) => Number(found[1]));
    refused = counts.reduce((sum, count) => sum + count, 0);
    if (refused === 0) await wait(100);
  }
  return refused;
}

/** But for the rules, which this kernel has not. */
async function differencesOf({ kernel }: Node): Promise<string[]> {
  return (await kernel.verify()).filter((difference) => difference.startsWith('to be done'));
}

/** What nobody encrypted, for a container of node 1: from a stranger, and from one that says it is node 2. */
async function inject(voice: Voice, strange: Voice, stranger: Namespace): Promise<Seen['injected']> {
  await voice.say({ heard: true });
  const send = (from: string, port: number, identifier: number, text: string) => {
    const frame = inner({ from: container(2), to: container(1), port: voicePort, text });
    return strange.say({ from, to: '192.168.9.1', port, hex: vxlan(identifier, frame).toString('hex') });
  };
  await stranger.ip('addr add 192.168.9.2/32 dev lo');
  await send('192.168.9.3', 4790, 4094, 'stranger');
  await send('192.168.9.2', 4790, 4094, 'forged');
  await send('192.168.9.3', 4789, 4096, 'control');
  let heard = '';
  for (let left = 50; left > 0 && !heard.includes('control'); left--) {
    await wait(100);
    heard += (await voice.say<string[]>({ heard: true })).join();
  }
  const [control, isStranger, forged] = ['control', 'stranger', 'forged'].map((text) => heard.includes(text));
  return { control: control!, stranger: isStranger!, forged: forged! };
}

writeFileSync(process.argv[2]!, JSON.stringify(await look()));
process.exit();
