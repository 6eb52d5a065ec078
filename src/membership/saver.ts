/**
 * Saver: when the members' file is written. A lease of incarnations is waited for, so it is written at once; anything
 * else may gather for a second. One write at a time.
 */
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";

/** Changes gather for so long. */
const gatherUs: DurationUs = 1_000_000;

export class Saver {
  readonly #save: (now: Instant, token: number) => number;
  #dueAt: Instant = never;
  #token = 0;
  #savingTop = 0;
  #saving = false;

  /** `save` writes the file under a token and returns the lease that is in it. */
  constructor(save: (now: Instant, token: number) => number) {
    this.#save = save;
  }

  /** Something worth keeping has changed. */
  touch(now: Instant): void {
    if (this.#dueAt === never) this.#dueAt = instant(now + gatherUs);
  }

  /** Somebody waits for the file. */
  hurry(now: Instant): void {
    this.#dueAt = now;
    this.tick(now);
  }

  /** A write is done; returns the lease that is on disk now, or undefined if the token is not the one in flight. */
  onSaved(now: Instant, token: number): number | undefined {
    if (!this.#saving || token !== this.#token) return undefined;
    this.#saving = false;
    const top = this.#savingTop;
    this.tick(now);
    return top;
  }

  /** Writes, if it is time and no write is under way. */
  tick(now: Instant): void {
    if (this.#saving || this.#dueAt > now) return;
    this.#dueAt = never;
    this.#saving = true;
    this.#token += 1;
    this.#savingTop = this.#save(now, this.#token);
  }

  /** When `tick` has something to do. */
  next(): Instant {
    return this.#saving ? never : this.#dueAt;
  }
}
