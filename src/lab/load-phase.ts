/**
 * The load phase: brings every key of the workload to one value of the right size, and its context into the generator's
 * table, so that the first put of the run to a key replaces what is there. A few keys are looked at first: a cluster
 * without them is filled by puts alone; one that has them is only read, unless a fresh load was asked for.
 */
import type { RingtailError } from "../base/errors.ts";
import { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { Contexts } from "./contexts.ts";
import type { KeySpace } from "./key-space.ts";
import type { Answer, OperationEvents, Target } from "./target.ts";

/** `always`: every key gets a new value; `auto`: those that have none; `never`: the phase is left out. */
export type LoadMode = "always" | "auto" | "never";
/** Every mode. */
export const loadModes: readonly LoadMode[] = ["auto", "always", "never"];

/** What was done. */
export interface LoadReport {
  readonly read: number;
  readonly written: number;
}

/** What the phase needs. */
export interface LoadOptions {
  readonly target: Target;
  readonly keySpace: KeySpace;
  readonly contexts: Contexts;
  readonly valueBytes: number;
  readonly mode: "always" | "auto";
  /** A key is done. */
  readonly onKey: () => void;
}

const width = 128;
const sampleSize = 64;
const sampleSeed = 1;
/** Attempts per key, on top of the client's own; a refusal because of load is none. */
const attemptsMax = 5;
/** So long nothing at all may get done before a refusal is an error. */
const patienceUs: DurationUs = 30_000_000;
/** After so many answers one more key may be on its way again. */
const answersPerLane = 16;

/** What is done to a key: `fill` puts unread; `complete` reads, and puts what is missing; `replace` reads and puts. */
type Plan = "fill" | "complete" | "replace";

/** Loads; rejects with the error of an operation that failed again and again. */
export async function load(options: LoadOptions): Promise<LoadReport> {
  const sample = await new Sweep(options, "complete", sampleKeys(options.keySpace.count), true).run();
  const wholeSize = sample.found > 0 && sample.otherSize === 0;
  const plan = sample.found === 0 ? "fill" : options.mode === "always" || !wholeSize ? "replace" : "complete";
  const sweep = await new Sweep(options, plan, undefined, false).run();
  return { read: sweep.read, written: sweep.written };
}

/** A few keys, the first and the last among them. */
function sampleKeys(count: number): readonly number[] {
  const rng = new Rng(sampleSeed);
  const keys = [0, count - 1];
  while (keys.length < Math.min(sampleSize, count)) keys.push(rng.below(count));
  return keys;
}

/** One pass over keys, many at a time. */
class Sweep {
  readonly #options: LoadOptions;
  readonly #plan: Plan;
  readonly #keys: readonly number[] | undefined;
  readonly #count: number;
  readonly #isSample: boolean;
  readonly #again: Step[] = [];
  readonly #turn: (now: Instant) => void;
  #next = 0;
  #inFlight = 0;
  #done = 0;
  #failure: RingtailError | undefined;
  /** How much narrower than `width` the pass is: a cluster that refuses has enough to do. */
  #narrowedBy = 0;
  #answers = 0;
  #answeredAt: Instant | undefined;
  #settle: () => void = () => {};
  read = 0;
  written = 0;
  found = 0;
  /** Found, with a value of another size. */
  otherSize = 0;

  /** Without `keys`: all. A sample only looks. */
  constructor(options: LoadOptions, plan: Plan, keys: readonly number[] | undefined, isSample: boolean) {
    this.#options = options;
    this.#plan = plan;
    this.#keys = keys;
    this.#count = keys?.length ?? options.keySpace.count;
    this.#isSample = isSample;
    this.#turn = (now) => {
      this.#answeredAt ??= now;
      for (let room = width - this.#narrowedBy - this.#inFlight; room > 0; room -= 1) if (!this.#start(now)) break;
      options.target.flush(now);
    };
  }

  run(): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#settle = () => (this.#failure === undefined ? resolve(this) : reject(this.#failure));
      this.#options.target.wantTurn(this.#turn);
    });
  }

  #start(now: Instant): boolean {
    if (this.#failure !== undefined) return false;
    const step = this.#again.pop() ?? this.#nextStep();
    if (step === undefined) return false;
    const { target, keySpace, contexts } = this.#options;
    const key = keySpace.key(step.key);
    this.#inFlight += 1;
    const error = step.isGet
      ? target.get(now, key, step)
      : target.put(now, key, keySpace.value(step.key), contexts.get(step.key), step);
    if (error !== null) this.onFailure(now, step, error);
    return true;
  }

  #nextStep(): Step | undefined {
    if (this.#next === this.#count) return undefined;
    const key = this.#keys === undefined ? this.#next : (this.#keys[this.#next] as number);
    this.#next += 1;
    return new Step(this, key, this.#plan !== "fill");
  }

  onGot(now: Instant, step: Step, answer: Answer): void {
    this.#onAnswer(now);
    this.read += 1;
    this.#options.contexts.learn(step.key, answer.context);
    const isThere = this.#look(answer.valueBytes);
    step.isGet = this.#isSample || (isThere && this.#plan === "complete");
    if (step.isGet) this.#finish();
    else this.#repeat(step);
  }

  /** Whether the key has a value. */
  #look(valueBytes: number | undefined): boolean {
    if (valueBytes === undefined) return false;
    this.found += 1;
    if (valueBytes !== this.#options.valueBytes) this.otherSize += 1;
    return true;
  }

  onWritten(now: Instant, step: Step, context: Uint8Array): void {
    this.#onAnswer(now);
    this.written += 1;
    this.#options.contexts.learn(step.key, context);
    this.#finish();
  }

  onFailure(now: Instant, step: Step, error: RingtailError): void {
    const waited = now - (this.#answeredAt ?? now);
    if (error.code === "OVERLOADED" && waited < patienceUs && this.#failure === undefined) {
      this.#narrowedBy = Math.min(this.#narrowedBy + 1, width - 1);
      this.#repeat(step);
      return;
    }
    step.attempts += 1;
    if (step.attempts < attemptsMax && error.retryable) {
      this.#repeat(step);
      return;
    }
    this.#failure ??= error;
    this.#finish();
  }

  #onAnswer(now: Instant): void {
    this.#answeredAt = now;
    this.#answers += 1;
    if (this.#narrowedBy > 0 && this.#answers % answersPerLane === 0) this.#narrowedBy -= 1;
  }

  #repeat(step: Step): void {
    this.#again.push(step);
    this.#free();
  }

  #finish(): void {
    this.#done += 1;
    if (!this.#isSample) this.#options.onKey();
    if (this.#failure !== undefined || this.#done === this.#count) this.#settle();
    else this.#free();
  }

  #free(): void {
    this.#inFlight -= 1;
    this.#options.target.wantTurn(this.#turn);
  }
}

/** One key on its way. */
class Step implements OperationEvents {
  readonly key: number;
  isGet: boolean;
  attempts = 0;
  readonly #sweep: Sweep;

  constructor(sweep: Sweep, key: number, isGet: boolean) {
    this.#sweep = sweep;
    this.key = key;
    this.isGet = isGet;
  }

  onGot(now: Instant, answer: Answer): void {
    this.#sweep.onGot(now, this, answer);
  }

  onWritten(now: Instant, context: Uint8Array): void {
    this.#sweep.onWritten(now, this, context);
  }

  onFailure(now: Instant, error: RingtailError): void {
    this.#sweep.onFailure(now, this, error);
  }
}
