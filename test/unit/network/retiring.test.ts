import assert from 'node:assert/strict';
import { createLogger } from 'winston';
import { ShoalError } from '../../../src/model/errors.js';
import { parseFlows } from '../../../src/network/kernel/flows.js';
import { Retiring } from '../../../src/network/kernel/retiring.js';
import type { KernelTools } from '../../../src/network/kernel/tools.js';
import { ManualClock } from '../../helpers/manual-clock.js';

/** A connection as `conntrack -L` prints it; bytes of what was said beyond headers of 52 bytes a packet. */
class Line {
  asked = 100;
  answered = 0;
  packets = 5;
  constructor(
    readonly from: number,
    readonly address: string,
    public state = 'ESTABLISHED',
    readonly protocol = 'tcp',
    readonly zone = '',
  ) {}
  toString(): string {
    const { from, address, state, protocol, zone, packets } = this;
    const header = protocol === 'tcp' ? 52 : 28;
    const words = (bytes: number, count: number) => `packets=${count} bytes=${count * header + bytes}`;
    const answers = this.answered > 0 || protocol === 'tcp' ? packets : 0;
    const start = protocol === 'tcp' ? `tcp      6 431999 ${state}` : 'udp      17 29';
    const unreplied = state === 'SYN_SENT' || answers === 0 ? '[UNREPLIED] ' : '';
    return `${start} src=10.0.0.9 dst=10.0.0.1 sport=${from} dport=8080 ${zone === '' ? '' : `zone-orig=${zone} `}${words(this.asked, packets)} ${unreplied}src=${address} dst=10.0.0.9 sport=80 dport=${from} ${words(this.answered, answers)} mark=1392508928 use=1`;
  }
}

