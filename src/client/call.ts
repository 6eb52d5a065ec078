/**
 * Call: one request as a promise, where promises begin and end. One object and one promise per call; an abort signal
 * costs a listener only where one is given.
 */
import type { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { ClientCore } from "./core.ts";
import type { ClientEnvironment } from "./environment.ts";
import type { AnyReply, Request, RequestEvents } from "./request.ts";

/** Makes an application's result of a reply, whose bytes are borrowed. What it throws, the call rejects with. */
export interface ReplyReader<R extends AnyReply, Out> {
  read(now: Instant, request: Request<R>, reply: R): Out;
}

/** What calls run on. */
export interface CallHost {
  readonly core: ClientCore;
  readonly env: ClientEnvironment;
}

export class Call<R extends AnyReply, Out> implements RequestEvents<R> {
  readonly promise: Promise<Out>;
  readonly #reader: ReplyReader<R, Out>;
  #resolve: (result: Out) => void = ignore;
  #reject: (error: unknown) => void = ignore;
  #signal: AbortSignal | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;

  constructor(reader: ReplyReader<R, Out>) {
    this.#reader = reader;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Begins the request, whose events are this call's. */
  begin(host: CallHost, request: Request<R>, signal: AbortSignal | undefined): Promise<Out> {
    if (signal?.aborted === true) {
      this.#reject(signal.reason);
      return this.promise;
    }
    const refusal = host.core.begin(host.env.now(), request);
    if (refusal !== null) this.#reject(refusal);
    else if (signal !== undefined) this.#watch(host, request, signal);
    return this.promise;
  }

  #watch(host: CallHost, request: Request<R>, signal: AbortSignal): void {
    this.#signal = signal;
    this.#onAbort = () => {
      host.core.cancel(host.env.now(), request);
      this.#reject(signal.reason);
    };
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  #unwatch(): void {
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  onReply(now: Instant, request: Request<R>, reply: R): void {
    this.#unwatch();
    try {
      this.#resolve(this.#reader.read(now, request, reply));
    } catch (error) {
      this.#reject(error);
    }
  }

  onFailure(_now: Instant, _request: Request<R>, error: RingtailError): void {
    this.#unwatch();
    this.#reject(error);
  }
}

function ignore(): void {}
