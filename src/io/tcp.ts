/**
 * Links over TCP, for nodes and for clients: Node sockets behind the `Link` contract of `wire/link.ts`, and nothing
 * that thinks. `setNoDelay` because a frame waits for nobody (without it: 44 ms); one `write` per
 * call, and the caller calls once per turn; chunks come from 'data' events with the default semi-space.
 *
 * A socket's own events are asynchronous already, so none of them arrives inside a call on the link; the one case where
 * Node would throw instead (a bad address) is turned into a deferred `onClosed`.
 */
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { RingtailError } from "../base/errors.ts";
import type { Clock } from "../base/time.ts";
import { parseAddress } from "../node/config.ts";
import type { Acceptor, Link, LinkEvents, Transport } from "../wire/link.ts";
import { writeDirectly } from "./direct-write.ts";
import { readInto, rewrapped } from "./read-buffer.ts";

const keepAliveMs = 30_000;
/** How long a closed link waits for the other side to end its half before it is cut. */
const lingerMs = 2_000;

/** One socket as a link. Made by `TcpTransport` and by `listen` only. */
class TcpLink implements Link {
  readonly label: string;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #events: LinkEvents | undefined;
  #ending = false;
  #closed = false;
  #owesWritable = false;
  #reason = "";
  #linger: NodeJS.Timeout | undefined;
  readonly #onWritten: () => void;

