/**
 * Reception: whether and when a client's request is worked on: the line (inbox.ts), how many are worked on at once
 * (admission.ts) and what one client may have of that. Whoever is turned away hears OVERLOADED before the body of the
 * request was looked at.
 */
import { hexOf } from "../base/bytes.ts";
import { wireOf } from "../base/errors.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { Counter } from "../metrics/metrics.ts";
import { encode } from "../wire/codec.ts";
import type { Asking, Frame } from "../wire/frame.ts";
import { ErrorReply } from "../wire/gen/codecs.ts";
import { Admission } from "./admission.ts";
import { Asker, onlyReads } from "./asker.ts";
import { Inbox, type InboxEffects, intervalUs } from "./inbox.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

const mebibyte = 1024 * 1024;
/** When a client may try again that came at a bad moment; in an overload the moment is not over so soon. */
const retryUs: DurationUs = 20_000;

/** Who begins what was let in; `ClientService`. */
export type Beginner = Pick<InboxEffects, "begin" | "begun">;

export class Reception implements InboxEffects {
  readonly inbox: Inbox;
  readonly #shared: NodeState;
  readonly #beginner: Beginner;
  readonly #admission: Admission;
  readonly #refused: Counter;
  readonly #late: Counter;
  /** Those with an id, while they have a session. */
  readonly #askers: Map<string, Asker> = new Map();
  /** The body of a refusal, made once per ring. */
  #refusal: Uint8Array = new Uint8Array(0);
  #refusalEpoch = -1;
  #refusalRetryUs: DurationUs = 0;

  constructor(shared: NodeState, beginner: Beginner) {
    this.#shared = shared;
    this.#beginner = beginner;
    this.#admission = new Admission(shared.config.inFlightMax);
    this.#refused = shared.metrics.counter("requests_refused");
    this.#late = shared.metrics.counter("requests_expired");
    this.inbox = new Inbox(this);
    shared.longestWait = (now) => this.inbox.longestWait(now);
  }

  /** A client has said who it is: its sessions share what one client may have. */
  greet(session: Session, clientId: Uint8Array): void {
    const isNew = session.asker.id === "" && session.inFlight + session.waiting === 0;
    if (clientId.length === 0 || !isNew) return;
    const id = hexOf(clientId);
    const asker = this.#askers.get(id) ?? new Asker(id);
    asker.sessions += 1;
    this.#askers.set(id, asker);
    session.asker = asker;
  }

  onSessionClosed(session: Session): void {
    const { asker } = session;
    if (asker.id === "") return;
    asker.sessions -= 1;
    if (asker.sessions === 0) this.#askers.delete(asker.id);
  }

  /** A client's request; as `Inbox.onRequest`. */
  onRequest(now: Instant, session: Session, frame: Frame): void {
    const { phase, config } = this.#shared;
    const { asker } = session;
    if (phase !== "serving" || asker.inFlight + asker.waiting >= config.inFlightPerClientMax) {
      this.refuse(session, frame);
    } else if (session.inFlight + session.waiting >= config.inFlightPerConnectionMax) {
      this.refuse(session, frame);
    } else this.inbox.onRequest(now, session, frame);
  }

  get inFlight(): number {
    return this.#shared.inFlight;
  }

  hasRoom(now: Instant): boolean {
    if (this.#shared.inFlight < this.#admission.limit) return true;
    this.#admission.onRefused(now, this.#shared.inFlight);
    return false;
  }

  begin(now: Instant, arrivedAt: Instant, session: Session, frame: Frame): number {
    if (!onlyReads(frame.type) && !this.hasRoomFor(session, frame.size)) {
      this.refuse(session, frame);
      return 0;
    }
    try {
      return this.#beginner.begin(now, arrivedAt, session, frame);
    } catch (error) {
      session.failWith(frame, error);
      return 1;
    }
  }

  begun(now: Instant): void {
    this.#beginner.begun(now);
  }

  /** Whether a write of so many bytes may be worked on. A peer forwards for many clients: it is bound by the whole. */
  hasRoomFor(session: Session, bytes: number): boolean {
    const shared = this.#shared;
    const bytesMax = shared.config.inFlightMiBMax * mebibyte;
    const mine = session.role === "node" ? 0 : (session.asker.inFlightBytes + bytes) * 4;
    return shared.inFlightBytes + bytes <= bytesMax && mine <= bytesMax && !shared.storeBehind();
  }

  /** Whether a put that a peer forwards may be worked on; it stood in line where it came from. */
  admitsForwarded(session: Session, bytes: number): boolean {
    const { phase, inFlight, config } = this.#shared;
    return phase === "serving" && inFlight < config.inFlightMax && this.hasRoomFor(session, bytes);
  }

  /** Turns a request away: NODE_STOPPING where that is why, else OVERLOADED. */
  refuse(session: Session, asking: Asking): void {
    this.#refused.value += 1;
    const { phase, fencedBy, epoch } = this.#shared;
    if (phase === "stopping" || phase === "fenced") {
      session.fail(asking, wireOf("NODE_STOPPING"), fencedBy, retryUs);
      return;
    }
    const retryAfterUs = this.inbox.overloaded ? intervalUs : retryUs;
    if (epoch !== this.#refusalEpoch || retryAfterUs !== this.#refusalRetryUs) {
      this.#refusal = encode(ErrorReply, { message: "", epoch, retryAfterUs });
      this.#refusalEpoch = epoch;
      this.#refusalRetryUs = retryAfterUs;
    }
    session.failReady(asking, wireOf("OVERLOADED"), this.#refusal);
  }

  /** What is left of a request's time after it has waited, or 0: nobody waits for its answer any more. */
  timeLeft(now: Instant, arrivedAt: Instant, timeoutUs: DurationUs): DurationUs {
    const left = timeoutUs - (now - arrivedAt);
    if (left > 0) return left;
    this.#late.value += 1;
    return 0;
  }

  enter(session: Session, bytes: number): void {
    session.inFlight += 1;
    session.asker.inFlight += 1;
    session.asker.inFlightBytes += bytes;
    this.#shared.inFlight += 1;
    this.#shared.inFlightBytes += bytes;
  }

  /** A request of that session has been answered (or given up with the session). */
  leave(session: Session, bytes: number): void {
    session.inFlight -= 1;
    session.asker.inFlight -= 1;
    session.asker.inFlightBytes -= bytes;
    this.#shared.inFlight -= 1;
    this.#shared.inFlightBytes -= bytes;
  }

  /** A request was answered, well or with an error, so long after work on it began. */
  onAnswer(now: Instant, elapsedUs: DurationUs): void {
    this.#admission.onAnswer(now, elapsedUs, this.#shared.inFlight);
  }
}
