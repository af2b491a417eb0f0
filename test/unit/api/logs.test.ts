import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { frame, type LogMessage, LogReader, stderrStream, stdoutStream } from '../../../src/api/log-frames.js';
import { LogMerge } from '../../../src/api/log-merge.js';
import { ApiFixture, type FakeEngine, smallSpec } from '../../helpers/api-fixture.js';
import { ManualClock, settled } from '../../helpers/manual-clock.js';
import { localNodeID } from '../../helpers/memory-backend.js';

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z`;
const entry = (stream: number, second: number, text: string, details = '') =>
  frame(stream, Buffer.from(`${at(second)} ${details}${text}\n`));

/** The frames of a multiplexed stream as `stream:text`. */
function framesOf(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let place = 0; place < bytes.length; ) {
    const length = bytes.readUInt32BE(place + 4);
    found.push(`${bytes[place]}:${bytes.toString('utf8', place + 8, place + 8 + length).trimEnd()}`);
    place += 8 + length;
  }
  return found;
}

describe('reading an engine’s log stream', () => {
  it('gives the same messages however it is cut', () => {
    const whole = Buffer.concat([entry(1, 1, 'one'), entry(2, 2, ''), entry(1, 3, 'three with spaces')]);
    for (let size = 1; size <= whole.length; size++) {
      const reader = new LogReader({ isRaw: false, hasDetails: false });
      const messages: LogMessage[] = [];
      for (let place = 0; place < whole.length; place += size)
        messages.push(...reader.push(whole.subarray(place, place + size)));
      assert.deepEqual(
        messages.map((one) => [one.stream, one.timestamp, one.line.toString()]),
        [
          [1, at(1), 'one\n'],
          [2, at(2), '\n'],
          [1, at(3), 'three with spaces\n'],
        ],
      );
    }
  });

  it('takes a terminal’s log by lines, the last without its line feed', () => {
    const reader = new LogReader({ isRaw: true, hasDetails: true });
    const messages = reader.push(Buffer.from(`${at(1)} a=b one\n${at(2)}  two`));
    messages.push(...reader.end());
    assert.deepEqual(
      messages.map((one) => [one.timestamp, one.details, one.line.toString()]),
      [
        [at(1), 'a=b', 'one\n'],
        [at(2), '', 'two'],
      ],
    );
  });

  it('holds little of a terminal’s line that never ends, and keeps its time', () => {
    const reader = new LogReader({ isRaw: true, hasDetails: false });
    const long = 'x y '.repeat(25_000);
    const messages = [`${at(1)} ${long}`, long, `end\n${at(2)} next\n`].flatMap((text) =>
      reader.push(Buffer.from(text)),
    );
    assert.deepEqual(
      messages.map((one) => [one.timestamp, one.line.length]),
      [
        [at(1), long.length],
        [at(1), long.length],
        [at(1), 4],
        [at(2), 5],
      ],
    );
  });

  it('refuses what is no log stream', () => {
    const read = (bytes: Buffer) => () => new LogReader({ isRaw: false, hasDetails: false }).push(bytes);
    assert.throws(read(Buffer.from('HTTP/1.1 200 OK')), /broken log stream/);
    assert.throws(read(Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])), /broken log stream/);
  });
});

describe('merging logs', () => {
  const message = (second: number): LogMessage => ({
    stream: 1,
    timestamp: at(second),
    details: '',
    line: Buffer.from(`${second}`),
  });
  async function* batches(...seconds: number[][]): AsyncGenerator<LogMessage[]> {
    for (const batch of seconds) yield batch.map(message);
  }

  it('puts what is there in order of time', async () => {
    const merge = new LogMerge<string>(new ManualClock(), 1000);
    void merge.add('a', batches([1, 4], [7]));
    void merge.add('b', batches([2], [3, 8]));
    void merge.add('c', batches());
    merge.close();
    const order: string[] = [];
    for await (const { source, message: one } of merge) order.push(`${source}${one.line}`);
    assert.deepEqual(order, ['a1', 'b2', 'b3', 'a4', 'a7', 'b8']);
  });

  it('waits for a quiet log only so long', async () => {
    const clock = new ManualClock();
    const merge = new LogMerge<string>(clock, 100);
    void merge.add('busy', batches([5]));
    void merge.add(
      'quiet',
      (async function* () {
        await new Promise(() => undefined);
        yield [];
      })(),
    );
    const first = merge[Symbol.asyncIterator]().next();
    let isThere = false;
    void first.then(() => {
      isThere = true;
    });
    await settled();
    assert.equal(isThere, false);
    await clock.advance(100);
    assert.equal((await first).value?.source, 'busy');
  });
});

describe('the logs endpoints', () => {
  let api: ApiFixture;
  let here: FakeEngine;
  let there: FakeEngine;
  let service: string;
  beforeEach(async () => {
    api = await new ApiFixture().start();
    api.backend.found().addNode({ ID: 'node2' }, 'node2');
    here = await api.addEngine();
    there = await api.addEngine('node2');
    service = (await api.call('POST', '/services/create', smallSpec('web'))).body.ID;
  });
  afterEach(() => api.stop());

  const task = (ID: string, NodeID: string, State = 'running', TTY = false) =>
    api.backend.addTask({
      ID,
      ServiceID: service,
      NodeID,
      Spec: { ContainerSpec: { TTY } },
      Status: { State, ContainerStatus: { ContainerID: `container-${ID}` } },
    });
  const says = (engine: FakeEngine, ...frames: Buffer[]) => {
    engine.handle = (_request, response) => {
      response.writeHead(200);
      response.end(Buffer.concat(frames));
    };
  };
  const logs = async (path: string): Promise<{ frames: string[]; headers: http.IncomingHttpHeaders }> => {
    const request = http.get({ socketPath: api.socket, path, agent: false });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    return { frames: framesOf(Buffer.concat(chunks)), headers: answer.headers };
  };

  it('merge the tasks of all nodes by time, framed as Docker frames them', async () => {
    task('t1', localNodeID);
    task('t2', 'node2');
    says(here, entry(stdoutStream, 1, 'a1'), entry(stdoutStream, 3, 'a3'));
    says(there, entry(stderrStream, 2, 'b2'), entry(stdoutStream, 4, 'b4'));
    const { frames, headers } = await logs('/v1.47/services/web/logs?stdout=1&stderr=1&tail=7&since=5');
    assert.deepEqual(frames, ['1:a1', '2:b2', '1:a3', '1:b4']);
    assert.equal(headers['content-type'], 'application/vnd.docker.multiplexed-stream');
    const url = new URL(here.asked[0]!.url, 'http://x');
    assert.equal(url.pathname, '/containers/container-t1/logs');
    assert.deepEqual(
      ['stdout', 'stderr', 'tail', 'since', 'timestamps', 'follow'].map((name) => url.searchParams.get(name)),
      ['1', '1', '7', '5', '1', '0'],
    );
  });

  it('say whose line it is, and when it was written, when asked', async () => {
    task('t1', localNodeID);
    says(here, entry(stdoutStream, 1, 'hello', 'tag=x '));
    const context = `com.docker.swarm.node.id=${localNodeID},com.docker.swarm.service.id=${service},com.docker.swarm.task.id=t1,tag=x`;
    assert.deepEqual((await logs('/services/web/logs?stdout=1&details=1&timestamps=1')).frames, [
      `1:${at(1)} ${context} hello`,
    ]);
    assert.deepEqual((await logs('/tasks/t1/logs?stdout=1&details=1')).frames, [`1:${context} hello`]);
  });

  it('are raw of a task with a terminal', async () => {
    task('t1', localNodeID, 'running', true);
    says(here, Buffer.from(`${at(1)} one\r\n${at(2)} two`));
    const { text, headers } = await api.call('GET', '/v1.47/tasks/t1/logs?stdout=1');
    assert.equal(text, 'one\r\ntwo');
    assert.equal(headers['content-type'], 'application/vnd.docker.raw-stream');
  });

  it('say at their end what could not be had', async () => {
    task('t1', localNodeID);
    task('t2', 'node2');
    api.backend.engines.delete('node2');
    says(here, entry(stdoutStream, 1, 'a1'));
    const { frames } = await logs('/services/web/logs?stdout=1');
    assert.equal(frames[0], '1:a1');
    assert.match(frames[1]!, /^3:warning: incomplete log stream.*node node2: no engine answers/);
  });

  it('pass over containers that are gone, and tasks that never had one', async () => {
    task('t1', localNodeID);
    api.backend.addTask({ ID: 't2', ServiceID: service, NodeID: 'node2', Status: { State: 'preparing' } });
    here.handle = (_request, response) => {
      response.writeHead(404);
      response.end('{"message":"No such container"}');
    };
    assert.deepEqual((await logs('/services/web/logs?stdout=1')).frames, []);
    assert.equal(there.asked.length, 0);
  });

  it('follow tasks that come while they are followed, and come back after a break', async () => {
    let asked = 0;
    here.handle = (_request, response) => {
      asked++;
      response.writeHead(200);
      response.write(entry(stdoutStream, 1, 'first'));
      if (asked === 1) setTimeout(() => response.destroy(), 20);
      else response.write(entry(stdoutStream, 2, 'after the break'));
    };
    there.handle = (_request, response) => {
      response.writeHead(200);
      response.write(entry(stderrStream, 5, 'from the new one'));
    };
    task('t1', localNodeID);
    const request = http.get({
      socketPath: api.socket,
      path: '/services/web/logs?stdout=1&stderr=1&follow=1',
      agent: false,
    });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    let bytes = Buffer.alloc(0) as Buffer;
    const until = async (words: string) => {
      while (!bytes.includes(words)) bytes = Buffer.concat([bytes, (await once(answer, 'data'))[0]]);
    };
    await until('first');
    task('t2', 'node2');
    await until('from the new one');
    await until('after the break');
    assert.deepEqual(framesOf(bytes).sort(), ['1:after the break', '1:first', '2:from the new one']);
    answer.on('error', () => undefined);
    request.destroy();
  });

  it('read only so many containers at a time, and all in the end', async () => {
    const open = new Set<http.ServerResponse>();
    let most = 0;
    here.handle = (request, response) => {
      open.add(response);
      most = Math.max(most, open.size);
      response.writeHead(200);
      const number = Number(/t(\d+)/.exec(request.url!)![1]);
      setTimeout(() => {
        open.delete(response);
        response.end(entry(stdoutStream, number % 60, `from ${number}`));
      }, 20);
    };
    for (let number = 0; number < 700; number++) task(`t${number}`, localNodeID, 'complete');
    const { frames } = await logs('/services/web/logs?stdout=1');
    assert.equal(new Set(frames).size, 700);
    assert.ok(most <= 500, `${most} at a time`);
  });

  it('hold little of what engines send while the client does not read', async () => {
    let sent = 0;
    const line = entry(stdoutStream, 1, 'x'.repeat(16_000));
    here.handle = (_request, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && sent < 500e6) {
          sent += line.length;
          if (!response.write(line)) return response.once('drain', more);
        }
        return undefined;
      };
      more();
    };
    task('t1', localNodeID);
    const request = http.get({ socketPath: api.socket, path: '/services/web/logs?stdout=1&follow=1', agent: false });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    answer.pause();
    for (let before = -1; before !== sent; ) {
      before = sent;
      for (let turn = 0; turn < 200; turn++) await settled();
    }
    assert.ok(sent < 50e6, `${sent} bytes were taken from the engine`);
    answer.on('error', () => undefined);
    request.destroy();
  });

  it('end with the service they follow', async () => {
    here.handle = (_request, response) => {
      response.writeHead(200);
      response.write(entry(stdoutStream, 1, 'first'));
      setTimeout(() => response.end(), 50);
    };
    task('t1', localNodeID);
    const reading = logs('/services/web/logs?stdout=1&follow=1');
    while (here.asked.length === 0) await settled();
    api.backend.commit({
      Operations: [
        { Action: 'remove', Kind: 'Task', ID: 't1' },
        { Action: 'remove', Kind: 'Service', ID: service },
      ],
    });
    assert.deepEqual((await reading).frames, ['1:first']);
  });

  it('let go of the engines when the client goes', async () => {
    const gone = new Promise((resolve) => {
      here.handle = (_request, response) => {
        response.writeHead(200);
        response.write(entry(stdoutStream, 1, 'first'));
        response.on('close', resolve);
      };
    });
    task('t1', localNodeID);
    const request = http.get({ socketPath: api.socket, path: '/services/web/logs?stdout=1&follow=1', agent: false });
    const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
    await once(answer, 'data');
    answer.on('error', () => undefined);
    request.destroy();
    await gone;
  });

  it('refuse what they cannot do, in Docker’s words', async () => {
    const message = async (path: string) => {
      const { status, body } = await api.call('GET', path);
      return `${status} ${body.message}`;
    };
    assert.match(await message('/services/web/logs'), /^400 Bad parameters: you must choose at least one stream/);
    assert.equal(
      await message('/services/web/logs?stdout=1&tail=x'),
      '400 tail value must be a positive integer or "all"',
    );
    assert.match(await message('/services/web/logs?stdout=1&since=%0d%0a'), /^400 since: must be a Unix timestamp/);
    assert.equal(await message('/services/nope/logs?stdout=1'), '404 service nope not found');
    assert.equal(await message('/tasks/nope/logs?stdout=1'), '404 task nope not found');
  });
});
