/**
 * Link: a stream of bytes to somebody else, as protocol code sees it. `io/tcp.ts` makes one of a socket, `sim/network.ts`
 * of a simulated connection; both pass the suite in `test/conformance/links.ts`.
 *
 * Events never arrive inside a call on the link: a caller can finish its thought first.
 */
import type { Instant } from "../base/time.ts";

export interface Link {
  /**
   * Hands over bytes, in order. Returns true when the transport has consumed them all, so that their memory may be
   * reused at once; false when it keeps a reference to them, in which case the memory must stay untouched, and no more be
   * written, until `onWritable`. After `close` or `onClosed` it does nothing and returns true.
   */
  write(bytes: Uint8Array): boolean;
  /** Stops delivering `onBytes` until `resumeReading`: back-pressure on a peer that sends faster than it is served. */
  pauseReading(): void;
  resumeReading(): void;
  /** Sends what was written, then ends the stream. `onClosed` follows. */
  close(): void;
  /** Ends the stream at once; unsent bytes are dropped. `onClosed` follows. */
  destroy(): void;
  /** Who is there, for people: "127.0.0.1:51234". */
  readonly label: string;
}

/** What happens on a link, told to whoever uses it. */
export interface LinkEvents {
  /** The stream is up (for a dialled link; an accepted one is up already and gets no such event). */
  onOpen(now: Instant): void;
  /** Bytes came. `chunk` is borrowed: whatever outlives this call must be copied. */
  onBytes(now: Instant, chunk: Uint8Array): void;
  /** After a `write` that returned false: everything was consumed. */
  onWritable(now: Instant): void;
  /** The stream is over, or could never be opened. The last event; exactly one per link. `reason` is for people. */
  onClosed(now: Instant, reason: string): void;
}

/** Accepts a link, or refuses it by returning undefined (the transport then destroys it). */
export type Acceptor = (now: Instant, link: Link) => LinkEvents | undefined;

/** Where links to other nodes come from. */
export interface Transport {
  /** Dials `address` ("host:port"). Never throws: a bad or unreachable address ends in `onClosed`. */
  connect(address: string, events: LinkEvents): Link;
}
