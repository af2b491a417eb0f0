import { tunnelMAC } from '../../src/network/kernel/names.js';

const bytesOf = (mac: string) => Buffer.from(mac.replaceAll(':', ''), 'hex');

/** A frame from node 2 to node 1 on their tunnel, with a datagram. */
export function inner({ from, to, port, text }: { from: string; to: string; port: number; text: string }): Buffer {
  const udp = Buffer.alloc(8 + text.length);
  udp.writeUInt16BE(port + 1, 0); // where nobody answers its answer
  udp.writeUInt16BE(port, 2);
  udp.writeUInt16BE(udp.length, 4); // no checksum: 0
  udp.write(text, 8);
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + udp.length, 2);
  header[8] = 64;
  header[9] = 17;
  Buffer.from(from.split('.').map(Number)).copy(header, 12);
  Buffer.from(to.split('.').map(Number)).copy(header, 16);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += header.readUInt16BE(at);
  header.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10);
  return Buffer.concat([bytesOf(tunnelMAC(1)), bytesOf(tunnelMAC(2)), Buffer.from([0x08, 0x00]), header, udp]);
}

/** What goes in a datagram of the tunnel (RFC 7348, 5). */
export function vxlan(identifier: number, frame: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 0x08;
  header.writeUInt32BE(identifier << 8, 4);
  return Buffer.concat([header, frame]);
}
