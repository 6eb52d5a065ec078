/**
 * CheckSession: one client of a check, with connections of its own, doing one thing after the other: gets, multi-gets,
 * puts with the context that it holds, blind puts that make siblings, deletes. What it asks and is told goes to the
 * recorder. The SDK tries again as it does for applications, so that its retries are checked too.
 */
import { randomBytes } from "node:crypto";
import type { Rng } from "../../base/rng.ts";
import type { Bucket } from "../../client/bucket.ts";
import { Context } from "../../client/context.ts";
import type { Receipt } from "../../client/receipt.ts";
import type { GetResult, PutResult } from "../../client/results.ts";
import type { Ring } from "../../ring/ring.ts";
import { idName, type Operation, type Shown, valueBytes, valueNumber } from "../../sim/history.ts";
import { readContext } from "../../version/context.ts";
import type { CanaryKeys } from "./canary-keys.ts";
import type { CheckRecorder } from "./recorder.ts";

/** What a session works with. */
export interface SessionOptions {
  readonly number: number;
  readonly bucket: Bucket<Uint8Array>;
  readonly ring: () => Ring;
  readonly rng: Rng;
  readonly keys: CanaryKeys;
  readonly recorder: CheckRecorder;
}

/** Per mille of the steps; what is left over are puts with a context. */
const share = { get: 400, multiGet: 50, blind: 80, remove: 80 };
const keysPerMultiGetMax = 8;
/** Most values are small; one of sixteen is not. */
const paddingUsual = 200;
const paddingLarge = 8_000;

export class CheckSession {
  readonly #options: SessionOptions;
  /** The last context of each key that it used: at most one per place of a key. */
  readonly #held = new Map<number, { readonly key: string; readonly context: Context }>();

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Does one thing; resolves when it has ended, however it ended. */
  async step(): Promise<void> {
    const { rng, keys } = this.#options;
    const place = rng.below(keys.count);
    let draw = rng.below(1000);
    const isNext = (perMille: number): boolean => {
      draw -= perMille;
      return draw < 0;
    };
    if (isNext(share.multiGet)) {
      const count = rng.between(2, keysPerMultiGetMax);
      return this.#getMany(Array.from({ length: count }, () => rng.below(keys.count)));
    }
    const key = keys.take(place);
    if (isNext(share.get)) return this.#get(place, key);
    if (isNext(share.blind)) return this.#write(place, "put", key, Context.empty);
    const held = this.#held.get(place);
    const context = held?.key === key ? held.context : Context.empty;
    return this.#write(place, isNext(share.remove) && context !== Context.empty ? "delete" : "put", key, context);
  }

  async #get(place: number, key: string): Promise<void> {
    const { number, bucket, recorder } = this.#options;
    const operation = recorder.begin({ client: number, kind: "get", key });
    try {
      this.#onRead(place, operation, await bucket.get(key));
    } catch (error) {
      recorder.onError(operation, error);
    }
  }

  async #getMany(places: readonly number[]): Promise<void> {
    const { number, bucket, recorder, keys } = this.#options;
    const asked = [...new Set(places)].map((place) => ({ place, key: keys.take(place) }));
    const operations = asked.map(({ key }) => recorder.begin({ client: number, kind: "get", key }));
    try {
      const results = await bucket.getMany(asked.map(({ key }) => key));
      for (const [i, result] of results.entries()) {
        const operation = operations[i] as Operation;
        if (result instanceof Error) recorder.onError(operation, result);
        else this.#onRead((asked[i] as { place: number }).place, operation, result);
      }
    } catch (error) {
      for (const operation of operations) if (operation.outcome === "open") recorder.onError(operation, error);
    }
  }

  async #write(place: number, kind: "put" | "delete", key: string, context: Context): Promise<void> {
    const { number, bucket, recorder, rng } = this.#options;
    // They name writes for ever: no two runs may draw the same ones, whatever their seed.
    const requestId = new Uint8Array(randomBytes(16));
    const { version, own } = readContext(context.bytes);
    const value = kind === "put" ? recorder.nextValue() : 0;
    const operation = recorder.begin({
      ...{ client: number, kind, key, value, requestId: idName(requestId) },
      ...{ context: version, contextOwn: own === null ? null : own.dot },
    });
    try {
      const options = { context, requestId };
      const bytes = valueBytes(value, rng.below(rng.below(16) === 0 ? paddingLarge : paddingUsual));
      const result = kind === "put" ? await bucket.put(key, bytes, options) : await bucket.delete(key, options);
      this.#onWritten(place, operation, result);
    } catch (error) {
      recorder.onError(operation, error);
    }
  }

  #onWritten(place: number, operation: Operation, { context, receipt }: PutResult): void {
    const { version, own } = readContext(context.bytes);
    operation.version = version;
    operation.own = own === null ? null : own.dot;
    this.#end(place, operation, context, receipt);
  }

  #onRead(place: number, operation: Operation, result: GetResult<Uint8Array>): void {
    operation.version = readContext(result.context.bytes).version;
    operation.siblings = shownOf(result);
    this.#end(place, operation, result.context, result.receipt);
  }

  #end(place: number, operation: Operation, context: Context, receipt: Receipt): void {
    const { members } = this.#options.ring();
    const present = members.filter(({ status }) => status !== "left");
    const numberOf = (name: string): number => present.find((member) => member.name === name)?.number ?? 0;
    operation.fallbackAcks = receipt.acks.filter(({ role }) => role === "fallback").map(({ node }) => numberOf(node));
    operation.coordinator = numberOf(receipt.coordinator);
    operation.attempts = receipt.attempts;
    this.#held.set(place, { key: operation.key, context });
    this.#options.recorder.onAnswer(operation, receipt.epoch);
  }
}

/** What an answer shows, as the history keeps it. */
function shownOf({ versions, siblings }: GetResult<Uint8Array>): Shown[] {
  let next = 0;
  return versions.map(({ requestId, dots, tombstone }) => {
    const value = tombstone ? 0 : valueNumber(siblings[next++] as Uint8Array);
    return { requestId: idName(requestId), dots, tombstone, value };
  });
}
