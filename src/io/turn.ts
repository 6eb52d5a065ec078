/**
 * What a host needs to run a deterministic core on Node's event loop: one call at the end of a turn (so that frames of
 * many requests share one system call), and one alarm (so that no request has a timer of its own).
 */
import type { Clock, Instant } from "../base/time.ts";
import { never } from "../base/time.ts";

/** Runs `run` once after the callbacks of this turn of the event loop, however often `want` is called. */
export class TurnEnd {
  readonly #run: (now: Instant) => void;
  readonly #clock: Clock;
  readonly #fire: () => void;
  #wanted = false;
  #stopped = false;
  #runs = 0;

  constructor(clock: Clock, run: (now: Instant) => void) {
    this.#clock = clock;
    this.#run = run;
    this.#fire = () => this.#onImmediate();
  }

  /** Asks for one run; asking again from inside `run` gives one in the next turn. */
  want(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    setImmediate(this.#fire);
  }

  /** How often it has run: the turns in which this process had something to do for somebody. */
  get runs(): number {
    return this.#runs;
  }

  /** No run after this. */
  stop(): void {
    this.#stopped = true;
  }

  #onImmediate(): void {
    this.#wanted = false;
    if (this.#stopped) return;
    this.#runs += 1;
    this.#run(this.#clock.now());
  }
}

/** One re-armable timer. Moving it to a later instant costs nothing: the old timer fires and re-arms itself. */
export class Alarm {
  readonly #ring: (now: Instant) => void;
  readonly #clock: Clock;
  readonly #fire: () => void;
  #at: Instant = never;
  #armedAt: Instant = never;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, ring: (now: Instant) => void) {
    this.#clock = clock;
    this.#ring = ring;
    this.#fire = () => this.#onTimer();
  }

  /** Rings once at or soon after `at`; only the latest call counts, and `never` cancels. */
  set(at: Instant): void {
    this.#at = at;
    if (at === never) this.#disarm();
    else if (at < this.#armedAt) this.#arm(this.#clock.now());
  }

  #arm(now: Instant): void {
    this.#disarm();
    this.#armedAt = this.#at;
    // A timer beyond Node's 2^31 ms would fire at once; an early one only re-arms.
    const delayMs = Math.min(Math.max(1, Math.ceil((this.#at - now) / 1000)), 0x7fff_ffff);
    this.#timer = setTimeout(this.#fire, delayMs);
  }

  #disarm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#armedAt = never;
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#armedAt = never;
    const now = this.#clock.now();
    if (this.#at > now) {
      if (this.#at !== never) this.#arm(now);
      return;
    }
    this.#at = never;
    this.#ring(now);
  }
}
