// Two nodes with a container each on an encrypted network, as namespaces of a kernel that can encrypt: test/integration/encryption.test.ts
// boots one for it. What is seen is written as JSON to the file that is named.
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
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
import { inner, vxlan } from './vxlan.js';

export interface Seen {
  obstacle: string | undefined;
  probeLeft: string;
  mtu: number;
  /** Datagrams of the client, and those that were answered, as keys changed twice. */
  rotations: { sent: number; answered: number; generations: number[][] };
  /** A datagram that fills a packet, there and back. */
  large: boolean;
  wire: { encrypted: number; fragments: number; others: string[]; canaries: number };
  /** Of what a stranger sends: whether the container had it. `control`: past the encryption, to show that it is well made. */
  injected: { control: boolean; stranger: boolean; forged: boolean };
  /** Of what has numbers that were used before: whether it was answered, and how much the receiver refused. */
  replayed: { answers: boolean; refused: number };
  differences: { good: string[]; spoilt: string[] };
  flushed: { epochs: number; answers: boolean };
  restarted: { epochIsSame: boolean; answers: boolean };
  left: { ours: string; foreign: string };
}

const canary = 'a canary that nobody on the wire shall read';
const port = 7000;
const strangerMAC = '02:00:00:00:00:99';
const self = fileURLToPath(import.meta.url);
const log = createLogger({ silent: true });
const numbers = [1, 2] as const;
type Place = (typeof numbers)[number];

/** Answers every datagram with itself, and prints what it got once it is asked for by a line. */
function serve(): void {
  const socket = createSocket('udp4');
  const heard: string[] = [];
  socket.on('message', (message, from) => {
    heard.push(message.toString('latin1', 0, 80));
    socket.send(message, from.port, from.address);
  });
  socket.bind(port, () => console.log('ready'));
  process.stdin.on('data', () => console.log(JSON.stringify(heard.splice(0))));
}

/** Sends a datagram every few milliseconds, and prints how many came back once it is told to stop by a line. */
function ask(address: string): void {
  const socket = createSocket('udp4');
  const answered = new Set<string>();
  let sent = 0;
  socket.on('message', (message) => answered.add(message.toString()));
  socket.bind(() => {
    const timer = setInterval(() => socket.send(`${canary} ${++sent}`, port, address), 20);
    console.log('ready');
    process.stdin.once('data', () => {
      clearInterval(timer);
      setTimeout(() => {
        console.log(JSON.stringify({ sent, answered: answered.size }));
        process.exit();
      }, 500);
    });
  });
}

/** Sends one datagram of a size until it comes back, and prints whether it did. */
function once(address: string, size: number, tries_max: number): void {
  const socket = createSocket('udp4');
  const message = Buffer.from(canary.padEnd(size, '.'));
  let tries = 0;
  const end = (isAnswered: boolean) => {
    console.log(JSON.stringify(isAnswered));
    process.exit();
  };
  socket.on('message', (answer) => end(answer.length === size));
  const send = () => (++tries > tries_max ? end(false) : socket.send(message, port, address));
  setInterval(send, 100);
  send();
}

function run(namespace: string, ...command: string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', namespace, ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
}

function line(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once('exit', (code) => reject(new Error(`ended with ${code}`)));
  });
}

async function said<T>(child: ChildProcess): Promise<T> {
  const answer = line(child);
  child.stdin!.write('\n');
  return JSON.parse(await answer) as T;
}