describe('connections to tasks that left rotation', () => {
  let clock: ManualClock;
  let lines: Line[];
  let forgotten: string[];
  let retiring: Retiring;
  let released: number;
  let looks: number;
  let read: number;
  let isMissing: boolean;
  const to = (taskID: string) => ({ taskID, isOpaque: false });
  const both = new Map([
    ['tcp 172.17.0.2 80', to('a')],
    ['tcp 172.17.0.3 80', to('b')],
  ]);
  const onlyB = new Map([['tcp 172.17.0.3 80', to('b')]]);
  beforeEach(() => {
    clock = new ManualClock();
    lines = [];
    forgotten = [];
    released = 0;
    looks = 0;
    read = 0;
    isMissing = false;
    const tools: KernelTools = {
      async run(_command, args, _input, keep = () => true) {
        looks += args[0] === '-L' ? 1 : 0;
        if (isMissing) throw new ShoalError('unavailable', 'conntrack: spawn conntrack ENOENT');
        if (args[0] === '-L') {
          const kept = lines.map(String).filter(keep);
          read += kept.length;
          return kept.join('\n');
        }
        forgotten.push(args.slice(1).join(' '));
        lines = lines.filter(
          (line) => !args.includes(String(line.from)) && !(args.includes('-r') && args.includes(line.address)),
        );
        return '';
      },
      async setSysctl() {},
      sysctl: () => undefined,
      hasDevice: () => false,
    };
    retiring = new Retiring({ tools, clock, log: createLogger({ silent: true }) });
    retiring.onReleased(() => {
      released += 1;
    });
  });
  afterEach(() => retiring.close());
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) await clock.advance(100);
  };

  it('are told from the many that are over or lead elsewhere line by line, before anything is made of them', async () => {
    const over = ['TIME_WAIT', 'LAST_ACK', 'CLOSE'].map((state, at) => new Line(at, '172.17.0.2', state));
    lines = [...over, new Line(7, '172.17.0.2'), new Line(8, '172.17.0.3'), new Line(9, '172.17.0.2', '', 'udp')];
    await retiring.replaced(both, onlyB);
    assert.equal(read, 2);
    assert.deepEqual(retiring.busyTasks(), ['a']);
  });

  it('keep their task busy at once, and until they have ended; those to others do not count', async () => {
    lines = [new Line(1, '172.17.0.2'), new Line(2, '172.17.0.3')];
    await retiring.replaced(both, onlyB);
    assert.deepEqual(retiring.busyTasks(), ['a']);
    lines[0]!.state = 'TIME_WAIT';
    await pass(600);
    assert.deepEqual([retiring.busyTasks(), released, forgotten], [[], 1, []]);
  });

  it('count while the client waits for an answer, and no longer once the answer is a second old', async () => {
    const line = new Line(1, '172.17.0.2');
    lines = [line];
    await retiring.replaced(both, onlyB);
    line.asked += 50;
    await pass(9_000);
    assert.deepEqual(retiring.busyTasks(), ['a']);
    line.answered += 500;
    await pass(1_000);
    assert.deepEqual(retiring.busyTasks(), ['a']);
    await pass(1_000);
    assert.deepEqual(retiring.busyTasks(), []);
  });

  it('count while the task goes on to answer, or one side has ended', async () => {
    const [download, half] = [new Line(1, '172.17.0.2'), new Line(2, '172.17.0.3', 'FIN_WAIT')];
    lines = [download, half];
    await retiring.replaced(both, new Map());
    for (let round = 0; round < 20; round++) {
      download.answered += 100_000;
      await pass(500);
    }
    assert.deepEqual([...retiring.busyTasks()].sort(), ['a', 'b']);
  });

  it('on which both sides go on talking for two seconds are not waited for: only the server can end them', async () => {
    const steady = new Line(1, '172.17.0.2');
    lines = [steady];
    await retiring.replaced(both, onlyB);
    const busy: number[] = [];
    for (let round = 0; round < 8; round++) {
      steady.asked += 10;
      steady.answered += 10;
      await pass(500);
      busy.push(retiring.busyTasks().length);
    }
    assert.deepEqual([busy, released], [[1, 1, 1, 0, 0, 0, 0, 0], 1]);
  });

  it('are given time for an answer when nobody saw who spoke last', async () => {
    lines = [new Line(1, '172.17.0.2')];
    await retiring.replaced(both, onlyB);
    await pass(2_500);
    assert.deepEqual(retiring.busyTasks(), ['a']);
    await pass(1_500);
    assert.deepEqual(retiring.busyTasks(), []);
  });

  it('that are just being made go elsewhere when the client asks again', async () => {
    lines = [new Line(1, '172.17.0.2', 'SYN_SENT', 'tcp', '3'), new Line(2, '172.17.0.3', 'SYN_SENT')];
    await retiring.replaced(both, onlyB);
    assert.deepEqual(forgotten, [
      '-p tcp -s 10.0.0.9 -d 10.0.0.1 --sport 1 --dport 8080 --orig-zone 3 --state SYN_SENT',
    ]);
    assert.deepEqual(retiring.busyTasks(), []);
  });

  it('of UDP go elsewhere: at once if never answered, else with the answer, and in the end in any case', async () => {
    const udp = (from: number, answered: number) =>
      Object.assign(new Line(from, '172.17.0.2', '', 'udp'), { answered });
    const waiting = Object.assign(udp(3, 10), { toString: () => `${udp(3, 10)}`.replace('packets=5 ', 'packets=6 ') });
    lines = [udp(1, 0), udp(2, 10), waiting];
    await retiring.replaced(new Map([['udp 172.17.0.2 80', to('a')]]), new Map());
    assert.deepEqual([forgotten.length, retiring.busyTasks()], [2, ['a']]);
    await pass(2_000);
    assert.deepEqual([forgotten.length, retiring.busyTasks()], [3, []]);
  });

  it('that are many go elsewhere in one call a destination, or a few at a time while others wait for an answer', async () => {
    const udp = (from: number, packets = 5) =>
      Object.assign(new Line(from, '172.17.0.2', '', 'udp'), { answered: packets === 5 ? 0 : 10, packets });
    lines = Array.from({ length: 500 }, (_, at) => udp(at + 1_000));
    await retiring.replaced(new Map([['udp 172.17.0.2 80', to('a')]]), new Map());
    assert.deepEqual(forgotten, ['-p udp -r 172.17.0.2 --reply-port-src 80 -m 0x53000000/0xff000000']);
    const waiting = udp(3, 6);
    lines = [waiting, ...Array.from({ length: 20 }, (_, at) => udp(at + 1_000))];
    waiting.toString = () => `${udp(3, 6)}`.replace('packets=6 ', 'packets=7 ');
    forgotten = [];
    await retiring.replaced(new Map([['udp 172.17.0.2 80', to('a')]]), new Map());
    assert.deepEqual([forgotten.length, retiring.busyTasks()], [8, ['a']]);
  });

  it('are looked for no longer than a minute where conntrack is missing', async () => {
    isMissing = true;
    await retiring.replaced(both, onlyB);
    assert.equal(looks, 1);
    await pass(61_000);
    assert.deepEqual([retiring.isWatching, retiring.busyTasks()], [false, []]);
    const before = looks;
    await pass(5_000);
    assert.equal(looks, before);
  });

  it('to a virtual IP’s task count whatever the port, and not once it is back in rotation', async () => {
    lines = [new Line(1, '10.0.1.2')];
    const here = new Map([['10.0.1.2', to('c')]]);
    await retiring.replaced(here, new Map());
    assert.deepEqual(retiring.busyTasks(), ['c']);
    await retiring.replaced(new Map(), here);
    await pass(600);
    assert.deepEqual(retiring.busyTasks(), []);
  });

  it('are read from what conntrack prints, and nothing else is', () => {
    const text = `conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.
icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1 mark=0 use=1
tcp      6 119 TIME_WAIT src=10.99.0.100 dst=100.96.0.1 sport=46292 dport=32768 zone-orig=2 packets=6 bytes=410 src=172.17.0.2 dst=10.99.0.100 sport=80 dport=46292 packets=6 bytes=372 [ASSURED] mark=1392508930 use=1
udp      17 27 src=10.0.0.1 dst=10.0.0.2 sport=5 dport=53 [UNREPLIED] src=10.0.0.7 dst=10.0.0.1 sport=53 dport=5 mark=1392508928 use=1
tcp      6 300 ESTABLISHED src=fd00::2 dst=fd00::ff sport=40000 dport=80 packets=3 bytes=316 src=fd00::3 dst=fd00::2 sport=80 dport=40000 packets=3 bytes=216 [ASSURED] mark=1396703232 use=1`;
    assert.deepEqual(
      parseFlows(text).map(({ protocol, state, address, port, isUnanswered, asked_bytes }) => [
        protocol,
        state,
        address,
        port,
        isUnanswered,
        asked_bytes,
      ]),
      [
        ['tcp', 'TIME_WAIT', '172.17.0.2', 80, false, 98],
        ['udp', '', '10.0.0.7', 53, true, 0],
        ['tcp', 'ESTABLISHED', 'fd00::3', 80, false, 100],
      ],
    );
    assert.deepEqual(
      parseFlows(text).map(({ selector }) => selector.slice(0, 2)),
      [
        ['-p', 'tcp'],
        ['-p', 'udp'],
        ['-f', 'ipv6'],
      ],
    );
  });
});
