/**
 * Pool: the connections to all nodes of the ring. A node is dialled when a key first asks for it, and again when it was
 * away: at once after a connection that had lasted, else after 250 ms, doubling to 5 s. Frames of one turn leave with
 * one write per connection.
 */
import { noBytes } from "../base/bytes.ts";
import type { ErrorCode } from "../base/errors.ts";
import { idBytes, type NodeNumber } from "../base/ids.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { instant, never } from "../base/time.ts";
import type { Member, Ring } from "../ring/ring.ts";
import type { Frame } from "../wire/frame.ts";
import type { Hello } from "../wire/gen/codecs.ts";
import type { Transport } from "../wire/link.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import { KnownNode } from "./known-node.ts";
import type { NodeLookup } from "./router.ts";

/** What the pool tells the core. `node` is undefined for a seed node that is not known as a member yet. */
export interface PoolEvents extends Pick<ConnectionEvents, "onReply"> {
  onReady(now: Instant, connection: Connection, node: KnownNode | undefined, hello: Hello): void;
  /** Requests that wait for this node may go on. */
  onRoom(now: Instant, node: KnownNode): void;
  /** The node takes no new requests, at least on this connection. */
  onDraining(now: Instant, node: KnownNode): void;
  onDown(now: Instant, connection: Connection, node: KnownNode | undefined, code: ErrorCode, reason: string): void;
  wantTurnEnd(): void;
}

/** A connection that broke sooner than this is no reason to dial again at once. */
const lastingUs: DurationUs = 1_000_000;

export class Pool implements ConnectionEvents, NodeLookup {
  readonly #transport: Transport;
  readonly #events: PoolEvents;
  readonly #connectionsPerNode: number;
  readonly #nodes = new Map<number, KnownNode>();
  /** All that are not closed, by id. */
  readonly #connections = new Map<number, Connection>();
  /** Which node a connection belongs to, by the connection's id; none for seeds. */
  readonly #nodeOf = new Map<number, KnownNode>();
  readonly #toFlush: Connection[] = [];
  #ring: Ring | undefined = undefined;
  #clusterId: Uint8Array = noBytes;
  readonly #clientId: Uint8Array;
  #nextId = 1;
  #isClosed = false;

  constructor(options: {
    readonly transport: Transport;
    readonly events: PoolEvents;
    readonly connectionsPerNode: number;
    /** Empty: that of the first node that answers. */
    readonly clusterId: Uint8Array;
    /** Said on every connection: nodes share out what they can do among clients. */
    readonly clientId: Uint8Array;
  }) {
    this.#transport = options.transport;
    this.#events = options.events;
    this.#connectionsPerNode = options.connectionsPerNode;
    this.#clusterId = options.clusterId;
    this.#clientId = options.clientId;
  }

  /** Connections that are not closed yet. */
  get open(): number {
    return this.#connections.size;
  }

  /** Takes over a newer ring: no new requests go to nodes that left it, or to addresses that changed. */
  useRing(ring: Ring): void {
    this.#ring = ring;
    this.#clusterId = idBytes(ring.clusterId);
    for (const [number, node] of this.#nodes) {
      const member = this.#member(number);
      if (member?.address === node.address) continue;
      node.address = member?.address ?? node.address;
      for (const connection of node.connections) connection.drain("the ring names the node no more, or elsewhere");
    }
  }

  /** Forgets nodes that are no members; those with requests under way when these have ended. */
  dropStrangers(): void {
    for (const [number, node] of this.#nodes) {
      const isUnused = node.connections.length === 0 && node.waiting.size === 0;
      if (isUnused && this.#member(number) === undefined) this.#nodes.delete(number);
    }
  }

  #member(number: number): Member | undefined {
    const member = this.#ring?.member(number as NodeNumber);
    return member?.status === "left" ? undefined : member;
  }

  known(number: number): KnownNode | undefined {
    const node = this.#nodes.get(number);
    if (node !== undefined) return node;
    const member = this.#member(number);
    if (member === undefined) return undefined;
    const created = new KnownNode(number, member.name, member.address);
    this.#nodes.set(number, created);
    return created;
  }

  /** Every node that was asked for so far. */
  get nodes(): IterableIterator<KnownNode> {
    return this.#nodes.values();
  }

