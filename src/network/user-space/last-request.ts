/** A head longer than this is left alone; Node's own servers refuse longer ones. */
const headMax = 16 * 1024;
const requestLine = /^[A-Z]{1,32} \S{1,8192} HTTP\/1\.[01]\r\n/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/;
const interimStatus = /^HTTP\/1\.[01] 1(\d\d)/;

/**
 * Gets an HTTP/1 server whose endpoint has left rotation to end a kept connection itself: `Connection: close` goes into one request,
 * the answer says so too (RFC 9112, 9.6), and the client takes its next request to a new connection. If the balancer ended the
 * connection between two requests, the next one could already be on its way and be lost.
 *
 * A request is known by its first bytes, and only where one may begin: the server was heard since the endpoint left rotation, it was
 * heard last, and that was no `100 Continue`. Everything else passes as it is. Two things cannot be told from a request at
 * no cost to connections in rotation: a piece of a body that is sent after the server began its final answer, and what goes
 * through a tunnel opened before. To be changed, either would have to begin a chunk with the whole head of a request.
 */
export class LastRequest {
  /** Who spoke last since the endpoint left rotation. */
  private last: 'nobody' | 'client' | 'server' = 'nobody';
  /** Nothing more is looked at: the server was asked, or the connection is one to keep away from. */
  private isOver = false;

  fromServer(bytes: Uint8Array): void {
    if (this.isOver) return;
    let rest = asBuffer(bytes);
    for (;;) {
      const status = interimStatus.exec(rest.toString('latin1', 0, 12))?.[1];
      if (status === undefined) break;
      const end = rest.indexOf('\r\n\r\n');
      if (status === '01' || end < 0) {
        this.isOver = true; // another protocol from here on; or an interim answer in pieces, whose end could pass for a final one
        return;
      }
      rest = rest.subarray(end + 4);
    }
    this.last = rest.length > 0 ? 'server' : 'client';
  }

  /** What the server is to get for `bytes`: themselves, or a copy that asks it to close. */
  fromClient(bytes: Uint8Array): Uint8Array {
    if (this.isOver) return bytes;
    const { last } = this;
    this.last = 'client';
    if (last === 'nobody') return bytes;
    const chunk = asBuffer(bytes);
    const text = isLetter(chunk[0]) ? chunk.toString('latin1', 0, headMax) : '';
    const line = requestLine.exec(text)?.[0];
    if (line === undefined) return bytes;
    if (last === 'client') {
      this.isOver = true; // it pipelines: a request behind the one that closes would be lost
      return bytes;
    }
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) return bytes;
    this.isOver = true;
    return askingToClose(line, text.slice(line.length, end + 2), chunk.subarray(end + 4)) ?? bytes;
  }
}

/** The same request with `Connection: close`; undefined when it is one to keep away from, or says so already. */
function askingToClose(line: string, headers: string, rest: Buffer): Buffer | undefined {
  if (line.startsWith('CONNECT ')) return undefined;
  const kept: string[] = [];
  let framing: string | undefined;
  for (const header of headers.split('\r\n').slice(0, -1)) {
    const [, name, value] = headerLine.exec(header) ?? [];
    // Above all one that begins with a blank: it continues the line before, which must not become ours.
    if (name === undefined || value === undefined) return undefined;
    const [field, said] = [name.toLowerCase(), value.trim().toLowerCase()];
    if (field === 'upgrade' || (field === 'connection' && /\b(close|upgrade)\b/.test(said))) return undefined;
    if (field === 'content-length' || field === 'transfer-encoding') {
      if (framing !== undefined) return undefined; // where its body ends is a matter of who reads it
      framing = said;
    }
    if (field === 'keep-alive' || (field === 'connection' && said === 'keep-alive')) continue;
    kept.push(`${header}\r\n`);
  }
  if (!isBody(rest, framing ?? '0')) return undefined;
  return Buffer.concat([Buffer.from(`${line}Connection: close\r\n${kept.join('')}\r\n`, 'latin1'), rest]);
}

/** Whether `bytes` are of the body alone (all of it, or its beginning), so no further request is behind it. */
function isBody(bytes: Buffer, framing: string): boolean {
  if (/^\d{1,15}$/.test(framing)) return bytes.length <= Number(framing);
  if (framing !== 'chunked') return false;
  if (bytes.indexOf('0\r\n\r\n') === 0) return bytes.length === 5;
  const end = bytes.indexOf('\r\n0\r\n\r\n');
  return end < 0 || end + 7 === bytes.length;
}

function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
