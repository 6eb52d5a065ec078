/**
 * Datagrams over UDP: a `node:dgram` socket behind the contract of `wire/datagrams.ts`, and nothing that thinks. The
 * receive buffer is large, because a stalled event loop leaves datagrams there, and a member whose answers are lost in
 * it would accuse others. Sends are bounded: the system's own queue is full long before ours, and what does not fit
 * is lost, as UDP's users expect.
 *
 * Names are looked up here, once in half a minute, so that no datagram waits for the resolver's threads.
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { lookup } from "node:dns";
import { isIP } from "node:net";
import { plainBytes } from "../base/bytes.ts";
import { RingtailError } from "../base/errors.ts";
import type { Clock, WallMs } from "../base/time.ts";
import { parseAddress } from "../node/config.ts";
import type { DatagramCounters, DatagramEvents, Datagrams } from "../wire/datagrams.ts";
import { datagramBytesMax } from "../wire/limits.ts";

const receiveBufferBytes = 2 * 1024 * 1024;
/** Sends that the system has not answered yet; beyond it datagrams are dropped. */
const sendsMax = 1_024;
const targetsMax = 16_384;
const lookupAgainMs = 30_000;

interface Target {
  readonly port: number;
  readonly host: string;
  /** The address to send to; undefined until the name is found. */
  ip: string | undefined;
  /** When the name was looked up; infinity for a literal address. */
  lookedUpAt: WallMs;
}

/** One bound socket. Made by `bindUdp`. */
export class UdpDatagrams implements Datagrams {
  readonly counters: DatagramCounters = { sent: 0, received: 0, dropped: 0 };
  /** "host:port" with the real port, also when port 0 was asked for. */
  readonly address: string;
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #targets = new Map<string, Target>();
  #events: DatagramEvents | undefined;
  #sending = 0;
  #closed = false;

  constructor(socket: Socket, clock: Clock, address: string) {
    this.#socket = socket;
    this.#clock = clock;
    this.address = address;
    // Errors of single datagrams (an ICMP refusal, a full buffer) are losses.
    socket.on("error", () => {
      this.counters.dropped += 1;
    });
    socket.on("message", (bytes, from) => this.#onMessage(bytes, from));
  }

  attach(events: DatagramEvents): void {
    this.#events = events;
  }

  #onMessage(bytes: Buffer, from: RemoteInfo): void {
    if (this.#closed || this.#events === undefined) return;
    this.counters.received += 1;
    const host = from.family === "IPv6" ? `[${from.address}]` : from.address;
    this.#events.onDatagram(this.#clock.now(), `${host}:${from.port}`, plainBytes(bytes));
  }

  send(address: string, bytes: Uint8Array): void {
    const target = this.#targetOf(address);
    const full = this.#sending >= sendsMax || bytes.length > datagramBytesMax || bytes.length === 0;
    if (this.#closed || full || target?.ip === undefined) {
      this.counters.dropped += 1;
      return;
    }
    this.#sending += 1;
    // The system reads the bytes later: they are copied.
    this.#socket.send(bytes.slice(), target.port, target.ip, (error) => {
      this.#sending -= 1;
      if (error === null || error === undefined) this.counters.sent += 1;
      else this.counters.dropped += 1;
    });
  }

  #targetOf(address: string): Target | undefined {
    const known = this.#targets.get(address);
    const target = known ?? parsedTarget(address);
    if (target === undefined) return undefined;
    if (known === undefined) {
      if (this.#targets.size >= targetsMax) this.#targets.clear();
      this.#targets.set(address, target);
    }
    const now = this.#clock.wallMs();
    if (now - target.lookedUpAt >= lookupAgainMs) {
      target.lookedUpAt = now;
      const family = this.#socket.address().family === "IPv6" ? 6 : 4;
      lookup(target.host, { family }, (error, ip) => {
        // A name that is not found any more keeps the address that it had.
        if (error === null) target.ip = ip;
      });
    }
    return target;
  }

  /** Sends and delivers no more. Resolves when the port is free. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

function parsedTarget(address: string): Target | undefined {
  try {
    const { host, port } = parseAddress("address", address);
    if (port === 0) return undefined;
    const literal = isIP(host) !== 0;
    const lookedUpAt = literal ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    return { host, port, ip: literal ? host : undefined, lookedUpAt };
  } catch {
    return undefined;
  }
}

/**
 * Binds a UDP socket to `address`. Rejects with `INVALID_ARGUMENT` when the address is malformed, taken, or none of this
 * machine's.
 */
export async function bindUdp(options: { readonly address: string; readonly clock: Clock }): Promise<UdpDatagrams> {
  const { host, port } = parseAddress("address", options.address);
  const socket = createSocket({ type: isIP(host) === 6 ? "udp6" : "udp4", recvBufferSize: receiveBufferBytes });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      const reason = error.code === "EADDRINUSE" ? "is in use (UDP) by another program (or node)" : error.message;
      reject(new RingtailError("INVALID_ARGUMENT", `${options.address} ${reason}`));
    });
    socket.bind({ address: host, port }, () => {
      socket.removeAllListeners("error");
      resolve();
    });
  });
  const real = socket.address().port;
  const address = host.includes(":") ? `[${host}]:${real}` : `${host}:${real}`;
  return new UdpDatagrams(socket, options.clock, address);
}
