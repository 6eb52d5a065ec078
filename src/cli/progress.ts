/** Progress of whatever takes longer than a second: a line that renews itself on a terminal, plain lines elsewhere. */
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../io/clock.ts";

const terminalEveryMs = 100;
const plainEveryMs = 5_000;

/** Counts steps towards a known total; writes to stderr, so that data on stdout stays clean. */
export class Progress {
  readonly #what: string;
  readonly #total: number;
  readonly #shown: boolean;
  readonly #terminal: boolean = process.stderr.isTTY === true;
  readonly #started = Date.now();
  #done = 0;
  #last = Date.now();
  #drawn = false;

  constructor(what: string, total: number, shown = true) {
    this.#what = what;
    this.#total = total;
    this.#shown = shown;
  }

  /** So many steps more are done. */
  step(steps = 1): void {
    this.#done += steps;
    const now = Date.now();
    if (!this.#shown || now - this.#last < (this.#terminal ? terminalEveryMs : plainEveryMs)) return;
    this.#last = now;
    this.#draw(now);
  }

  #draw(now: number): void {
    const share = this.#total === 0 ? 1 : this.#done / this.#total;
    const elapsed = (now - this.#started) / 1000;
    const left = share > 0 ? ((elapsed / share) * (1 - share)).toFixed(0) : "?";
    const text = `${this.#what}: ${this.#done} of ${this.#total} (${(share * 100).toFixed(0)} %), about ${left} s left`;
    process.stderr.write(this.#terminal ? `\r\u001b[K${text}` : `${text}\n`);
    this.#drawn = true;
  }

  /** Clears the line. */
  end(): void {
    if (this.#drawn && this.#terminal) process.stderr.write("\r\u001b[K");
  }
}

/** How time passes; other than it does: in tests. */
export interface Passing {
  readonly shown: boolean;
  readonly nowUs?: () => number;
  readonly sleep?: (ms: number) => Promise<unknown>;
}

/**
 * Lets so many seconds pass, and shows each. They are the clock's, not sleeps that are counted: on a busy machine each of
 * those takes longer, and an hour of them is two.
 */
export async function passSeconds(what: string, seconds: number, passing: Passing): Promise<void> {
  const { shown, nowUs = systemClock.now, sleep = setTimeout } = passing;
  const progress = new Progress(what, seconds, shown);
  const began = nowUs();
  for (let passed = 0; passed < seconds; ) {
    await sleep(Math.max(0, (began - nowUs()) / 1000 + 1000 * (passed + 1)));
    const now = Math.min(seconds, Math.floor((nowUs() - began) / 1_000_000));
    progress.step(now - passed);
    passed = now;
  }
  progress.end();
}