const inside = (namespace: string, ...words: string[]) => run(namespace, process.execPath, self, ...words);

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
    return new Node(
      at,
      encryption,
      new KernelNetworks({ nodeID, tools, plane: undefined, encryption, clock: systemClock, log }),
    );
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
    Sticky: false,
    Opaque: false,
    Endpoints: numbers.map((at) => ({
      TaskID: `t${at}`,
      NodeID: `n${at}`,
      Address: container(at),
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
  const capture = run('wire', 'tcpdump', '-i', 'br0', '-U', '-Z', 'root', '-s', '0', '-w', '/run/wire.pcap');
  const servers = numbers.map((at) => inside(`c${at}`, 'serve'));
  await Promise.all(servers.map(line));

  let [one, two] = await Promise.all([Node.start(1, nodes[1]), Node.start(2, nodes[2])]);
  const tellAll = async () => {
    const items = itemsOf([one, two]);
    await Promise.all([one, two].map(({ kernel }) => kernel.apply(items)));
  };
  await tellAll();
  await Promise.all([one, two].map(({ kernel }) => kernel.setKeys(keys(1, 2))));
  const mtu = Number((await nodes[1].run('ip', ['-o', 'link', 'show', 'shv1'])).match(/mtu (\d+)/)![1]);
  const large = await answers(mtu - 28);

  const client = inside('c1', 'ask', container(2));
  await line(client);
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
  const rotations = { ...(await said<{ sent: number; answered: number }>(client)), generations };

  const injected = await inject(servers[0]!, stranger);
  const differences = { good: await differencesOf(one), spoilt: [] as string[] };
  await nodes[1].ip('xfrm policy delete src 192.168.9.1/32 dst 192.168.9.2/32 proto udp dport 4790 dir out');
  differences.spoilt = await differencesOf(one);

  let epochs = 0;
  one.encryption.onEpoch = () => {
    epochs += 1;
    void tellAll();
  };
  const sending = (await observeProgram(nodes[1].toolsWithoutRules)).states.filter(({ to }) => to === '192.168.9.2');
  const [add, remove] = [programCommands, (a: Program, b: Program) => programCommands(b, a)].map((commands) =>
    commands({ states: sending, policies: [] }, emptyProgram),
  );
  await nodes[1].ip(...remove!, ...add!); // it counts from 0 again
  const replayed = { answers: await answers(100, 5), refused: await refusedBy(nodes[2]) };
  await nodes[1].ip(...remove!);
  await one.kernel.refresh();
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
    replayed,
    flushed,
    restarted,
    left,
  };
}

async function answers(size: number, tries = 40): Promise<boolean> {
  return JSON.parse(await line(inside('c1', 'once', container(2), String(size), String(tries)))) as boolean;
}

/** Packets with numbers from before, or which it takes for ones of the next 2 ** 32 and so cannot open (RFC 4303, A2.2). */
async function refusedBy(namespace: Namespace): Promise<number> {
  const text = await namespace.run('cat', ['/proc/net/xfrm_stat']);
  return [...text.matchAll(/XfrmInState(?:Seq|Proto)Error\s+(\d+)/g)].reduce((sum, found) => sum + Number(found[1]), 0);
}

/** But for the rules, which this kernel has not. */
async function differencesOf({ kernel }: Node): Promise<string[]> {
  return (await kernel.verify()).filter((difference) => difference.startsWith('to be done'));
}

/** What nobody encrypted, for a container of node 1: from a stranger, and from one that says it is node 2. */
async function inject(server: ChildProcess, stranger: Namespace): Promise<Seen['injected']> {
  await said(server);
  const send = async (from: string, to: number, identifier: number, text: string) => {
    const packet = vxlan(identifier, inner({ from: container(2), to: container(1), port, text })).toString('hex');
    await line(inside('stranger', 'send', from, String(to), packet));
  };
  await stranger.ip('addr add 192.168.9.2/32 dev lo');
  await send('192.168.9.3', 4789, 4096, 'control');
  await send('192.168.9.3', 4790, 4094, 'stranger');
  await send('192.168.9.2', 4790, 4094, 'forged');
  await wait(300);
  const heard = (await said<string[]>(server)).join();
  return { control: heard.includes('control'), stranger: heard.includes('stranger'), forged: heard.includes('forged') };
}

/** One datagram, from an address of ours. */
function send(from: string, to: string, text: string): void {
  const socket = createSocket('udp4');
  socket.bind(0, from, () => {
    socket.send(Buffer.from(text, 'hex'), Number(to), '192.168.9.1', () => {
      console.log('sent');
      setTimeout(() => process.exit(), 50);
    });
  });
}

const [task = '', ...words] = process.argv.slice(2);
if (task === 'serve') serve();
else if (task === 'ask') ask(words[0]!);
else if (task === 'once') once(words[0]!, Number(words[1]), Number(words[2]));
else if (task === 'send') send(words[0]!, words[1]!, words[2]!);
else {
  const seen = await look();
  writeFileSync(task, JSON.stringify(seen));
  process.exit();
}
