/**
 * Bootstrap: from a list of seed nodes to a ring. Seed nodes are dialled one after the other until one answers the hello
 * and sends its ring. One that answers but has no ring yet is asked again; one that belongs to another cluster ends the
 * attempt, because nothing will change that.
 */
import { type ErrorCode, RingtailError } from "../base/errors.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { Frame } from "../wire/frame.ts";
import type { Connection } from "./connection.ts";
import { askForRing, readRing } from "./ring-keeper.ts";

/** What the bootstrap asks of the core. */
export interface BootstrapEffects {
  dialSeed(now: Instant, address: string): Connection;
  /** The ring has come over this connection. The last call. */
  onRing(now: Instant, ring: Ring, connection: Connection): void;
  /** No seed node gave a ring. The last call. */
  onFailure(now: Instant, error: RingtailError): void;
}

/** A seed node that has not given its ring after this long is passed over. */
const perSeedUs: DurationUs = 2_000_000;
/** Between two rounds over seed nodes that have no ring yet. */
const betweenRoundsUs: DurationUs = 100_000;

export class Bootstrap {
  readonly #seedNodes: readonly string[];
  readonly #effects: BootstrapEffects;
  readonly #deadline: Instant;
  /** By seed: what it last said instead of a ring. */
  readonly #reasons: string[];
  #next = 0;
  #connection: Connection | undefined = undefined;
  #seedUntil: Instant = never;
  #dialAt: Instant = never;
  /** Whether a seed of this round answered, but has no ring yet. */
  #mayYet = false;

  constructor(now: Instant, seedNodes: readonly string[], timeoutUs: DurationUs, effects: BootstrapEffects) {
    this.#seedNodes = seedNodes;
    this.#reasons = seedNodes.map((address) => `${address} was not asked`);
    this.#deadline = after(now, timeoutUs);
    this.#effects = effects;
  }

  start(now: Instant): void {
    const address = this.#seedNodes[this.#next] as string;
    this.#dialAt = never;
    this.#seedUntil = after(now, perSeedUs);
    this.#connection = this.#effects.dialSeed(now, address);
  }

  onReady(_now: Instant, connection: Connection): void {
    if (connection === this.#connection) askForRing(connection, 0, 0);
  }

  onReply(now: Instant, connection: Connection, frame: Frame): void {
    if (connection !== this.#connection) return;
    const ring = readRing(frame);
    if (ring !== undefined) {
      this.#connection = undefined;
      this.#seedUntil = never;
      this.#effects.onRing(now, ring, connection);
      return;
    }
    this.#mayYet = true;
    this.#pass(now, `${connection.address} has no ring yet`);
  }

  onDown(now: Instant, connection: Connection, code: ErrorCode, reason: string): void {
    if (connection !== this.#connection) return;
    if (code === "CONNECTION_LOST") {
      this.#pass(now, reason);
      return;
    }
    this.#connection = undefined;
    this.#seedUntil = never;
    this.#effects.onFailure(now, new RingtailError(code, reason));
  }

  /** This seed is no use for now: the next one, or after the last the next round, or the end. */
  #pass(now: Instant, reason: string): void {
    this.#reasons[this.#next] = reason;
    const connection = this.#connection;
    this.#connection = undefined;
    this.#seedUntil = never;
    connection?.close("another seed node is tried");
    this.#next += 1;
    if (this.#next < this.#seedNodes.length && now < this.#deadline) {
      this.start(now);
      return;
    }
    this.#next = 0;
    if (!this.#mayYet || after(now, betweenRoundsUs) > this.#deadline) {
      this.#fail(now);
      return;
    }
    this.#mayYet = false;
    this.#dialAt = after(now, betweenRoundsUs);
  }

  #fail(now: Instant): void {
    const message = `no seed node gave the ring: ${this.#reasons.join("; ")}`;
    this.#effects.onFailure(now, new RingtailError("CONNECTION_LOST", message));
  }

  tick(now: Instant): void {
    if (now >= this.#dialAt) this.start(now);
    else if (now >= this.#seedUntil || (this.#connection !== undefined && now >= this.#deadline)) {
      this.#pass(now, `${this.#seedNodes[this.#next]} did not answer in time`);
    }
  }

  nextTick(): Instant {
    if (this.#connection === undefined) return this.#dialAt;
    return instant(Math.min(this.#seedUntil, this.#deadline));
  }
}
