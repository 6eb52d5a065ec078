/**
 * SyncGroup: syncs as a step of their own, for those who asked. One sync is in flight at most; it
 * covers every write whose batch was complete when it started, and answers all that waited then. `now` starts one as
 * soon as none is in flight, `designated` at most every 5 ms.
 */

import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import type { Instant } from "../base/time.ts";
import { after, instant, never } from "../base/time.ts";
import { SyncMode } from "./store-write.ts";

/** Designated writes share a sync at most this often. */
const designatedEveryUs = 5_000;

/** Who waits for a sync, and which one is in flight. */
export class SyncGroup {
  #waiting: number[] = [];
  #inFlight: number[] = [];
  #syncing = false;
  #urgent = false;
  #startedAt: Instant = instant(-designatedEveryUs);

  /** Nobody waits for a sync. */
  get idle(): boolean {
    return !this.#syncing && this.#waiting.length === 0;
  }

  /** A write whose batch is complete waits for the next sync. */
  add(token: number, mode: SyncMode): void {
    assert(mode !== SyncMode.none, "only who asked waits for a sync");
    this.#waiting.push(token);
    if (mode === SyncMode.now) this.#urgent = true;
  }

  /** Lets the next sync start as soon as none is in flight. */
  hurry(): void {
    this.#urgent = this.#waiting.length > 0;
  }

  #dueAt(): Instant {
    if (this.#syncing || this.#waiting.length === 0) return never;
    return this.#urgent ? this.#startedAt : after(this.#startedAt, designatedEveryUs);
  }

  /** Whether a sync should start; if so it counts as started, and the caller starts it. */
  begin(now: Instant): boolean {
    if (this.#dueAt() > now) return false;
    this.#inFlight = this.#waiting;
    this.#waiting = [];
    this.#syncing = true;
    this.#urgent = false;
    this.#startedAt = now;
    return true;
  }

  /** When `begin` is due. */
  nextTick(): Instant {
    return this.#dueAt();
  }

  /** The sync has ended: the tokens it covered, in the order of their batches. */
  finish(): readonly number[] {
    assert(this.#syncing, "no sync is in flight");
    this.#syncing = false;
    if (canary("sync-covers-later")) this.#inFlight = [...this.#inFlight, ...this.#waiting.splice(0)];
    return this.#inFlight;
  }
}
