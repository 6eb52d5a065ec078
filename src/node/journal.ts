/**
 * Journal: what happened to this node and its cluster lately, for `ringtail events`: members that die and return, plans
 * and rings, levels of degradation. The newest events are kept in memory, so that asking for them needs no disk and a storm
 * of them no room; the log has all of them for good. Not here: anything that happens per request.
 */
import { assert } from "../base/assert.ts";
import { type Logger, silentLog } from "../base/log.ts";
import type { WallMs } from "../base/time.ts";
import { eventRowsMax } from "../wire/limits.ts";

/** What an event is about. */
export type EventKind = "node" | "member" | "ring" | "plan" | "transfer" | "hint" | "route" | "repair" | "disk";

/** One event. */
export interface JournalEvent {
  /** Counts up from 1 in every life of the node. */
  readonly sequence: number;
  readonly at: WallMs;
  readonly kind: EventKind;
  /** A sentence for people. */
  readonly text: string;
}

/** The newest events of one node, oldest first. */
export class Journal {
  readonly #wallMs: () => WallMs;
  readonly #log: Logger;
  readonly #events: JournalEvent[] = [];
  #last = 0;

  constructor(wallMs: () => WallMs, log: Logger = silentLog) {
    this.#wallMs = wallMs;
    this.#log = log;
  }

  /** The number of the newest event; 0: none yet. */
  get last(): number {
    return this.#last;
  }

  /** Writes an event down, and into the log. */
  note(kind: EventKind, text: string): void {
    assert(text !== "", "an event says what happened");
    this.#last += 1;
    this.#events.push({ sequence: this.#last, at: this.#wallMs(), kind, text });
    if (this.#events.length > eventRowsMax) this.#events.shift();
    this.#log.info("event", { kind, text });
  }

  /** What came after the event numbered `sequence` and not before `since`, oldest first. */
  after(sequence: number, since: number): readonly JournalEvent[] {
    return this.#events.filter((event) => event.sequence > sequence && event.at >= since);
  }
}
