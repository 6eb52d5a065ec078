/**
 * Network: delays, splits and slowness between places, the connections made through it, and what a fault plan does to
 * both. TCP is modelled as protocol code sees it (connection.ts): nothing is lost, doubled or reordered inside a
 * stream, but a stream may stall, break, stay half-open, and arrive in any pieces. Paths know nothing of streams, so
 * that datagrams can travel them later, with loss of their own.
 *
 * A split is directed and counted: two faults may block one path, and it opens when both are over.
 */
import { assert } from "../base/assert.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs } from "../base/time.ts";
import type { LinkEvents, Transport } from "../wire/link.ts";
import { Barrier, grown } from "./barrier.ts";
import { Connection } from "./connection.ts";
import type { LinkEnd } from "./link-end.ts";
import type { NetworkOptions, Paths, Tap } from "./paths.ts";
import type { Place } from "./place.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

/** What it is unless a seed draws otherwise: a quiet local network. */
export const quietNetwork: NetworkOptions = {
  delayMinUs: 100,
  delayJitterUs: 200,
  windowBytes: 256 * 1024,
  fragmentPerMille: 0,
  holdPerMille: 0,
  dawdlePerMille: 0,
};

/** What slowness adds at the most. */
const slowestUs: DurationUs = 500_000;
const dialTries = 3;
const dialRetryUs = 1_000_000;

/** All places and paths of one world. */
export class Network implements Paths {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly rng: Rng;
  options: NetworkOptions;
  tap: Tap | undefined;
  readonly #places: Place[] = [];
  readonly #addresses = new Map<string, Place>();
  readonly #connections = new Set<Connection>();
  readonly #blocked: Barrier = new Barrier();
  /** What is closed to connections alone: datagrams pass. */
  readonly streams: { block(from: number, to: number): void; unblock(from: number, to: number): void } = {
    block: (from, to) => this.#shut.block(from, to),
    unblock: (from, to) => {
      if (this.#shut.unblock(from, to)) this.wake();
    },
  };
  readonly #shut: Barrier = new Barrier();
  /** Connections are numbered from 0 in every world. */
  #numbers = 0;
  #slow: Uint16Array[] = [];

  constructor(scheduler: Scheduler, trace: Trace, rng: Rng, options: NetworkOptions) {
    this.scheduler = scheduler;
    this.trace = trace;
    this.rng = rng;
    this.options = options;
  }

  /** The position of the next place to be added. */
  get size(): number {
    return this.#places.length;
  }

  /** Adds a place; `address` is undefined for one that nobody dials. */
  add(place: Place, address: string | undefined): void {
    assert(place.position === this.#places.length, "places are added in the order of their positions");
    this.#places.push(place);
    if (address !== undefined) this.#addresses.set(address, place);
    const size = this.#places.length;
    this.#blocked.grow(size);
    this.#shut.grow(size);
    this.#slow = grown(this.#slow, size);
  }

  /** What a node or client in its current life dials through. */
  transport(place: Place): Transport {
    const life = place.life;
    return { connect: (address, events) => this.#dial(place, life, address, events) };
  }

  #dial(from: Place, life: number, address: string, events: LinkEvents): LinkEnd {
    const connection = new Connection(this, {
      number: this.#numbers,
      from,
      life,
      address,
      events,
      forget: (over) => this.#connections.delete(over),
    });
    this.#numbers += 1;
    this.#connections.add(connection);
    this.#knock(connection, this.#addresses.get(address), 1);
    return connection.dialler;
  }

  #knock(connection: Connection, to: Place | undefined, attempt: number): void {
    const dialler = connection.dialler;
    const target = to?.position ?? dialler.place.position;
    this.scheduler.in(this.delay(dialler.place.position, target), (now) => {
      if (connection.over) return;
      const reachable = to?.powered !== false && this.#open(dialler.place.position, target);
      if (reachable && this.#open(target, dialler.place.position)) {
        if (to === undefined || !to.alive) connection.refuse("connection refused");
        else connection.establish(now, to);
        return;
      }
      if (attempt === dialTries) connection.refuse("connection timed out");
      else this.scheduler.in(dialRetryUs, () => this.#knock(connection, to, attempt + 1));
    });
  }

  /** One-way delay of a message now, microseconds. */
  delay(from: number, to: number): DurationUs {
    const jitter = this.options.delayJitterUs;
    const spread = jitter === 0 ? 0 : this.rng.below(1 + this.rng.below(jitter + 1));
    const plain = this.options.delayMinUs + spread;
    return plain + Math.min(plain * (this.#slow[from]?.[to] ?? 0), slowestUs);
  }

  /** Whether this delivery is one of those that wait for company. */
  dawdles(): boolean {
    return this.options.dawdlePerMille > 0 && this.rng.chance(this.options.dawdlePerMille);
  }

  #open(from: number, to: number): boolean {
    return !this.#blocked.stands(from, to) && !this.#shut.stands(from, to);
  }

  /** Whether the bytes of a connection pass from one place to another now. */
  passes(from: Place, to: Place): boolean {
    return this.carries(from, to) && !this.#shut.stands(from.position, to.position);
  }

  /** Whether datagrams do, which a path that is closed to connections carries. */
  carries(from: Place, to: Place): boolean {
    return from.powered && to.powered && !this.#blocked.stands(from.position, to.position);
  }

  /** Blocks one direction until `unblock` has been called as often. */
  block(from: number, to: number): void {
    this.#blocked.block(from, to);
  }

  /** Takes one block off; what stalled moves on after a retransmission's delay. */
  unblock(from: number, to: number): void {
    if (this.#blocked.unblock(from, to)) this.wake();
  }

  /** Messages in this direction take 1 + `factor` times as long, but never half a second more. 0: normal. */
  slow(from: number, to: number, factor: number): void {
    (this.#slow[from] as Uint16Array)[to] = factor;
  }

  /** No splits, nothing slow. */
  heal(): void {
    this.#blocked.clear();
    this.#shut.clear();
    for (const row of this.#slow) row.fill(0);
    this.wake();
  }

  /** Lets every stalled stream try again soon. */
  wake(): void {
    for (const connection of this.#connections) connection.wake(this.rng.below(300_000));
  }

  /** Open connections between places, oldest first: what `reset` can hit. */
  connections(): readonly Connection[] {
    return [...this.#connections].filter((connection) => connection.established);
  }

  /** The process in this life is gone. `power`: its machine too, so that nobody tells its peers. */
  dropPlace(place: Place, power: boolean): void {
    for (const connection of this.#connections) connection.dropPlace(place, power);
  }

  /** Most bytes that any live connection's sender has been made to hold: for the queue checks. */
  heldBytesMax(): number {
    let most = 0;
    for (const connection of this.#connections) most = Math.max(most, connection.heldBytes);
    return most;
  }
}
