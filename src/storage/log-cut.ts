/**
 * LogCut: who waits until the log has nothing left of what it holds now (log-retirement.ts): a range deletion, which a
 * replay would undo, and whoever must know that what was there before cannot come back. One cut serves all who wait when
 * it begins; who comes later waits for the next one.
 */
import { assert } from "../base/assert.ts";
import type { LogRetirement } from "./log-retirement.ts";
import type { DeleteRequest } from "./range-delete.ts";

/** Who has waited long enough. */
export interface Served {
  readonly deletion: DeleteRequest | null;
  /** As given to `awaitSettled`. */
  readonly tokens: readonly number[];
}

/** The cuts of one log, one after the other. */
export class LogCut {
  readonly #retirement: LogRetirement;
  #deletion: DeleteRequest | null = null;
  #tokens: number[] = [];
  #served: Served | null = null;

  constructor(retirement: LogRetirement) {
    this.#retirement = retirement;
  }

  /** Somebody waits. */
  get wanted(): boolean {
    return this.#served !== null || this.#deletion !== null || this.#tokens.length > 0;
  }

  awaitDeletion(request: DeleteRequest): void {
    assert(this.#deletion === null, "one page of a deletion at a time");
    this.#deletion = request;
  }

  awaitSettled(token: number): void {
    this.#tokens.push(token);
  }

  /** Begins a cut if none is under way, for all who wait now. Null, or what went wrong (fatal). */
  begin(): string | null {
    if (this.#served === null) {
      this.#served = { deletion: this.#deletion, tokens: this.#tokens };
      this.#deletion = null;
      this.#tokens = [];
    }
    return this.#retirement.cutOff();
  }

  /** Whom the cut has served, if it is over; else null. */
  finish(): Served | null {
    if (!this.#retirement.isOver()) return null;
    const served = this.#served;
    this.#served = null;
    return served;
  }
}
