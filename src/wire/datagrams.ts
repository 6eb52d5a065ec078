/**
 * Datagrams: unreliable messages to other nodes, as protocol code sees them. `io/udp.ts` makes them of a UDP socket,
 * `sim/datagrams.ts` of a simulated network; both pass the suite in `test/conformance/datagrams.ts`.
 *
 * A datagram arrives once, several times, late, out of order, or never; but what arrives is whole and as it was sent.
 */
import type { Instant } from "../base/time.ts";

/** What arrives, told to whoever uses them. */
export interface DatagramEvents {
  /** Never inside a call of `send`. `from` ("host:port") is where an answer goes; `bytes` are borrowed until the call returns. */
  onDatagram(now: Instant, from: string, bytes: Uint8Array): void;
}

/** One node's socket. */
export interface Datagrams {
  /** Starts the delivery of events. Call it once. */
  attach(events: DatagramEvents): void;
  /**
   * Sends to "host:port". `bytes` are copied, or sent, before it returns. Never throws: a bad address, an oversized
   * datagram or a full queue is a loss like any other, but counted.
   */
  send(address: string, bytes: Uint8Array): void;
  readonly counters: DatagramCounters;
}

/** What became of datagrams at this end; all only rise. */
export interface DatagramCounters {
  sent: number;
  received: number;
  /** Not sent: bad address, too large, too many waiting, or the system refused. */
  dropped: number;
}