  constructor(socket: Socket, clock: Clock, label: string) {
    this.#socket = socket;
    this.#clock = clock;
    this.label = label;
    this.#onWritten = () => this.#written();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.on("error", (error) => {
      this.#reason = reasonOf(error, label);
    });
    socket.on("close", () => this.#onClose());
  }

  /** Starts the delivery of events. */
  attach(events: LinkEvents): void {
    this.#events = events;
    // A socket that does not read into `readBuffer` (see there) emits 'data'.
    this.#socket.on("data", (chunk: Uint8Array) => this.onChunk(chunk.buffer, chunk.byteOffset, chunk.length));
    this.#socket.on("end", () => {
      if (this.#reason === "" && !this.#ending) this.#reason = `${this.label} closed the connection`;
    });
  }

  /** Bytes came. Cores copy with `slice()`, which on a Buffer would be a view: they are given a plain array. */
  onChunk(memory: ArrayBufferLike, offset: number, length: number): void {
    if (this.#ending || this.#closed) return;
    this.#events?.onBytes(this.#clock.now(), new Uint8Array(memory, offset, length));
  }

  onConnected(): void {
    if (!this.#ending && !this.#closed) this.#events?.onOpen(this.#clock.now());
  }

  write(bytes: Uint8Array): boolean {
    if (this.#ending || this.#closed) return true;
    const taken = writeDirectly(this.#socket, bytes);
    if (taken === bytes.length) return true;
    this.#socket.write(taken === 0 ? bytes : bytes.subarray(taken), this.#onWritten);
    if (this.#socket.writableLength === 0) return true;
    this.#owesWritable = true;
    return false;
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    if (!this.#closed) this.#socket.resume();
  }

  close(): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    if (this.#reason === "") this.#reason = "closed here";
    // The far half's end must be read to be seen, even if reading was paused.
    this.#socket.resume();
    this.#socket.end();
    this.#linger = setTimeout(() => this.#socket.destroy(), lingerMs);
    this.#linger.unref();
  }

  destroy(): void {
    if (this.#closed) return;
    this.#ending = true;
    if (this.#reason === "") this.#reason = "closed here";
    this.#socket.destroy();
  }

  #written(): void {
    if (!this.#owesWritable || this.#closed || this.#socket.writableLength !== 0) return;
    this.#owesWritable = false;
    if (!this.#ending) this.#events?.onWritable(this.#clock.now());
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#linger !== undefined) clearTimeout(this.#linger);
    const reason = this.#reason === "" ? `the connection to ${this.label} broke` : this.#reason;
    this.#events?.onClosed(this.#clock.now(), reason);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection: nothing listens there",
  ECONNRESET: "reset the connection",
  EPIPE: "closed the connection",
  ETIMEDOUT: "did not answer: the connection timed out",
  ENOTFOUND: "is no known host name",
  EAI_AGAIN: "could not be looked up: the name service did not answer",
  EHOSTUNREACH: "cannot be reached: no route to the host",
  ENETUNREACH: "cannot be reached: no route to the network",
};

function reasonOf(error: Error, label: string): string {
  // A host name with several addresses fails as an AggregateError whose own message is empty.
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : error;
  const code = (first as NodeJS.ErrnoException).code ?? "";
  const known = reasons[code];
  return known === undefined ? `${label}: ${first.message}` : `${label} ${known}`;
}

function joinAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Dials over TCP. */
export class TcpTransport implements Transport {
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(address: string, events: LinkEvents): Link {
    let target: { readonly host: string; readonly port: number };
    try {
      target = parseAddress("address", address);
    } catch (error) {
      return new UnopenedLink(address, this.#clock, events, (error as Error).message);
    }
    if (target.port === 0)
      return new UnopenedLink(address, this.#clock, events, `${address}: port 0 cannot be dialled`);
    const onread = readInto((memory, offset, length) => link.onChunk(memory, offset, length));
    const socket = dial({ host: target.host, port: target.port, onread });
    const link = new TcpLink(socket, this.#clock, address);
    link.attach(events);
    socket.once("connect", () => link.onConnected());
    return link;
  }
}

/** A link to an address that cannot be dialled: its one event is `onClosed`. */
class UnopenedLink implements Link {
  readonly label: string;

  constructor(label: string, clock: Clock, events: LinkEvents, reason: string) {
    this.label = label;
    process.nextTick(() => events.onClosed(clock.now(), reason));
  }

  write(_bytes: Uint8Array): boolean {
    return true;
  }
  pauseReading(): void {}
  resumeReading(): void {}
  close(): void {}
  destroy(): void {}
}

/** A listening socket. */
export interface Listener {
  /** "host:port" with the real port, also when port 0 was asked for. */
  readonly address: string;
  /** Takes no more connections; those accepted live on. Resolves when the port is free. */
  close(): Promise<void>;
}

/**
 * Listens on `address`; each connection is offered to `accept`. Rejects with `INVALID_ARGUMENT` when the address is
 * malformed, taken, or none of this machine's.
 */
export function listen(options: {
  readonly address: string;
  readonly clock: Clock;
  readonly accept: Acceptor;
}): Promise<Listener> {
  const { address, clock, accept } = options;
  const server = createServer({ pauseOnConnect: true }, (accepted) => {
    const label = joinAddress(accepted.remoteAddress ?? "?", accepted.remotePort ?? 0);
    const socket = rewrapped(accepted, (memory, offset, length) => link.onChunk(memory, offset, length));
    const link = new TcpLink(socket, clock, label);
    const events = accept(clock.now(), link);
    if (events === undefined) link.destroy();
    else {
      link.attach(events);
      link.resumeReading();
    }
  });
  return new Promise((resolve, reject) => {
    const { host, port } = parseAddress("address", address);
    server.once("error", (error) => reject(new RingtailError("INVALID_ARGUMENT", listenReason(error, address))));
    server.listen({ host, port, backlog: 1024 }, () => {
      // An error of a server that listens already (a failed accept) concerns one connection, not the node.
      server.removeAllListeners("error").on("error", () => {});
      const bound = server.address();
      const realPort = typeof bound === "object" && bound !== null ? bound.port : port;
      resolve({ address: joinAddress(host, realPort), close: () => closeServer(server) });
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // `close` waits for every connection to end; the port is free at once, and the links have owners of their own.
    server.close();
    setImmediate(resolve);
  });
}

/** Why an address cannot be listened on, as a sentence. */
export function listenReason(error: NodeJS.ErrnoException, address: string): string {
  if (error.code === "EADDRINUSE") return `${address} is in use by another program (or node)`;
  if (error.code === "EADDRNOTAVAIL") return `${address} is no address of this machine`;
  if (error.code === "EACCES") return `${address} may not be used: permission denied`;
  if (error.code === "ENOTFOUND") return `${address}: no such host name`;
  return `${address}: ${error.message}`;
}
