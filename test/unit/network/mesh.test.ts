import assert from 'node:assert/strict';
import type { NetworkPeer, Route } from '../../../src/model/types.js';
import { InsideDoors } from '../../../src/network/kernel/inside-doors.js';
import { differenceIn, parseListing } from '../../../src/network/kernel/listing.js';
import { insideOf, type Mesh, targetsOf } from '../../../src/network/kernel/mesh.js';
import { rulesFor } from '../../../src/network/kernel/rules.js';
import { renderChange } from '../../../src/network/kernel/ruleset.js';
import { ManualClock } from '../../helpers/manual-clock.js';

const peers = new Map<string, NetworkPeer>(
  [1, 2, 3].map((number) => [
    `node${number}`,
    { ID: `node${number}`, Number: number, Address: `192.168.0.${number}`, DataPathPort: 4789, EncryptionEpoch: 0 },
  ]),
);
const items = { peers, networks: new Map(), services: new Map() };
const endpoint = (node: number, Port: number, Inside = '172.17.0.2') => ({
  TaskID: `t${Port}`,
  NodeID: `node${node}`,
  Host: `192.168.0.${node}`,
  Port,
  Inside,
});
const route = (Endpoints: Route['Endpoints'], init: Partial<Route> = {}): Route => ({
  ID: 'tcp/8080',
  ServiceID: 'web',
  ServiceName: 'web',
  Protocol: 'tcp',
  PublishedPort: 8080,
  TargetPort: 80,
  Endpoints,
  Masquerade: false,
  Sticky: false,
  Opaque: false,
  ...init,
});
const mesh = (routes: Route[], init: Partial<Mesh> = {}): Mesh => ({
  routes,
  publishAddress: '',
  inside: insideOf(routes, 'node1'),
  starting: new Set(),
  ending: new Set(),
  engineBridges: [],
  ...init,
});
const web = route([endpoint(1, 32_768), endpoint(2, 32_769), endpoint(3, 32_770, '')]);

describe('the routing mesh in the kernel', () => {
  it('leads to tasks here directly, to others through the tunnel, and past it where a node has none', () => {
    const where = targetsOf(web, { nodeID: 'node1', peers }).map(({ address, port, isPlain }) => [
      address,
      port,
      isPlain,
    ]);
    assert.deepEqual(where, [
      ['172.17.0.2', 80, false],
      ['100.96.0.2', 32_769, false],
      ['192.168.0.3', 32_770, true],
    ]);
    const { chains, sets } = rulesFor(items, 'node1', [], mesh([web]));
    assert.deepEqual(chains.get('pub_tcp_8080')?.rules, [
      'meta l4proto tcp ct mark set 0x53000000 dnat ip to numgen inc mod 3 map { 0 : 100.96.0.2 . 32769, 1 : 192.168.0.3 . 32770, 2 : 172.17.0.2 . 80 }',
    ]);
    assert.deepEqual([...sets.get('plain')!.elements.keys()], ['192.168.0.3 . 32770']);
    assert.deepEqual([...sets.get('inside')!.elements], [['tcp . 32768', '172.17.0.2 . 80']]);
    assert.deepEqual([...sets.get('marks')!.elements].at(0), ['02:53:00:00:00:02', '0x53000002']);
  });

  it('hides the client, or keeps it to one task, when the service asks for it', () => {
    const rule = (init: Partial<Route>) =>
      rulesFor(items, 'node1', [], mesh([{ ...web, ...init }])).chains.get('pub_tcp_8080')!.rules[0]!;
    assert.match(rule({ Masquerade: true }), /ct mark set 0x53800000 /);
    assert.match(rule({ Sticky: true }), / dnat ip to jhash ip saddr mod 3 seed 0x53 map /);
  });

  it('leaves a port without tasks to the listener that refuses', () => {
    const { chains, sets } = rulesFor(items, 'node1', [], mesh([route([])]));
    assert.ok(!chains.has('pub_tcp_8080'));
    assert.equal(sets.get('ports')!.elements.size, 0);
  });

  it('takes no endpoint for one that could not be, and nothing into a rule that is no address', () => {
    const strange = ['', 'localhost', '1.2.3.4; drop', '::1', '1.2.3'].flatMap((text) => [
      { ...endpoint(1, 80), Host: text },
      { ...endpoint(1, 80), Inside: text === '' ? 'x' : text },
    ]);
    const wrong = [0, 70_000, 1.5, -1].map((Port) => endpoint(1, Port));
    assert.deepEqual(targetsOf(route([...strange, ...wrong]), { nodeID: 'node1', peers }), []);
    assert.deepEqual(targetsOf({ ...web, Protocol: 'sctp' }, { nodeID: 'node1', peers }), []);
    assert.equal(insideOf([route([...strange, ...wrong])], 'node1').size, 0);
  });

  it('costs in proportion to what changes', () => {
    const many = (more: number) =>
      Array.from({ length: 500 }, (_, at) => {
        const endpoints = [endpoint(1, 40_000 + at), ...(at === 7 && more > 0 ? [endpoint(2, 32_769)] : [])];
        return route(endpoints, { ID: `tcp/${10_000 + at}`, PublishedPort: 10_000 + at });
      });
    const [before, after] = [0, 1].map((more) => rulesFor(items, 'node1', [], mesh(many(more))));
    assert.deepEqual(renderChange(before!, after!).trim().split('\n'), [
      'flush chain ip shoal pub_tcp_10007',
      'add rule ip shoal pub_tcp_10007 meta l4proto tcp ct mark set 0x53000000 dnat ip to numgen inc mod 2 map { 0 : 100.96.0.2 . 32769, 1 : 172.17.0.2 . 80 }',
    ]);
  });

  it('lets other nodes reach a task for a while after it left rotation here, unless its port is another’s by then', async () => {
    const clock = new ManualClock();
    const doors = new InsideDoors('node1', clock);
    assert.deepEqual([...doors.open([web])], [['tcp . 32768', '172.17.0.2 . 80']]);
    assert.deepEqual([...doors.open([route([])])], [['tcp . 32768', '172.17.0.2 . 80']]);
    const next = route([endpoint(1, 32_768, '172.17.0.9')]);
    assert.deepEqual([...doors.open([next])], [['tcp . 32768', '172.17.0.9 . 80']]);
    doors.open([]);
    await clock.advance(61_000);
    assert.equal(doors.open([]).size, 0);
  });
});

