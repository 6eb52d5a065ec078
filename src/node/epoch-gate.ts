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
import type { Frame } from "../wire/frame.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import type { Ticket } from "./ticket.ts";

/** Requests that may wait, and their bytes; more are refused. */
const waitingMax = 1024;
const waitingBytesMax = 16 * 1024 * 1024;
/** How long one waits for a ring before its asker is told to go elsewhere. */
const patienceUs: DurationUs = 1_000_000;

interface Waiting {
  readonly session: Session;
  /** A copy of its own. */
  readonly frame: Frame;
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
   * session.
   */
  admits(now: Instant, session: Session, frame: Frame, epoch: number): boolean {
    if (epoch <= this.#shared.epoch) return true;
    mark("node.newer-epoch");
    if (session.number !== 0) this.#shared.onNewerEpoch(now, session.number, epoch);
    const { size } = frame;
    if (this.#waiting.length >= waitingMax || this.#waitingBytes + size > waitingBytesMax) {
      session.fail(frame, wireOf("OVERLOADED"), "too many requests wait for a newer ring");
      return false;
    }
    this.#waitingBytes += size;
    this.#waiting.push({ session, frame: frame.copy(), epoch, until: after(now, patienceUs) });
    return false;
  }

  /** Whether the partition has changed since that epoch; then the request is answered. */
  isFenced(ticket: Ticket, epoch: number, partition: number): boolean {
    if (epoch >= (this.#shared.ring.fences[partition] as number) || canary("ignore-fence")) return false;
    mark("node.fenced");
    ticket.fail(wireOf("WRONG_OWNER"), "the partition's owners have changed since that epoch");
    return true;
  }

  /** There is another ring: what waited for it comes again. */
  onRing(now: Instant): void {
    const { epoch } = this.#shared;
    this.#take(
      (one) => one.epoch <= epoch,
      ({ session, frame }) => session.onFrame(now, frame),
    );
  }

  /** Refuses what has waited for too long. */
  expire(now: Instant): void {
    if (this.#waiting.length === 0) return;
    this.#take(
      (one) => one.until <= now,
      ({ session, frame }) => session.fail(frame, wireOf("NOT_SYNCED"), "the ring is older here"),
    );
  }

  #take(which: (one: Waiting) => boolean, handle: (one: Waiting) => void): void {
    const taken = this.#waiting.filter(which);
    if (taken.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => !which(one));
    for (const one of taken) this.#waitingBytes -= one.frame.size;
    for (const one of taken) handle(one);
  }

  nextDeadline(): Instant {
    return this.#waiting[0]?.until ?? never;
  }
}
