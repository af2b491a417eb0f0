import type { Duplex } from 'node:stream';
import { messageOf, ShoalError } from '../../model/errors.js';
import { serviceClient } from '../../model/services.js';
import type { Dialer } from '../../security/identity.js';
import { duplexOver } from './stream.js';

export interface TunnelTarget {
  nodeID: string;
  /** host:port of the node's cluster port. */
  address: string;
}

/**
 * Opens a byte stream to the Docker Engine API of another node. Throws `unavailable` when the node cannot be reached within
 * `timeout_ms`; an engine that does not answer ends the stream with an error.
 */
export async function openTunnel(dialer: Dialer, target: TunnelTarget, timeout_ms: number): Promise<Duplex> {
  const client = serviceClient('Tunnel', target.address, dialer.credentials({ nodeID: target.nodeID }));
  try {
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(Date.now() + timeout_ms, (error) => (error ? reject(error) : resolve()));
    });
  } catch (error) {
    client.close();
    const reason = messageOf(error);
    throw new ShoalError('unavailable', `node ${target.nodeID} at ${target.address} cannot be reached: ${reason}`, {
      cause: error,
    });
  }
  const call = client.Connect();
  const duplex = duplexOver(call, { halfClosed: () => call.end(), cut: () => call.cancel() });
  duplex.once('close', () => client.close());
  return duplex;
}