describe('a listing of the table', () => {
  const wanted = rulesFor(items, 'node1', [], mesh([web]));
  /** As nft 1.0.6 prints it: elements wrapped, rules in its own words. */
  const listing = (change: (text: string) => string = (text) => text) => {
    const sets = [...wanted.sets].map(([name, { kind, type, elements }]) => {
      const list = [...elements]
        .map(([key, value]) => (value === '' ? key : `${key} : ${value}`))
        .join(',\n\t\t\t     ');
      return `\t${kind} ${name} {\n\t\t${type}\n${list === '' ? '' : `\t\telements = { ${list} }\n`}\t}\n`;
    });
    const chains = [...wanted.chains].map(
      ([name, { hook, rules }]) =>
        `\tchain ${name} {\n${hook === '' ? '' : `\t\t${hook};\n`}${rules.map((rule) => `\t\t${rule} words\n`).join('')}\t}\n`,
    );
    return parseListing(change(`table ip shoal {\n${[...sets, ...chains].join('\n')}}\n`));
  };

  it('shows nothing when all is as it was made', () => {
    assert.equal(differenceIn(listing(), wanted), undefined);
  });

  it('shows what somebody else took away or put there', () => {
    const with_ = (from: string, to: string) =>
      differenceIn(
        listing((text) => {
          assert.ok(text.includes(from), from);
          return text.replace(from, to);
        }),
        wanted,
      );
    assert.match(with_('tcp . 8080 : goto pub_tcp_8080', '')!, /set ports lacks tcp \. 8080/);
    assert.match(with_('192.168.0.1', '192.168.0.9')!, /set nodes lacks 192\.168\.0\.1/);
    assert.match(with_('{ 192.168.0.1', '{ 192.168.0.7, 192.168.0.1')!, /set nodes has 10 elements, not 9/);
    assert.match(with_('\tchain pub_tcp_8080', '\tchain theirs')!, /chain theirs should not be there/);
    assert.match(with_('\tchain clamp', '\tchain zclamp')!, /chain/);
    const rule = wanted.chains.get('clamp')!.rules[0]!;
    assert.match(with_(`\t\t${rule} words\n`, '')!, /chain clamp has 0 rules, not 1/);
    assert.equal(differenceIn(parseListing(''), wanted)?.includes('is missing'), true);
  });
});
