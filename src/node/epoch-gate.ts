/**
 * EpochGate: the fence. Every request between nodes carries the epoch of the ring by which its sender
 * chose this node. One older than the last change of its partition is refused, and told of the newer ring; epochs in
 * which only others changed bounce nothing. One newer than this node's ring waits here until that ring has been pulled:
 * what an older ring says of it may be wrong.
 */
import { canary } from "../base/canary.ts";
import { wireOf } from "../base/errors.ts";
import { mark } from "../base/mark.ts";
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

/** Requests that may wait, and their bytes; more are refused. */
const waitingMax = 1024;
const waitingBytesMax = 16 * 1024 * 1024;
/** How long one waits for a ring before its asker is told to go elsewhere. */
const patienceUs: DurationUs = 1_000_000;

interface Waiting {
  readonly session: Session;
  readonly type: number;
  readonly frameId: number;
  readonly bytes: Uint8Array;
  readonly epoch: number;
  readonly until: Instant;
}

export class EpochGate {
  readonly #shared: NodeState;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;

  constructor(shared: NodeState) {
    this.#shared = shared;
  }

  /**
   * Whether a request of `epoch` may be served now; false: it is answered, or waits and comes again as a frame of its
   * session. Its body is bytes[start..end), borrowed.
   */
  admits(
    now: Instant,
    session: Session,
    type: number,
    frameId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    epoch: number,
  ): boolean {
    if (epoch <= this.#shared.epoch) return true;
    mark("node.newer-epoch");
    if (session.number !== 0) this.#shared.onNewerEpoch(now, session.number, epoch);
    const size = end - start;
    if (this.#waiting.length >= waitingMax || this.#waitingBytes + size > waitingBytesMax) {
      session.fail(type, frameId, wireOf("OVERLOADED"), "too many requests wait for a newer ring");
      return false;
    }
    this.#waitingBytes += size;
    const copy = bytes.slice(start, end);
    this.#waiting.push({ session, type, frameId, bytes: copy, epoch, until: after(now, patienceUs) });
    return false;
  }

  /** Whether the partition has changed since that epoch; then the request is answered. */
  isFenced(session: Session, type: number, frameId: number, epoch: number, partition: number): boolean {
    if (epoch >= (this.#shared.ring.fences[partition] as number) || canary("ignore-fence")) return false;
    mark("node.fenced");
    session.fail(type, frameId, wireOf("WRONG_OWNER"), "the partition's owners have changed since that epoch");
    return true;
  }

  /** There is another ring: what waited for it comes again. */
  onRing(now: Instant): void {
    const { epoch } = this.#shared;
    this.#take(
      (one) => one.epoch <= epoch,
      ({ session, type, frameId, bytes }) => session.onFrame(now, type, 0, frameId, bytes, 0, bytes.length),
    );
  }

  /** Refuses what has waited for too long. */
  expire(now: Instant): void {
    if (this.#waiting.length === 0) return;
    this.#take(
      (one) => one.until <= now,
      ({ session, type, frameId }) => session.fail(type, frameId, wireOf("NOT_SYNCED"), "the ring is older here"),
    );
  }

  #take(which: (one: Waiting) => boolean, handle: (one: Waiting) => void): void {
    const taken = this.#waiting.filter(which);
    if (taken.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !which(one));
    for (const one of taken) this.#waitingBytes -= one.bytes.length;
    for (const one of taken) handle(one);
  }

  nextDeadline(): Instant {
    return this.#waiting[0]?.until ?? never;
  }
}
