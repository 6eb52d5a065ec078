/**
 * LogRetirement: when segments of the write-ahead log can go. A record that the log has and the engine has not synced is
 * safe in the log alone, so a segment goes after a sync of the engine that began when none of its records was waiting in
 * write-back. That the records of writes which wait for their batch may go with it does no harm: nobody was told of them.
 *
 * A range deletion waits for it too: what the log still held would come back at the next start.
 */
import { assert } from "../base/assert.ts";
import type { LogTail } from "./log-tail.ts";
import type { WriteBack } from "./write-back.ts";

/** The retiring of one log's segments. */
export class LogRetirement {
  readonly #tail: LogTail;
  readonly #writeBack: WriteBack;
  /** Segments below it go when the engine has synced; 0: no such sync is in flight. */
  #below = 0;
  /** The segment that was begun by `cutOff`; 0: nobody waits. */
  #begun = 0;

  constructor(tail: LogTail, writeBack: WriteBack) {
    this.#tail = tail;
    this.#writeBack = writeBack;
  }

  /** The oldest segment that is needed once the engine has synced what it holds now. */
  get oldestNeeded(): number {
    return Math.max(this.#below, this.#tail.oldest);
  }

  /** A sync is in flight, and segments go after it. */
  get syncing(): boolean {
    return this.#below !== 0;
  }

  /**
   * Ends the segment that is written: what the log holds is to go, all of it. Once per `isOver`. Null, or what went wrong.
   * What waits in write-back is left to its own time, a second at the most: all of it at once would stall the clients of
   * every node that gives copies up after the same ring.
   */
  cutOff(): string | null {
    if (this.#begun !== 0) return null;
    const flaw = this.#tail.append() ?? this.#tail.rotate();
    this.#begun = this.#tail.segment;
    return flaw;
  }

  /** Whether what the log held at the `cutOff` has gone. */
  isOver(): boolean {
    if (this.#tail.oldest < this.#begun) return false;
    this.#begun = 0;
    return true;
  }

  /** Whether the engine should sync now; if so it counts as begun, and the caller begins it. */
  begin(): boolean {
    if (this.#below !== 0) return false;
    const needed = Math.min(this.#writeBack.oldestSegment, this.#tail.segment);
    if (needed <= this.#tail.oldest) return false;
    this.#below = needed;
    return true;
  }

  /** The sync has ended: removes what can go. Null, or what went wrong (fatal). */
  finish(): string | null {
    assert(this.#below !== 0, "no sync is in flight");
    const below = this.#below;
    this.#below = 0;
    return this.#tail.removeBelow(below);
  }
}
