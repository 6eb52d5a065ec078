/**
 * OwnRead: one get that a simulated client coordinates itself, as the SDK does (`client/own-coordination.ts`), over the same
 * decision (`client/copies.ts`): the owners' copies, and when they are enough. Whoever finds two that differ asks a node for
 * the key, which repairs them.
 */

import { statusOk } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { Copies, type Copy } from "../client/copies.ts";
import type { Frame } from "../wire/frame.ts";
import { GetReply } from "../wire/gen/codecs.ts";
import type { AnswerSink } from "./client-link.ts";

/** What comes of it: exactly one of the first two, and the third if copies differ. */
export interface OwnReadEvents {
  onCopies(now: Instant, merged: Copy, acks: readonly number[], epoch: number): void;
  /** A node must coordinate. */
  onNoCopies(now: Instant): void;
  onDiffering(): void;
}

export class OwnRead implements AnswerSink {
  readonly #copies: Copies;
  readonly #events: OwnReadEvents;
  readonly #acks: number[] = [];
  #over = false;

  constructor(owners: number, needed: number, events: OwnReadEvents) {
    this.#copies = new Copies(owners, needed);
    this.#events = events;
  }

  onAnswer(now: Instant, frame: Frame): void {
    if (frame.status !== statusOk) {
      this.onLost(now);
      return;
    }
    const reply = frame.decode(GetReply);
    this.#copies.add(reply);
    this.#acks.push(reply.coordinator);
    if (!this.#over && this.#copies.isMet) {
      const merged = this.#copies.merged();
      this.#over = true;
      if (merged === null) this.#events.onNoCopies(now);
      else this.#events.onCopies(now, merged, [...this.#acks], reply.epoch);
    }
    this.#settle();
  }

  onLost(now: Instant): void {
    this.#copies.fail();
    if (this.#copies.isImpossible) this.giveUp(now);
    this.#settle();
  }

  onAnswerSent(): void {}

  /** Nobody waits for it any more, unless it has come to something. */
  giveUp(now: Instant): void {
    if (this.#over) return;
    this.#over = true;
    this.#events.onNoCopies(now);
  }

  #settle(): void {
    if (this.#copies.isOver && this.#copies.differ) this.#events.onDiffering();
  }
}
