/** A packet of IPv4 on a wire of Ethernet. */
export interface Packet {
  protocol: number;
  source: string;
  destination: string;
  /** Of UDP; else 0. */
  port: number;
  /** Of ESP: its number. */
  sequence: number;
  isFragment: boolean;
  frame: Buffer;
}

/** The packets of IPv4 in what tcpdump wrote (the format of libpcap 2.4, of this machine's byte order). */
export function packetsIn(capture: Buffer): Packet[] {
  const packets: Packet[] = [];
  for (let at = 24; at + 16 <= capture.length; ) {
    const length = capture.readUInt32LE(at + 8);
    const frame = capture.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800) continue;
    const header = frame.subarray(14);
    const payload = header.subarray((header[0]! & 15) * 4);
    const protocol = header[9]!;
    packets.push({
      protocol,
      source: header.subarray(12, 16).join('.'),
      destination: header.subarray(16, 20).join('.'),
      port: protocol === 17 ? payload.readUInt16BE(2) : 0,
      sequence: protocol === 50 ? payload.readUInt32BE(4) : 0,
      isFragment: (header.readUInt16BE(6) & 0x3fff) !== 0,
      frame,
    });
  }
  return packets;
}
