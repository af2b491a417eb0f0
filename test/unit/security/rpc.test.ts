import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { callOnce } from '../../../src/security/rpc.js';

describe('one call of another node', () => {
  it('gives up a host that does not answer long before the time that an answer may take', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket.on('error', () => {})));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const credentials = grpc.credentials.createSsl();
    try {
      const limits = { credentials, timeout_ms: 600_000, connect_ms_max: 50 };
      await assert.rejects(callOnce('CertificateAuthority', 'GetRoot', address, {}, limits), {
        code: 'unavailable',
        message: `${address}: no connection within 0.05 s`,
      });
    } finally {
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });
});