  warm(now: Instant, node: KnownNode): void {
    if (this.#isClosed || node.connections.length >= this.#connectionsPerNode || node.probeAt > now) return;
    if (node.connections.length > 0 && !node.isUp) return;
    const connection = this.#dial(now, node.address, node.number);
    node.connections.push(connection);
    this.#nodeOf.set(connection.id, node);
  }

  /** Dials a seed node, whoever it is. */
  dialSeed(now: Instant, address: string): Connection {
    return this.#dial(now, address, 0);
  }

  /** Keeps a seed's connection for the member that it turned out to lead to; closes it if that is none. */
  adopt(now: Instant, connection: Connection): void {
    const node = this.known(connection.number);
    if (node === undefined || connection.state !== "ready") {
      connection.close("the seed node is no member");
      return;
    }
    node.connections.push(connection);
    this.#nodeOf.set(connection.id, node);
    this.warm(now, node);
  }

  #dial(now: Instant, address: string, number: number): Connection {
    const id = this.#nextId;
    this.#nextId += 1;
    const options = { id, address, number, clusterId: this.#clusterId, clientId: this.#clientId, events: this };
    const connection = new Connection(now, this.#transport, options);
    this.#connections.set(id, connection);
    return connection;
  }

  /** The connection of that id, unless it is closed. */
  connection(id: number): Connection | undefined {
    return this.#connections.get(id);
  }

  /** Some node that is up; `preferred` if it is. */
  anyReady(preferred: number, pick: (count: number) => number): Connection | undefined {
    const ready: Connection[] = [];
    for (const connection of this.#connections.values()) {
      if (connection.state !== "ready") continue;
      if (connection.number === preferred) return connection;
      ready.push(connection);
    }
    return ready.length === 0 ? undefined : ready[pick(ready.length)];
  }

  onReady(now: Instant, connection: Connection, hello: Hello): void {
    const node = this.#nodeOf.get(connection.id);
    if (node !== undefined) {
      node.recover();
      this.warm(now, node);
    }
    this.#events.onReady(now, connection, node, hello);
  }

  onReply(now: Instant, connection: Connection, frame: Frame): void {
    this.#events.onReply(now, connection, frame);
  }

  onRoom(now: Instant, connection: Connection): void {
    const node = this.#nodeOf.get(connection.id);
    if (node !== undefined) this.#events.onRoom(now, node);
  }

  onDraining(now: Instant, connection: Connection): void {
    const node = this.#nodeOf.get(connection.id);
    if (node === undefined) return;
    if (!node.isUp) node.backOff(now, `${node.address} is stopping`);
    this.#events.onDraining(now, node);
  }

  onDown(now: Instant, connection: Connection, code: ErrorCode, reason: string): void {
    this.#connections.delete(connection.id);
    const node = this.#nodeOf.get(connection.id);
    if (node !== undefined) this.#forget(now, connection, node, reason);
    this.#events.onDown(now, connection, node, code, reason);
  }

  #forget(now: Instant, connection: Connection, node: KnownNode, reason: string): void {
    this.#nodeOf.delete(connection.id);
    node.connections.splice(node.connections.indexOf(connection), 1);
    const hasLasted = now - connection.readyAt >= lastingUs;
    if (hasLasted) node.trust();
    if (!hasLasted && !node.isUp && !node.isDown) node.backOff(now, reason);
    else if (!hasLasted && node.isDown && node.probeAt <= now) node.backOff(now, reason);
    this.dropStrangers();
  }

  wantFlush(connection: Connection): void {
    if (this.#toFlush.length === 0) this.#events.wantTurnEnd();
    this.#toFlush.push(connection);
  }

  /** Writes what was queued in this turn. */
  endTurn(): void {
    for (const connection of this.#toFlush) connection.flush();
    this.#toFlush.length = 0;
  }

  /** Gives up connections that owe an answer, and dials nodes that requests wait for. */
  tick(now: Instant): void {
    for (const connection of this.#connections.values()) connection.expire(now);
    for (const node of this.#nodes.values()) if (node.waiting.size > 0) this.warm(now, node);
  }

  nextTick(): Instant {
    let next = never;
    for (const connection of this.#connections.values()) if (connection.deadline < next) next = connection.deadline;
    for (const node of this.#nodes.values()) {
      if (node.waiting.size > 0 && node.connections.length === 0 && node.probeAt < next) next = node.probeAt;
    }
    return instant(next);
  }

  /** Ends all connections, after what is queued has been sent. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections.values()) connection.close("the client was closed");
  }
}
