import assert from 'node:assert/strict';
import fc from 'fast-check';
import { LastRequest } from '../../../src/network/user-space/last-request.js';

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** What the server gets of `chunk`, sent by a client that has heard `heard` since the endpoint left rotation. */
function passed(chunk: string, ...heard: string[]): string {
  const last = new LastRequest();
  for (const said of heard) last.fromServer(Buffer.from(said, 'latin1'));
  return give(last, chunk);
}

function give(last: LastRequest, chunk: string): string {
  const bytes = Buffer.from(chunk, 'latin1');
  const copy = Buffer.from(bytes);
  const out = last.fromClient(bytes);
  assert.deepEqual(bytes, copy, 'what was read is not ours to change: it may still be on its way');
  return Buffer.from(out).toString('latin1');
}

const untouched = (chunk: string, ...heard: string[]) => assert.equal(passed(chunk, ...heard), chunk);

describe('the last request to an endpoint out of rotation', () => {
  it('asks the server to close, right behind the request line', () => {
    assert.equal(
      passed('GET /a?b HTTP/1.1\r\nHost: web\r\n\r\n', answer),
      'GET /a?b HTTP/1.1\r\nConnection: close\r\nHost: web\r\n\r\n',
    );
    assert.equal(passed('GET / HTTP/1.0\r\n\r\n', answer), 'GET / HTTP/1.0\r\nConnection: close\r\n\r\n');
  });

  it('does not say keep-alive any more, whatever case it is written in', () => {
    for (const said of ['Connection: keep-alive', 'connection:Keep-Alive ', 'Keep-Alive: timeout=5, max=9']) {
      assert.equal(
        passed(`POST / HTTP/1.1\r\nHost: web\r\n${said}\r\nContent-Length: 3\r\n\r\nabc`, answer),
        'POST / HTTP/1.1\r\nConnection: close\r\nHost: web\r\nContent-Length: 3\r\n\r\nabc',
      );
    }
    assert.equal(
      passed('GET / HTTP/1.1\r\nConnection: TE, keep-alive\r\nTE: trailers\r\n\r\n', answer),
      'GET / HTTP/1.1\r\nConnection: close\r\nConnection: TE, keep-alive\r\nTE: trailers\r\n\r\n',
    );
  });

  it('is one only: what follows passes as it is', () => {
    const last = new LastRequest();
    last.fromServer(Buffer.from(answer));
    const request = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';
    assert.notEqual(give(last, request), request);
    last.fromServer(Buffer.from(answer));
    assert.equal(give(last, request), request);
  });

  it('takes the beginning of its body with it, or all of it, byte for byte', () => {
    const bodies: [string, string][] = [
      ['Content-Length: 10', '01234'],
      ['Content-Length: 5', '\x00\xff\r\n\r'],
      ['Transfer-Encoding: chunked', ''],
      ['Transfer-Encoding: chunked', '3\r\nabc\r\n'],
      ['Transfer-Encoding: chunked', '3\r\nabc\r\n0\r\n\r\n'],
      ['Transfer-Encoding: chunked', '0\r\n\r\n'],
    ];
    for (const [framing, body] of bodies) {
      assert.equal(
        passed(`POST / HTTP/1.1\r\n${framing}\r\n\r\n${body}`, answer),
        `POST / HTTP/1.1\r\nConnection: close\r\n${framing}\r\n\r\n${body}`,
      );
    }
  });

  it('is none before the server was heard: what the client says may be the middle of something', () => {
    const last = new LastRequest();
    const request = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';
    assert.equal(give(last, request), request);
    last.fromServer(Buffer.from(answer));
    assert.notEqual(give(last, request), request);
  });

  it('is not looked for in a body that the server has only said to go on with', () => {
    const body = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';
    untouched(body, 'HTTP/1.1 100 Continue\r\n\r\n');
    untouched(body, answer, 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    untouched(body, 'HTTP/1.1 100 Conti', 'nue\r\n\r\n');
    assert.notEqual(passed(body, `HTTP/1.1 100 Continue\r\n\r\n${answer}`), body);
    assert.notEqual(passed(body, 'HTTP/1.1 100 Continue\r\n\r\n', answer), body);
  });

  it('is none when a client pipelines: the request behind it would be lost', () => {
    const request = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';
    untouched(request + request, answer);
    untouched(`POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab${request}`, answer);
    for (const body of ['0\r\n\r\n', '1\r\na\r\n0\r\n\r\n']) {
      untouched(`POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${body}${request}`, answer);
    }
    const last = new LastRequest();
    assert.equal(give(last, request), request);
    assert.equal(give(last, request), request);
    last.fromServer(Buffer.from(answer));
    assert.equal(give(last, request), request, 'an answer is still to come');
  });

  it('is the next one when a head comes in pieces', () => {
    const last = new LastRequest();
    for (const pieces of [
      ['GET /', ' HTTP/1.1\r\n\r\n'],
      ['GET / HTTP/1.1\r\nHost: w', 'eb\r\n\r\n'],
      ['GET / HTTP/1.1\r\n', '\r\n'],
    ]) {
      last.fromServer(Buffer.from(answer));
      for (const piece of pieces) assert.equal(give(last, piece), piece);
    }
    last.fromServer(Buffer.from(answer));
    assert.notEqual(give(last, 'GET / HTTP/1.1\r\n\r\n'), 'GET / HTTP/1.1\r\n\r\n');
  });

  it('is none that leads to another protocol, nor anything after', () => {
    const request = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n';
    for (const asking of [
      'GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      'GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n',
      'CONNECT example.org:80 HTTP/1.1\r\nHost: example.org\r\n\r\n',
    ]) {
      const last = new LastRequest();
      last.fromServer(Buffer.from(answer));
      assert.equal(give(last, asking), asking);
      last.fromServer(Buffer.from(answer));
      assert.equal(give(last, request), request);
    }
    untouched(request, 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\n\r\n', 'hello');
  });

  it('is none that already says close, or that two readers could understand in two ways', () => {
    for (const headers of [
      'Connection: close',
      'Connection: foo, Close',
      'Content-Length: 3\r\nContent-Length: 3',
      'Content-Length: 3\r\nTransfer-Encoding: chunked',
      'Content-Length: +3',
      'Transfer-Encoding: gzip, chunked',
      ' folded: to the request line',
      'Host: web\r\n folded',
      'Host : web',
      'Host: web\nX: y',
      'Host: web\rX: y',
    ]) {
      untouched(`POST / HTTP/1.1\r\n${headers}\r\n\r\n`, answer);
    }
  });

  it('is none with a head of more than 16 KB', () => {
    untouched(`GET / HTTP/1.1\r\nX: ${'y'.repeat(16 * 1024)}\r\n\r\n`, answer);
    untouched(`GET /${'y'.repeat(9000)} HTTP/1.1\r\n\r\n`, answer);
  });

  it('is nothing of other protocols, however like HTTP', () => {
    for (const chunk of [
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'GET / HTTP/1.1\n\n',
      'GET  / HTTP/1.1\r\n\r\n',
      'get / HTTP/1.1\r\n\r\n',
      ' GET / HTTP/1.1\r\n\r\n',
      'GET / HTTP/1.11\r\n\r\n',
      'OPTIONS rtsp://a RTSP/1.0\r\n\r\n',
      'INVITE sip:a SIP/2.0\r\n\r\n',
      'SET key value\r\n\r\n',
      '\x16\x03\x01\x02\x00GET / HTTP/1.1\r\n\r\n',
      '\x81\x85\x01\x02\x03\x04GET / HTTP/1.1\r\n\r\n',
    ]) {
      untouched(chunk, answer);
    }
    const chunks = fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ minLength: 1, maxLength: 200 })), { maxLength: 20 });
    fc.assert(
      fc.property(chunks, (said) => {
        const last = new LastRequest();
        for (const [byServer, bytes] of said) {
          if (byServer) last.fromServer(bytes);
          else assert.equal(last.fromClient(bytes), bytes);
        }
      }),
    );
  });

  it('loses and adds nothing but what it is to, whatever else the request says', () => {
    const token = fc.stringMatching(/^[xX]-[a-zA-Z0-9]{1,10}$/);
    const value = fc.stringMatching(/^[!-~\u0080-\u00ff]([ -~\u0080-\u00ff]{0,40}[!-~\u0080-\u00ff])?$/);
    const kept = fc.array(
      fc.tuple(token, value).map(([name, said]) => `${name}: ${said}\r\n`),
      { maxLength: 8 },
    );
    const dropped = fc.constantFrom('', 'Connection: keep-alive\r\n', 'Keep-Alive: max=3\r\n');
    const body = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(kept, dropped, kept, body, (before, drop, after, sent) => {
        const length = `Content-Length: ${sent.length}\r\n`;
        assert.equal(
          passed(`PUT /x HTTP/1.1\r\n${before.join('')}${drop}${after.join('')}${length}\r\n${sent}`, answer),
          `PUT /x HTTP/1.1\r\nConnection: close\r\n${before.join('')}${after.join('')}${length}\r\n${sent}`,
        );
      }),
    );
  });
});
