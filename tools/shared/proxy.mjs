// A seeded user-space proxy in front of every node, for TCP and UDP. Nodes advertise the proxy's ports, so whatever they
// say to each other passes here, and each direction between two nodes can be hurt on its own:
//
//   tcp: "ok" | "silent" (bytes and new connections wait, as behind a network that drops) | "refused" (reset at once)
//   udp: "ok" | "silent"
//   delayMs, jitterMs: of every chunk and datagram; chunks of a stream stay in order
//   lossPerMille, duplicatePerMille: of datagrams; jitter reorders them
//
// Who dials is read off the first frame of a connection, the hello; clients are never hurt. Who sends a datagram is known
// by its source port; it is sent on from the sender's own proxy port, so that the receiver sees who it is from.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { decode } from "../../dist/wire/codec.js";
import { Hello } from "../../dist/wire/gen/codecs.js";
import { Role } from "../../dist/wire/hello.js";

const headerBytes = 10;
const bodyAt = 10;
const queuedBytesMax = 4 << 20;

export const healthy = Object.freeze({
  tcp: "ok",
  udp: "ok",
  delayMs: 0,
  jitterMs: 0,
  lossPerMille: 0,
  duplicatePerMille: 0,
});

/** One direction of one connection: chunks in order, each after its delay, none while the link is silent. */
class Stream {
  #queue = [];
  #queued = 0;
  #timer = null;

  constructor(proxy, from, to, source, target) {
    Object.assign(this, { proxy, from, to, source, target });
    source.on("data", (chunk) => this.push(chunk));
    source.on("end", () => this.push(null));
  }

  push(chunk) {
    this.#queue.push({ chunk, due: Date.now() + this.proxy.delay(this.from, this.to) });
    this.#queued += chunk?.length ?? 0;
    if (this.#queued > queuedBytesMax) this.source.pause();
    this.pump();
  }

  /** Passes on what is due; called again when the link changes. */
  pump() {
    clearTimeout(this.#timer);
    if (this.proxy.link(this.from, this.to).tcp !== "ok") return;
    while (this.#queue.length > 0) {
      const wait = this.#queue[0].due - Date.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.pump(), wait);
        return;
      }
      const { chunk } = this.#queue.shift();
      this.#queued -= chunk?.length ?? 0;
      if (chunk === null) this.target.end();
      else this.target.write(chunk);
    }
    this.source.resume();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#queue = [];
  }
}

export class ChaosProxy {
  #rng;
  #nodes;
  #links = new Map();
  #servers = [];
  #sockets = [];
  #streams = new Set();
  #connections = new Set();
  counts = { connections: 0, datagrams: 0, lost: 0, duplicated: 0, reset: 0 };

  /** `nodes`: for each its proxy port and its real port, on 127.0.0.1. */
  constructor(rng, nodes) {
    this.#rng = rng;
    this.#nodes = nodes;
  }

  async start() {
    for (const [index, { proxyPort, port }] of this.#nodes.entries()) {
      const server = createServer({ allowHalfOpen: true }, (socket) => this.#onConnection(index, port, socket));
      await new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(proxyPort, "127.0.0.1", resolve);
      });
      this.#servers.push(server);
      const socket = createSocket("udp4");
      socket.on("error", () => {});
      socket.on("message", (bytes, from) => this.#onDatagram(index, bytes, from.port));
      await new Promise((resolve) => socket.bind(proxyPort, "127.0.0.1", resolve));
      this.#sockets.push(socket);
    }
  }

  /** What happens on the way from one node to another, by position; -1 is a client. */
  link(from, to) {
    return this.#links.get(`${from}>${to}`) ?? healthy;
  }

  set(from, to, change) {
    this.#links.set(`${from}>${to}`, { ...this.link(from, to), ...change });
    this.#onChange();
  }

  healAll() {
    this.#links.clear();
    this.#onChange();
  }

  #onChange() {
    for (const { a, b, close } of [...this.#connections]) {
      if (this.link(a, b).tcp === "refused" || this.link(b, a).tcp === "refused") close();
    }
    for (const stream of this.#streams) stream.pump();
  }

  delay(from, to) {
    const { delayMs, jitterMs } = this.link(from, to);
    return delayMs + (jitterMs > 0 ? this.#rng.below(jitterMs) : 0);
  }

  /** Waits for the hello, then connects to the node itself. */
  #onConnection(to, port, socket) {
    let head = Buffer.alloc(0);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    const onHead = (chunk) => {
      head = Buffer.concat([head, chunk]);
      if (head.length < headerBytes || head.length < 4 + head.readUInt32BE(0)) return;
      socket.off("data", onHead);
      this.#join(this.#whoSays(head), to, port, socket, head);
    };
    socket.on("data", onHead);
  }

  /** The position of the node whose hello this is; -1: a client. */
  #whoSays(head) {
    try {
      const hello = decode(Hello, new Uint8Array(head), bodyAt, 4 + head.readUInt32BE(0));
      if (hello.role === Role.client) return -1;
      return this.#nodes.findIndex((node) => node.pid === hello.pid);
    } catch {
      return -1;
    }
  }

  #join(from, to, port, socket, head) {
    this.counts.connections += 1;
    const far = connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true });
    const forth = new Stream(this, from, to, socket, far);
    const back = new Stream(this, to, from, far, socket);
    const connection = { a: from, b: to, close: () => end(true) };
    const end = (reset) => {
      if (!this.#connections.delete(connection)) return;
      for (const stream of [forth, back]) {
        stream.stop();
        this.#streams.delete(stream);
      }
      // Not while it is being shut down: Node would never close it, and spin over it at its own end.
      if (reset && !socket.writableEnded) {
        this.counts.reset += 1;
        socket.resetAndDestroy();
      } else socket.destroy();
      far.destroy();
    };
    this.#connections.add(connection);
    this.#streams.add(forth).add(back);
    for (const one of [socket, far]) {
      one.on("error", () => end(true));
      one.on("close", () => end(false));
    }
    if (this.link(from, to).tcp === "refused" || this.link(to, from).tcp === "refused") end(true);
    else forth.push(head);
  }

  #onDatagram(to, bytes, sourcePort) {
    const from = this.#nodes.findIndex(({ port }) => port === sourcePort);
    if (from < 0) return;
    this.counts.datagrams += 1;
    const { udp, lossPerMille, duplicatePerMille } = this.link(from, to);
    if (udp !== "ok" || this.#rng.chance(lossPerMille)) {
      this.counts.lost += 1;
      return;
    }
    const copies = this.#rng.chance(duplicatePerMille) ? 2 : 1;
    this.counts.duplicated += copies - 1;
    for (let i = 0; i < copies; i += 1) {
      const send = () => this.#sockets[from]?.send(bytes, this.#nodes[to].port, "127.0.0.1", () => {});
      const wait = this.delay(from, to);
      if (wait === 0) send();
      else setTimeout(send, wait);
    }
  }

  stop() {
    for (const connection of [...this.#connections]) connection.close();
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets.splice(0)) socket.close();
  }
}
