import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { ApiFixture } from '../../helpers/api-fixture.js';

/** Answers that no engine gives: a worker in foreign hands may, to a manager that asks it through the tunnel. */
const answers: Record<string, string> = {
  'control characters in the status line': 'HTTP/1.1 200 O\x01\x1b[2JK\r\nContent-Length: 2\r\n\r\nhi',
  'control characters in a header': 'HTTP/1.1 200 OK\r\nX-A: a\x01b\r\nContent-Length: 2\r\n\r\nhi',
  'letters beyond ASCII in the status line': 'HTTP/1.1 200 \xff\xfe\r\nContent-Length: 2\r\n\r\nhi',
  'a status below 100': 'HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nhi',
  'a status above 599': 'HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nhi',
  'an upgrade that nobody asked for': 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhi',
  'an upgrade with control characters': 'HTTP/1.1 101 U\x07P\r\nConnection: Upgrade\r\nUpgrade: t\x01cp\r\n\r\nhi',
  'a promise to go on, without end': 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(5_000),
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nhi',
  'a length and chunks':
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
  'a broken chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhi',
  'headers without end': `HTTP/1.1 200 OK\r\n${'X-A: a\r\n'.repeat(100_000)}`,
  'a body where none may be': 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi',
  'a second answer': `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi${'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'.repeat(3)}`,
  'no HTTP': '\x16\x03\x01\x00\xa5',
  'trailers of every kind': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n__proto__: x\r\nX: \x01\r\n\r\n',
};

describe('whatever a hostile engine answers, the API', function () {
  this.timeout(30_000);
  let api: ApiFixture;
  let engine: Server;
  let answer = '';
  const uncaught: unknown[] = [];
  const note = (error: unknown) => uncaught.push(error);

  before(async () => {
    api = await new ApiFixture({ body_ms: 500 }).start();
    api.backend.found();
    engine = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(Buffer.from(answer, 'latin1')));
    });
    const path = join(api.folder, 'hostile.sock');
    await new Promise<void>((resolve) => engine.listen(path, resolve));
    api.backend.engines.set('', path);
    process.on('uncaughtException', note).on('unhandledRejection', note);
  });
  after(async () => {
    process.off('uncaughtException', note).off('unhandledRejection', note);
    await api.stop();
    await new Promise((resolve) => engine.close(resolve));
  });

  /** All that a client is told until it is hung up on. */
  const heard = async (request: string): Promise<string> => {
    const socket = connect(api.socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.write(request);
    await once(socket, 'close');
    return text;
  };

  const requests = {
    'a question': 'GET /containers/json HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n',
    'a change': 'POST /containers/a/start HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    'an exec': 'POST /containers/a/exec HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    'an upgrade':
      'POST /exec/a/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n',
    'what it is': 'GET /info HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n',
  };
  for (const [what, bytes] of Object.entries(answers)) {
    it(`tells its client of ${what}, or hangs up, and goes on`, async () => {
      answer = bytes;
      for (const [asked, request] of Object.entries(requests)) {
        const text = await heard(request);
        const [head = ''] = text.split('\r\n\r\n');
        assert.doesNotMatch(
          head,
          /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/,
          `${asked}: ${JSON.stringify(text.slice(0, 200))}`,
        );
        assert.ok(head === '' || /^HTTP\/1\.1 [1-5]\d\d /.test(head), `${asked}: ${JSON.stringify(head)}`);
      }
      assert.equal((await api.call('GET', '/services')).status, 200);
      assert.deepEqual(uncaught, []);
    });
  }
});
