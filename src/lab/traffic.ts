/**
 * Traffic: draws operations from a workload, sends them, and hears how they end. When an operation is sent is the loops'
 * business (`open-loop.ts`, `closed-loop.ts`). No promise per operation, and its object is used again, so that the
 * generator costs little beside what it measures.
 */
import type { RingtailError } from "../base/errors.ts";
import type { Rng } from "../base/rng.ts";
import { type Instant, instant } from "../base/time.ts";
import type { Contexts } from "./contexts.ts";
import type { KeyChoice } from "./key-choice.ts";
import type { KeySpace } from "./key-space.ts";
import type { Recorder } from "./recorder.ts";
import type { Answer, OperationEvents, Target } from "./target.ts";

/** What traffic is made of. */
export interface TrafficOptions {
  readonly target: Target;
  readonly recorder: Recorder;
  readonly keySpace: KeySpace;
  readonly contexts: Contexts;
  readonly choice: KeyChoice;
  /** Decides between get and put. */
  readonly rng: Rng;
  readonly readPercent: number;
  /** One operation has ended. Called inside an event of a request: nothing may be sent before it returns. */
  readonly onEnded: (now: Instant) => void;
}

export class Traffic {
  readonly recorder: Recorder;
  readonly contexts: Contexts;
  readonly #options: TrafficOptions;
  readonly #spare: Operation[] = [];
  #values = 0;
  inFlight = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.recorder = options.recorder;
    this.contexts = options.contexts;
  }

  /**
   * Sends one operation that was due at `intended`; it leaves when this turn ends, or at `Target.flush`. `held`: it is
   * late because too many were in flight, and not by the generator's own slowness.
   */
  send(now: Instant, intended: Instant, held: boolean): void {
    const { choice, rng, readPercent } = this.#options;
    const operation = this.#spare.pop() ?? new Operation(this);
    operation.key = choice.next();
    operation.isGet = rng.below(100) < readPercent;
    operation.intended = intended;
    operation.sent = now;
    this.inFlight += 1;
    const error = operation.isGet ? this.#get(now, operation) : this.#put(now, operation);
    if (this.recorder.counts(intended)) this.recorder.sent(intended, now, held);
    if (error !== null) this.failed(now, operation, error);
  }

  #get(now: Instant, operation: Operation): RingtailError | null {
    const { target, keySpace } = this.#options;
    return target.get(now, keySpace.key(operation.key), operation);
  }

  #put(now: Instant, operation: Operation): RingtailError | null {
    const { target, keySpace } = this.#options;
    const context = this.contexts.get(operation.key);
    if (context.length === 0 && this.recorder.counts(operation.intended)) this.recorder.blindPuts += 1;
    this.#values += 1;
    return target.put(now, keySpace.key(operation.key), keySpace.value(this.#values), context, operation);
  }

  /** For Operation only. */
  answered(now: Instant, operation: Operation): void {
    const { isGet, intended, sent } = operation;
    this.#end(operation);
    this.recorder.answered(isGet, intended, sent, now);
    this.#options.onEnded(now);
  }

  /** For Operation only. */
  failed(now: Instant, operation: Operation, error: RingtailError): void {
    this.#end(operation);
    this.recorder.failed(operation.isGet, operation.intended, error.code);
    this.#options.onEnded(now);
  }

  #end(operation: Operation): void {
    this.inFlight -= 1;
    this.#spare.push(operation);
  }
}

/** One get or put in flight, and the receiver of its events. */
class Operation implements OperationEvents {
  isGet = false;
  key = 0;
  intended: Instant = instant(0);
  sent: Instant = instant(0);
  readonly #traffic: Traffic;

  constructor(traffic: Traffic) {
    this.#traffic = traffic;
  }

  onGot(now: Instant, answer: Answer): void {
    const { contexts, recorder } = this.#traffic;
    contexts.learn(this.key, answer.context);
    if (recorder.counts(this.intended)) recorder.sawSiblings(answer.siblings);
    this.#traffic.answered(now, this);
  }

  onWritten(now: Instant, context: Uint8Array): void {
    this.#traffic.contexts.learn(this.key, context);
    this.#traffic.answered(now, this);
  }

  onFailure(now: Instant, error: RingtailError): void {
    this.#traffic.failed(now, this, error);
  }
}
