/**
 * RingKeeper: keeps the client's ring up to date. Every reply carries the node's epoch; a newer one, or a
 * `WRONG_OWNER`, makes the client fetch the ring from the node that told, once however many replies say so, and after a
 * jitter, so that an epoch change is not followed by a stampede. While in use it also asks some node every 10 s.
 */
import { RingtailError, statusOk } from "../base/errors.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { after, instant, never } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { FetchRingReply, FetchRingRequest } from "../wire/gen/codecs.ts";
import { ringFromMessage } from "../wire/ring-codec.ts";
import type { Connection } from "./connection.ts";

/** What the keeper asks of the core. */
export interface RingKeeperEffects {
  /** A ready connection, to the node of that number if there is one. */
  anyReady(preferred: number): Connection | undefined;
  /** A newer ring has come. */
  useRing(now: Instant, ring: Ring): void;
  /** `nextTick` has become earlier. */
  wantTick(at: Instant): void;
}

const jitterUs: DurationUs = 100_000;
/** A node has said that we are wrong about an owner: requests fail meanwhile. */
const urgentJitterUs: DurationUs = 5_000;
const pollUs: DurationUs = 10_000_000;
const replyTimeoutUs: DurationUs = 2_000_000;
const retryUs: DurationUs = 250_000;

/** Asks for the ring on a connection, by a frame of this id. */
export function askForRing(connection: Connection, frameId: number, epoch: number): void {
  connection.writer.send(FrameType.FETCH_RING, statusOk, frameId, FetchRingRequest, { epoch });
}

/** The ring in a reply to FETCH_RING; undefined when the node has none that is newer, or none that is valid. */
export function readRing(frame: Frame): Ring | undefined {
  if (frame.status !== statusOk) return undefined;
  const { ring } = frame.decode(FetchRingReply);
  if (ring === null || ring === undefined) return undefined;
  try {
    return ringFromMessage(ring);
  } catch (error) {
    if (error instanceof RingtailError) return undefined;
    throw error;
  }
}

export class RingKeeper {
  readonly #rng: Rng;
  readonly #effects: RingKeeperEffects;
  #ring: Ring;
  /** The newest epoch that anybody spoke of. */
  #heardOf: number;
  #heardFrom = 0;
  /** When to ask; `never`: not wanted. */
  #askAt: Instant = never;
  #pollAt: Instant;
  /** The connection that was asked; 0: no question is open. */
  #asked = 0;
  #askedUntil: Instant = never;
  #frameId = 0;

  constructor(now: Instant, ring: Ring, rng: Rng, effects: RingKeeperEffects) {
    this.#ring = ring;
    this.#heardOf = ring.epoch;
    this.#pollAt = after(now, pollUs);
    this.#rng = rng;
    this.#effects = effects;
  }

  get ring(): Ring {
    return this.#ring;
  }

  /** A request begins: the moment to poll, if the last word of the ring is old. */
  use(now: Instant): void {
    if (now < this.#pollAt) return;
    this.#pollAt = after(now, pollUs);
    this.#want(now, 1);
  }

  /** A reply spoke of this epoch. */
  learn(now: Instant, epoch: number, from: number): void {
    if (epoch <= this.#heardOf) return;
    this.#heardOf = epoch;
    this.#heardFrom = from;
    this.#want(now, jitterUs);
  }

  /** A node refused a request because it is no owner, or could not be what we took it for. */
  doubt(now: Instant, from: number): void {
    this.#heardFrom = from;
    this.#want(now, urgentJitterUs);
  }

  #want(now: Instant, withinUs: DurationUs): void {
    if (this.#asked !== 0) return;
    const at = after(now, this.#rng.below(withinUs));
    if (at >= this.#askAt) return;
    this.#askAt = at;
    this.#effects.wantTick(at);
  }

  /** The reply to FETCH_RING; others are ignored. */
  onReply(now: Instant, connection: Connection, frame: Frame): void {
    if (connection.id !== this.#asked || frame.frameId !== this.#frameId) return;
    this.#asked = 0;
    this.#askedUntil = never;
    const ring = readRing(frame);
    if (ring !== undefined && ring.clusterId === this.#ring.clusterId && ring.epoch > this.#ring.epoch) {
      this.#ring = ring;
      this.#heardOf = Math.max(this.#heardOf, ring.epoch);
      this.#effects.useRing(now, ring);
    }
    this.#pollAt = after(now, pollUs);
    // Somebody spoke of a newer one, and this node does not have it: it will, or another does.
    if (this.#heardOf > this.#ring.epoch) this.#askLater(now);
  }

  /** A connection is gone; the question that was open on it is asked elsewhere. */
  onDown(now: Instant, connection: Connection): void {
    if (connection.id !== this.#asked) return;
    this.#asked = 0;
    this.#askedUntil = never;
    this.#askLater(now);
  }

  #askLater(now: Instant): void {
    this.#heardFrom = 0;
    this.#askAt = after(now, retryUs + this.#rng.below(jitterUs));
    this.#effects.wantTick(this.#askAt);
  }

  tick(now: Instant): void {
    if (this.#asked !== 0) {
      if (now < this.#askedUntil) return;
      this.#asked = 0;
      this.#askedUntil = never;
      this.#askLater(now);
      return;
    }
    if (now < this.#askAt) return;
    this.#askAt = never;
    const connection = this.#effects.anyReady(this.#heardFrom);
    if (connection === undefined) {
      this.#askLater(now);
      return;
    }
    this.#frameId = (this.#frameId + 1) >>> 0;
    this.#asked = connection.id;
    this.#askedUntil = after(now, replyTimeoutUs);
    askForRing(connection, this.#frameId, this.#ring.epoch);
  }

  nextTick(): Instant {
    return instant(Math.min(this.#askAt, this.#askedUntil));
  }
}
