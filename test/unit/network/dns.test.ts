import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import packet, { type DecodedPacket, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import winston from 'winston';
import { systemClock } from '../../../src/model/clock.js';
import { complete } from '../../../src/model/codec.js';
import { systemRandom } from '../../../src/model/random.js';
import type { NetworkEndpoint, NetworkService } from '../../../src/model/types.js';
import { asDatagram, readQuery } from '../../../src/network/dns/answer.js';
import { Forwarder } from '../../../src/network/dns/forwarder.js';
import { Frames, frame } from '../../../src/network/dns/frames.js';
import { NameBook } from '../../../src/network/dns/name-book.js';
import { nameserversIn } from '../../../src/network/dns/resolv-conf.js';
import { Resolver } from '../../../src/network/dns/resolver.js';
import type { NetworkItems } from '../../../src/network/network-table.js';
import { freePort } from '../../helpers/daemons.js';

const network = (id: string, subnet: string, Internal = false) =>
  complete('Network', {
    ID: id,
    Number: 1,
    Spec: { Name: `${id}-net`, Internal },
    IPAMOptions: { Configs: [{ Subnet: `${subnet}.0/8`, Gateway: `${subnet}.1` }] },
  });
const task = (TaskID: string, Address: string, more: Partial<NetworkEndpoint> = {}): NetworkEndpoint => ({
  TaskID,
  NodeID: 'n',
  Address,
  Address6: '',
  Serving: true,
  Hostname: '',
  Aliases: [],
  Nameservers: [],
  Name: `web.1.${TaskID}`,
  ContainerID: `${TaskID}00000000000000000000`,
  ...more,
});
const service = (on: string, name: string, VirtualIP: string, ...Endpoints: NetworkEndpoint[]): NetworkService => ({
  ID: `${on}/${name}`,
  NetworkID: on,
  ServiceID: name,
  ServiceName: name,
  VirtualIP,
  VirtualIP6: '',
  Sticky: false,
  Opaque: false,
  Endpoints,
});
const items = (...services: NetworkService[]): NetworkItems => ({
  peers: new Map(),
  networks: new Map([
    ['a', network('a', '10.0.0')],
    ['b', network('b', '11.0.0')],
    ['c', network('c', '12.0.0', true)],
  ]),
  services: new Map(services.map((one) => [one.ID, one])),
});
const world = items(
  service(
    'a',
    'Web',
    '10.0.0.250',
    task('t1', '10.0.0.2', { Aliases: ['www'], Hostname: 'boss' }),
    task('t2', '10.0.0.3'),
  ),
  service('a', 'db', '', task('t3', '10.0.0.4'), task('t4', '10.0.0.5', { Serving: false })),
  service('a', 'idle', ''),
  service('b', 'far', '11.0.0.250', task('t5', '11.0.0.2'), task('t1', '11.0.0.3')),
  service('c', 'closed', '12.0.0.250', task('t6', '12.0.0.2')),
);
const ask = (name: string, type: RecordType = 'A', from = '10.0.0.3', on = 'a', shift = 0) => {
  const query = packet.encode({ type: 'query', id: 7, flags: packet.RECURSION_DESIRED, questions: [{ type, name }] });
  const answer = readQuery(query, { networkID: on, address: from }, new NameBook(world), shift)?.answer;
  if (answer === undefined) return 'outside';
  const { answers, flags = 0, id } = packet.decode(answer);
  assert.equal(id, 7);
  const data = (answers ?? []).map((one) => ('data' in one ? one.data : ''));
  return (flags & 15) === 0 ? data : flags & 15;
};
const noSuchName = 3;

describe('names on networks of the cluster', () => {
  it('are those of services, of their tasks, and aliases', () => {
    assert.deepEqual(ask('web'), ['10.0.0.250']);
    assert.deepEqual(ask('WEB.'), ['10.0.0.250']);
    assert.deepEqual(ask('web.a-net'), ['10.0.0.250']);
    assert.deepEqual(ask('www'), ['10.0.0.250']);
    assert.deepEqual(ask('tasks.web'), ['10.0.0.2', '10.0.0.3']);
    assert.deepEqual(ask('tasks.web', 'A', '10.0.0.3', 'a', 1), ['10.0.0.3', '10.0.0.2']);
    assert.deepEqual(ask('db'), ['10.0.0.4'], 'a task that does not serve is not named');
    assert.deepEqual(ask('web.1.t2'), ['10.0.0.3']);
    assert.deepEqual(ask('boss'), ['10.0.0.2']);
    assert.deepEqual(ask('t20000000000'), ['10.0.0.3']);
    assert.deepEqual(ask('3.0.0.10.in-addr.arpa', 'PTR'), ['web.1.t2.a-net']);
  });

  it('are seen from networks that the asker shares, and from no other', () => {
    assert.equal(ask('far'), 'outside');
    assert.deepEqual(ask('far', 'A', '10.0.0.2'), ['11.0.0.250'], 't1 is on both');
    assert.deepEqual(ask('web', 'A', '11.0.0.3', 'b'), ['10.0.0.250']);
    assert.equal(ask('web', 'A', '11.0.0.2', 'b'), 'outside');
  });

  it('that have no such address, or are not there, are answered so at once', () => {
    assert.deepEqual(ask('web', 'AAAA'), []);
    assert.deepEqual(ask('idle'), []);
    assert.equal(ask('tasks.nobody'), noSuchName);
    assert.equal(ask('9.9.0.10.in-addr.arpa', 'PTR'), noSuchName);
  });

  it('have addresses of IPv6 on a network with it', () => {
    const Configs = [
      { Subnet: '10.0.0.0/8', Gateway: '10.0.0.1' },
      { Subnet: '11.0.0.0/8', Gateway: '11.0.0.1' },
      { Subnet: 'fd00:a::/64', Gateway: 'fd00:a::1' },
      { Subnet: 'fd00:b::/64', Gateway: 'fd00:b::1' },
    ];
    const six = complete('Network', { ID: 'a', Spec: { Name: 'six', IPv6Enabled: true }, IPAMOptions: { Configs } });
    const book = new NameBook({
      peers: new Map(),
      networks: new Map([['a', six]]),
      services: new Map(
        [
          {
            ...service('a', 'web', '10.0.0.250'),
            VirtualIP6: 'fd00:a::ff',
            Endpoints: [
              task('t1', '10.0.0.2', { Address6: 'fd00:a::2', Aliases: ['www'] }),
              task('t2', '11.0.0.3', { Address6: 'fd00:b::3' }),
              task('t3', '11.0.0.4', { Address6: 'fd00:b::4', Serving: false }),
            ],
          },
          service('a', 'db', '', task('t4', '10.0.0.9', { Address6: 'fd00:a::9' })),
        ].map((one) => [one.ID, one]),
      ),
    });
    const ask = (name: string, type: RecordType = 'AAAA', shift = 0) => {
      const query = packet.encode({ type: 'query', id: 7, questions: [{ type, name }] });
      const reading = readQuery(query, { networkID: 'a', address: '11.0.0.3' }, book, shift);
      const { answers, flags = 0 } = packet.decode(reading!.answer!);
      const data = (answers ?? []).map((one) => ('data' in one ? one.data : ''));
      return (flags & 15) === 0 ? data : flags & 15;
    };
    assert.deepEqual([ask('web'), ask('www'), ask('web', 'A')], [['fd00:a::ff'], ['fd00:a::ff'], ['10.0.0.250']]);
    assert.deepEqual(ask('tasks.web'), ['fd00:a::2', 'fd00:b::3']);
    assert.deepEqual(ask('tasks.web', 'AAAA', 1), ['fd00:b::3', 'fd00:a::2']);
    assert.deepEqual(
      [ask('db'), ask('web.1.t2'), ask('db', 'ANY' as RecordType)],
      [['fd00:a::9'], ['fd00:b::3'], ['10.0.0.9', 'fd00:a::9']],
    );
    const reversed = (address: string) => `${address.split('').reverse().join('.')}.ip6.arpa`;
    assert.deepEqual(ask(reversed('fd00000b000000000000000000000003'), 'PTR'), ['web.1.t2.six']);
    assert.deepEqual(ask(reversed('FD00000A0000000000000000000000FF'), 'PTR'), ['web.six']);
    assert.equal(ask(reversed('fd00000b000000000000000000000007'), 'PTR'), noSuchName);
    assert.deepEqual(ask('3.0.0.11.in-addr.arpa', 'PTR'), ['web.1.t2.six']);
  });

  it('outside the cluster are asked for outside, but not from an internal network', () => {
    assert.equal(ask('example.com'), 'outside');
    assert.equal(ask('8.8.8.8.in-addr.arpa', 'PTR'), 'outside');
    assert.equal(ask('example.com', 'A', '12.0.0.2', 'c'), noSuchName);
  });

  it('are read out of anything without harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        readQuery(Buffer.from(bytes), { networkID: 'a', address: '10.0.0.2' }, new NameBook(world), 0);
      }),
      { numRuns: 2000 },
    );
    const response = packet.encode({ type: 'response', questions: [{ type: 'A', name: 'web' }] });
    assert.equal(readQuery(response, { networkID: 'a', address: '10.0.0.2' }, new NameBook(world), 0), undefined);
  });

  it('are not read out of a question that points elsewhere for its name', () => {
    const asker = { networkID: 'c', address: '12.0.0.2' };
    const header = Buffer.from([0, 7, 0x08, 0, 0, 1, 0, 0, 0, 0, 0, 0]); // an opcode that is answered whatever the name is
    const read = (...question: number[]) =>
      readQuery(Buffer.concat([header, Buffer.from(question)]), asker, new NameBook(world), 0);
    assert.equal(read(1, 0x61, 0, 0, 1, 0, 1)?.answer?.length, header.length + 7);
    assert.equal(read(0xc0, 4, 0, 1, 0, 1), undefined);
    assert.equal(read(1, 0x61, 0xc0, 4, 0, 1, 0, 1), undefined);
  });

  it('with more addresses than any answer holds are told as many of, others each time', () => {
    const places = Array.from({ length: 5000 }, (_, at) => `10.1.${at >> 8}.${at & 255}`);
    const tasks = places.map((place, at) => task(`m${at}`, place, { Address6: `fd00::${at.toString(16)}` }));
    const book = new NameBook(items(service('a', 'crowd', '', ...tasks)));
    const told = (type: RecordType, shift: number) => {
      const query = packet.encode({ type: 'query', id: 9, questions: [{ type, name: 'crowd' }] });
      const { answer } = readQuery(query, { networkID: 'a', address: '10.0.0.2' }, book, shift)!;
      assert.equal(frame(answer!).readUInt16BE(0), answer!.length);
      return (packet.decode(answer!).answers ?? []).map((one) => ('data' in one ? String(one.data) : ''));
    };
    const [first, later] = [told('A', 0), told('A', 4990)];
    assert.deepEqual(first, places.slice(0, first.length));
    assert.ok(first.length > 4000 && later.length === first.length);
    assert.deepEqual(later.slice(8, 12), [places[4998], places[4999], places[0], places[1]]);
    assert.ok(told('AAAA', 0).length > 2300);
    assert.equal(told('ANY' as RecordType, 0).length, first.length);
  });

  it('with more addresses than a datagram holds are truncated in it', () => {
    const book = new NameBook(
      items(service('a', 'many', '', ...Array.from({ length: 60 }, (_, at) => task(`m${at}`, `10.0.1.${at}`)))),
    );
    const ask = (additionals: packet.Packet['additionals']) => {
      const query = packet.encode({ type: 'query', id: 9, questions: [{ type: 'A', name: 'maNY' }], additionals });
      const reading = readQuery(query, { networkID: 'a', address: '10.0.0.2' }, book, 0)!;
      return packet.decode(asDatagram(reading.answer!, reading));
    };
    const cut = ask([]);
    assert.deepEqual([cut.flag_tc, cut.answers?.length, cut.id, cut.questions?.[0]?.name], [true, 0, 9, 'maNY']);
    const option = { type: 'OPT' as const, name: '.' as const, udpPayloadSize: 1232, flags: 0, options: [] };
    const whole = ask([{ ...option, extendedRcode: 0, ednsVersion: 0, flag_do: false } as never]);
    assert.deepEqual([whole.flag_tc, whole.answers?.length], [false, 60]);
    assert.deepEqual(new Set(whole.answers?.map(({ name }) => name)), new Set(['maNY']));
  });

  it('are the same whether the book was made of a state or came to it by changes', () => {
    const name = fc.constantFrom('web', 'api', 'db');
    const net = fc.constantFrom('a', 'b');
    const endpoint = fc.record({ id: fc.nat(9), host: name, alias: name, serving: fc.boolean() });
    const one = fc.record({
      net,
      name,
      vip: fc.boolean(),
      tasks: fc.array(endpoint, { maxLength: 4 }),
      anonymous: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(fc.array(one, { maxLength: 5 }), { maxLength: 5 }), (states) => {
        const grown = new NameBook(items());
        for (const state of states) {
          const now = items(
            ...state.map(({ net: on, name: called, vip, tasks, anonymous }) => ({
              ...service(
                on,
                anonymous ? '' : called,
                vip && !anonymous ? `${on === 'a' ? 10 : 11}.0.9.${called.length}` : '',
                ...tasks.map(({ id, host, alias, serving }) =>
                  task(`t${id}`, `${on === 'a' ? 10 : 11}.0.0.${id + 2}`, {
                    Hostname: host,
                    Aliases: [alias],
                    Serving: serving,
                  }),
                ),
              ),
              ID: `${on}/${called}`,
            })),
          );
          grown.update(now);
          const made = new NameBook(now);
          for (const networkID of ['a', 'b']) {
            for (let at = 2; at < 12; at++) {
              const asker = { networkID, address: `${networkID === 'a' ? 10 : 11}.0.0.${at}` };
              for (const asked of ['web', 'api', 'db', 'tasks.web', 'web.1.t1', 't10000000000', 'web.b-net']) {
                const sorted = (book: NameBook) => [...(book.find(asker, asked)?.addresses ?? ['none'])].sort();
                assert.deepEqual(sorted(grown), sorted(made), `${asked} from ${asker.address}`);
              }
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('the name server of a node', () => {
  const cleanUp: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    for (const end of cleanUp.splice(0).reverse()) await end();
  });
  const local = (subnet: string, services: NetworkService[]): NetworkItems => ({
    peers: new Map(),
    networks: new Map([
      [
        'l',
        complete('Network', {
          ID: 'l',
          Number: 1,
          Spec: { Name: 'l' },
          IPAMOptions: { Configs: [{ Subnet: subnet, Gateway: '127.0.0.1' }] },
        }),
      ],
    ]),
    services: new Map(services.map((one) => [one.ID, one])),
  });
  const many = Array.from({ length: 60 }, (_, at) => task(`m${at}`, `127.0.1.${at}`));
  const start = async (subnet = '127.0.0.0/8', nameservers: string[] = [], outsidePort = 53) => {
    const port = await freePort();
    const forwarder = new Forwarder({
      nameservers: async () => nameservers,
      clock: systemClock,
      random: systemRandom,
      port: outsidePort,
    });
    const resolver = new Resolver({
      forwarder,
      clock: systemClock,
      log: winston.createLogger({ silent: true }),
      port,
    });
    cleanUp.push(() => resolver.close());
    const known = local(subnet, [service('l', 'web', '127.0.0.9'), service('l', 'many', '', ...many)]);
    resolver.know(known);
    await resolver.serve([...known.networks.values()]);
    return { port, resolver };
  };
  const question = (name: string, id = 1) => packet.encode({ type: 'query', id, questions: [{ type: 'A', name }] });
  const overUDP = (port: number, ...queries: Buffer[]) =>
    new Promise<DecodedPacket>((resolve, reject) => {
      const socket = createSocket('udp4').once('error', reject);
      cleanUp.push(() => socket.close());
      socket.on('message', (answer) => resolve(packet.decode(answer)));
      for (const query of queries) socket.send(query, port, '127.0.0.1');
    });

  it('answers datagrams, whatever came before them, and says when something was left out', async () => {
    const { port } = await start();
    const answer = await overUDP(port, Buffer.from('nonsense'), Buffer.alloc(0), question('web', 42));
    assert.deepEqual([answer.id, answer.answers?.map((one) => 'data' in one && one.data)], [42, ['127.0.0.9']]);
    assert.equal((await overUDP(port, question('many'))).flag_tc, true);
  });

  it('answers several questions on one connection in their order, however they are cut', async () => {
    const { port } = await start();
    const socket = connect(port, '127.0.0.1');
    cleanUp.push(() => socket.destroy());
    const answers: DecodedPacket[] = [];
    const frames = new Frames();
    const done = new Promise<void>((resolve) => {
      socket.on('data', (bytes: Buffer) => {
        for (const message of frames.add(bytes)) answers.push(packet.decode(message));
        if (answers.length === 3) resolve();
      });
    });
    const bytes = Buffer.concat(['web', 'many', 'web'].map((name, at) => frame(question(name, at))));
    for (const byte of bytes) socket.write(Buffer.from([byte]));
    await done;
    assert.deepEqual(
      answers.map(({ id, answers: all }) => [id, all?.length]),
      [
        [0, 1],
        [1, 60],
        [2, 1],
      ],
    );
  });

  it('fails a question for the outside when nobody is there to ask', async () => {
    const { port } = await start();
    assert.equal((await overUDP(port, question('example.com'))).flags! & 15, 2);
  });

  it('asks the next server when one is silent, refuses or is our own, and the silent one last from then on', async () => {
    const heard: string[] = [];
    const outsidePort = await freePort();
    const serveAt = async (address: string, rcode: number | undefined) => {
      const socket = createSocket('udp4');
      socket.on('message', (bytes, from) => {
        heard.push(address);
        if (rcode === undefined) return;
        const { id, questions } = packet.decode(bytes);
        const answers = rcode === 0 ? [{ type: 'A' as const, name: questions![0]!.name, data: '192.0.2.7' }] : [];
        const nonsense = packet.encode({ type: 'response', id: (id! + 1) % 65_536, questions });
        socket.send(nonsense, from.port, from.address);
        socket.send(Buffer.alloc(3), from.port, from.address);
        socket.send(packet.encode({ type: 'response', id, flags: rcode, questions, answers }), from.port, from.address);
      });
      await new Promise<void>((resolve) => socket.bind(outsidePort, address, resolve));
      cleanUp.push(() => socket.close());
    };
    await serveAt('127.3.0.1', undefined);
    await serveAt('127.3.0.2', 5);
    await serveAt('127.3.0.3', 0);
    const { port } = await start('127.0.0.0/8', ['127.0.0.1', '127.3.0.1', '127.3.0.2', '127.3.0.3'], outsidePort);
    const [first] = (await overUDP(port, question('example.com'))).answers ?? [];
    assert.equal(first?.type === 'A' && first.data, '192.0.2.7');
    assert.deepEqual(heard.splice(0), ['127.3.0.1', '127.3.0.2', '127.3.0.3']);
    await overUDP(port, question('example.org'));
    assert.deepEqual(heard, ['127.3.0.2', '127.3.0.3']);
  });

  it('takes from outside what repeats its question, of few sockets whose ports and ids change', async () => {
    const outsidePort = await freePort();
    const server = createSocket('udp4');
    const ports = new Map<number, number>();
    const ids = new Set<number>();
    server.on('message', (bytes, from) => {
      ports.set(from.port, (ports.get(from.port) ?? 0) + 1);
      const { id, questions } = packet.decode(bytes);
      ids.add(id!);
      const name = questions![0]!.name;
      const say = (asked: string, data: string) =>
        server.send(
          packet.encode({
            type: 'response',
            id,
            questions: [{ type: 'A', name: asked }],
            answers: [{ type: 'A', name: asked, data }],
          }),
          from.port,
          from.address,
        );
      say(`not.${name}`, '192.0.2.66'); // under the right id
      say(name.toUpperCase(), '192.0.2.7');
    });
    await new Promise<void>((resolve) => server.bind(outsidePort, '127.3.0.1', resolve));
    cleanUp.push(() => server.close());
    const { port } = await start('127.0.0.0/8', ['127.3.0.1'], outsidePort);
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, at) => overUDP(port, question(`host${at}.example`, at))),
      );
      for (const [at, { id, answers: [first] = [] }] of answers.entries()) {
        assert.deepEqual([id, first?.type === 'A' && first.data], [at, '192.0.2.7']);
      }
    }
    assert.ok(ports.size >= 16 && ports.size < 200, `${ports.size} ports for 1,000 questions`);
    assert.ok(Math.max(...ports.values()) <= 64);
    assert.ok(ids.size > 900, `${ids.size} ids`);
  });

  it('has no more questions of one container under way than leave room for others', async () => {
    const outsidePort = await freePort();
    const silent = createSocket('udp4');
    let count = 0;
    silent.on('message', () => count++);
    await new Promise<void>((resolve) => silent.bind(outsidePort, '127.3.0.1', resolve));
    cleanUp.push(() => silent.close());
    const { port } = await start('127.0.0.0/8', ['127.3.0.1'], outsidePort);
    const answer = await overUDP(port, ...Array.from({ length: 160 }, (_, at) => question('example.com', at)));
    assert.equal(answer.flags! & 15, 2); // at once, of those that were too many
    assert.ok(answer.id! >= 128);
    assert.ok(count <= 128, `${count}`);
  });

  it('takes no container’s connections for all, and none that sends nothing of use', async () => {
    const { port } = await start();
    const closed: number[] = [];
    for (let at = 0; at < 20; at++) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      socket.on('close', () => closed.push(at));
      cleanUp.push(() => socket.destroy());
      await new Promise<void>((resolve) => socket.once('connect', resolve));
    }
    while (closed.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(closed, [16, 17, 18, 19]);
    const { port: another } = await start();
    const bad = connect(another, '127.0.0.1').on('error', () => {});
    const ended = new Promise<void>((resolve) => bad.on('close', () => resolve()));
    bad.write(frame(Buffer.from('no question')));
    await ended;
  });

  it('follows a change at once, and stops with its network', async () => {
    const { port, resolver } = await start();
    const known = local('127.0.0.0/8', [service('l', 'web', '127.0.0.77')]);
    resolver.know(known);
    const { answers } = await overUDP(port, question('web'));
    assert.deepEqual(
      answers?.map((one) => 'data' in one && one.data),
      ['127.0.0.77'],
    );
    await resolver.serve([]);
    const again = createSocket('udp4');
    cleanUp.push(() => again.close());
    await new Promise<void>((resolve, reject) => again.once('error', reject).bind(port, '127.0.0.1', resolve));
  });

  it('reads the name servers of the machine', () => {
    assert.deepEqual(nameserversIn('# x\nnameserver 10.0.0.1\n nameserver fe80::1%eth0\nsearch a\nnameserver x\n'), [
      '10.0.0.1',
      'fe80::1',
    ]);
  });
});
