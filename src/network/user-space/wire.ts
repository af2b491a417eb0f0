/** What a wire tells. Nothing comes after `failed`, nor after the wire was closed. */
export interface WireEvents {
  /** Bytes that arrived. They stay as they are until the write they are handed to has drained; the wire must be paused until then. */
  data(bytes: Uint8Array): void;
  /** The other end will send no more (FIN). */
  ended(): void;
  /** What `write` could not hand over at once is out. */
  drained(): void;
  /** Everything written, and our FIN after it, is out. */
  finished(): void;
  /** The connection broke; `code` is the system's name for it. The wire still has to be closed. */
  failed(code: string): void;
}

/** One TCP connection at the lowest level that moves bytes: no queue of its own but the one write that did not fit. */
export interface Wire {
  events: WireEvents;
  /** Reads on. A new wire does not read. */
  resume(): void;
  pause(): void;
  /** True when the kernel took everything; else nothing more may be written until `drained`. */
  write(bytes: Uint8Array): boolean;
  /** Sends FIN after what was written; reading goes on. */
  end(): void;
  /** Gives the descriptor back; the kernel still sends what it has, then FIN. May be called twice. */
  close(): void;
  /** Gives the descriptor back and cuts the connection (RST), so that the other end does not take what it has for all. */
  reset(): void;
  /** The other end's address; '' when it is gone. */
  peer(): string;
}

export interface Listening {
  /** Resolves once the port is free. Connections that were accepted live on. */
  close(): Promise<void>;
}

/** Where wires come from. `host` is always an address, never a name. */
export interface Wires {
  /** Rejects with the system's error when the port cannot be had. IPv6 addresses are bound for IPv6 alone. */
  listen(host: string, port: number, accepted: (wire: Wire) => void): Promise<Listening>;
  /** Calls `done` once, later, with the system's error code unless it is connected. A wire closed before never calls it. */
  connect(host: string, port: number, done: (code: string | undefined) => void): Wire;
}

/** Before a wire belongs to a connection nothing is read from it, so there is nothing to tell. */
export const noEvents: WireEvents = { data() {}, ended() {}, drained() {}, finished() {}, failed() {} };

/** Half a minute without a byte and TCP asks whether the other end is still there; else a vanished peer holds descriptors for ever. */
export const keepAlive_s = 30;

/** Connections that wait to be accepted; the kernel's own limit (net.core.somaxconn) is 4096 too. */
export const backlog = 4096;

/** Stands where there is no wire (yet, or any more). */
export const noWire: Wire = {
  events: noEvents,
  resume() {},
  pause() {},
  write: () => true,
  end() {},
  close() {},
  reset() {},
  peer: () => '',
};
