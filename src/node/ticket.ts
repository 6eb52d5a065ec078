/**
 * Ticket: where the answer to a request goes: what is kept of the request's frame, which is only lent, until then. Whoever
 * must know more of the request extends it.
 */
import type { Status } from "../base/errors.ts";
import type { DurationUs } from "../base/time.ts";
import type { Encoder } from "../wire/codec.ts";
import type { Asking } from "../wire/frame.ts";
import type { Session } from "./session.ts";

/** One request that is not answered yet. */
export class Ticket implements Asking {
  readonly session: Session;
  readonly type: number;
  readonly frameId: number;

  constructor(session: Session, { type, frameId }: Asking) {
    this.session = session;
    this.type = type;
    this.frameId = frameId;
  }

  /** As `Session.answer`. */
  answer<T>(codec: Encoder<T>, message: T): void {
    this.session.answer(this, codec, message);
  }

  /** As `Session.fail`. */
  fail(status: Status, message: string, retryAfterUs: DurationUs = 0, inDoubt: boolean = false): void {
    this.session.fail(this, status, message, retryAfterUs, inDoubt);
  }
}
