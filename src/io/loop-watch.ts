/**
 * LoopWatch: how late this process's event loop is. A timer beats every 10 ms while anybody asks, and more rarely while
 * hardly anybody does: waking up is most of what an idle process costs. What is read from a socket after a beat was due
 * and before it came may have waited since then. When the beat itself comes late, what the loop reads next was held up
 * just as long: timers run before sockets. Also notes pauses that the garbage collector makes, as the system tells them,
 * which is after the fact.
 */
import { type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { after, type Clock, type DurationUs, type Instant, never } from "../base/time.ts";
import { stallUs } from "../metrics/cause.ts";
import { PauseKind, Pauses } from "../metrics/pauses.ts";
import { instantOf } from "./clock.ts";

const beatMs = 10;
/** After a beat in which nobody asked. */
const idleBeatMs = 100;
/** With nobody asking for so many beats it stops: an idle process sleeps. */
const idleBeatsMax = 10;
/** Timers are no finer. */
const coarseUs: DurationUs = 2_000;
/** Shorter collections are everyday. */
const collectionLeastUs: DurationUs = 1_000;

/** The lateness of the loop of this process. */
export class LoopWatch {
  /** What is noted of it; others may note theirs. */
  readonly pauses: Pauses = new Pauses();
  readonly #clock: Clock;
  readonly #observer: PerformanceObserver;
  #timer: NodeJS.Timeout | undefined;
  #due: Instant = never;
  /** The beat that came late, until the loop has read what waited meanwhile. */
  #lateSince: Instant = never;
  /** Beats since somebody asked. */
  #idleBeats = idleBeatsMax;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.#onCollection(entry);
    });
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  /** How long what is read at `now` may have waited. */
  waitUs(now: Instant): DurationUs {
    const since = Math.min(this.#due, this.#lateSince) as Instant;
    const lateUs = now - since;
    this.#asked(now);
    if (lateUs < coarseUs) return 0;
    this.#note(since, now);
    return lateUs;
  }

  #asked(now: Instant): void {
    const isIdle = this.#idleBeats > 0;
    this.#idleBeats = 0;
    // A beat that is due is left to come, and to be noted.
    if (isIdle && !this.#stopped && now < this.#due) this.#arm(now, beatMs);
  }

  #note(since: Instant, now: Instant): void {
    if (now - since >= stallUs) this.pauses.note(PauseKind.loop, since, now);
  }

  #arm(now: Instant, ms: number): void {
    clearTimeout(this.#timer);
    this.#due = after(now, ms * 1000);
    this.#timer = setTimeout(() => this.#onBeat(), ms);
    this.#timer.unref();
  }

  #onBeat(): void {
    const now = this.#clock.now();
    const due = this.#due;
    this.#timer = undefined;
    this.#due = never;
    this.#note(due, now);
    if (now - due >= coarseUs) {
      this.#lateSince = due;
      // Sockets come after timers, and this after sockets.
      setImmediate(() => {
        this.#lateSince = never;
      });
    }
    if (this.#idleBeats < idleBeatsMax && !this.#stopped) this.#arm(now, this.#idleBeats === 0 ? beatMs : idleBeatMs);
    this.#idleBeats += 1;
  }

  #onCollection({ startTime, duration }: PerformanceEntry): void {
    const from = instantOf(startTime);
    const us = Math.round(duration * 1000);
    if (us >= collectionLeastUs) this.pauses.note(PauseKind.gc, from, after(from, us));
  }

  /** No beat and no observer after this. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#observer.disconnect();
  }
}
