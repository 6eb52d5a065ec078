/**
 * A load of gets and puts through the SDK, whose every answer is kept, and the proof that nothing acknowledged is lost.
 *
 * Writers share keys: each reads a key and puts a value with the context of what it read, so that the value follows
 * causally from the siblings that were there; one put in four has no context, and adds a sibling. Every value is the id
 * of its write, so a read tells which writes it has met: those that it returns, and all that they follow from. A write
 * that was acknowledged must be among them, in every get that began after it and in all of those at the end.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, RingtailError, wireOf } from "../../src/base/errors.ts";
import { type Bucket, type Context, RingtailClient, text } from "../../src/index.ts";
import { decodeRecordBody } from "../../src/version/record.ts";
import { decode, encode } from "../../src/wire/codec.ts";
import { FrameType } from "../../src/wire/frame-types.ts";
import { GetReply, GetRequest } from "../../src/wire/gen/codecs.ts";
import { waitFor } from "./e2e.ts";
import { WireClient } from "./wire-client.ts";

const bucketName = "load";

/** How hard, and on what. */
export interface LoadOptions {
  /** Requests at a time. */
  readonly writers?: number;
  readonly keys?: number;
  /** Between two operations of one writer: nodes that start again meanwhile need the cores. */
  readonly pauseMs?: number;
}

interface Write {
  /** The writes that its writer had read. */
  readonly follows: readonly string[];
  acknowledged: boolean;
}

/** What was done to one key. */
class History {
  readonly writes = new Map<string, Write>();

  /** Those of `wanted` that a reader who met `values` has not met. */
  missing(values: readonly string[], wanted: readonly string[]): string[] {
    const met = new Set<string>();
    const open = [...values];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (met.has(id)) continue;
      met.add(id);
      open.push(...(this.writes.get(id)?.follows ?? []));
    }
    return wanted.filter((id) => !met.has(id));
  }

  acknowledgedIds(): string[] {
    return [...this.writes].filter(([, write]) => write.acknowledged).map(([id]) => id);
  }
}

/** What a stretch of the load was like. */
export interface Stretch {
  readonly operations: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Gets and puts without end, until `stop`. */
export class CheckedLoad {
  /** Of the operations that failed. */
  readonly errors = new Map<ErrorCode, number>();
  /** Gets that missed a write acknowledged before they began, one line each. */
  readonly stale: string[] = [];
  acknowledged = 0;
  readonly #client: RingtailClient;
  readonly #bucket: Bucket<string>;
  readonly #histories = new Map<string, History>();
  readonly #name: string;
  readonly #options: Required<LoadOptions>;
  readonly #workers: readonly Promise<void>[];
  #stretch: number[] = [];
  #failed = 0;
  #ids = 0;
  #stopping = false;

  private constructor(client: RingtailClient, name: string, options: LoadOptions) {
    this.#client = client;
    // A machine that is busy with other tests must not fail what the cluster does.
    this.#bucket = client.bucket(bucketName, { codec: text, timeoutMs: 5_000 });
    this.#name = name;
    this.#options = { writers: 16, keys: 500, pauseMs: 5, ...options };
    this.#workers = Array.from({ length: this.#options.writers }, () => this.#work());
  }

  /** Begins; `name` tells the keys of this load from those of another. */
  static async start(seedNodes: readonly string[], name: string, options: LoadOptions = {}): Promise<CheckedLoad> {
    return new CheckedLoad(await RingtailClient.connect({ seedNodes }), name, options);
  }

  async #work(): Promise<void> {
    for (; !this.#stopping; await sleep(this.#options.pauseMs)) {
      const key = `${this.#name}-${Math.floor(Math.random() * this.#options.keys)}`;
      const history = this.#histories.get(key) ?? new History();
      this.#histories.set(key, history);
      if (Math.random() < 0.25) await this.#put(key, history, [], undefined);
      else await this.#replace(key, history);
    }
  }

  /** Replaces what is there, after having looked whether all is there that must be. */
  async #replace(key: string, history: History): Promise<void> {
    const before = history.acknowledgedIds();
    const read = await this.#try(() => this.#bucket.get(key));
    if (read === undefined) return;
    const missing = history.missing(read.siblings, before);
    if (missing.length > 0) {
      this.stale.push(`${key} by ${read.receipt.coordinator} in epoch ${read.receipt.epoch}: ${missing.join(" ")}`);
    }
    await this.#put(key, history, read.siblings, read.context);
  }

  async #put(key: string, history: History, follows: readonly string[], context: Context | undefined): Promise<void> {
    this.#ids += 1;
    const id = `${key}:${this.#ids}`;
    const write = { follows, acknowledged: false };
    history.writes.set(id, write);
    if ((await this.#try(() => this.#bucket.put(key, id, { context }))) === undefined) return;
    write.acknowledged = true;
    this.acknowledged += 1;
  }

  /** The result of an operation; undefined: it failed, which says nothing about whether it happened. */
  async #try<T>(operation: () => Promise<T>): Promise<T | undefined> {
    const began = performance.now();
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof RingtailError)) throw error;
      this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1);
      this.#failed += 1;
      return undefined;
    } finally {
      this.#stretch.push(performance.now() - began);
    }
  }

  /** Resolves when so many more writes have been acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged + count;
    await waitFor(`${count} more acknowledged writes`, () => this.acknowledged >= goal, 30_000);
  }

  /** What was since the last call. */
  takeStretch(): Stretch {
    const sorted = this.#stretch.sort((a, b) => a - b);
    const at = (perMille: number): number =>
      Math.round(10 * (sorted[Math.floor((sorted.length * perMille) / 1000)] ?? 0)) / 10;
    const [operations, failed] = [sorted.length, this.#failed];
    this.#stretch = [];
    this.#failed = 0;
    return { operations, failed, p50Ms: at(500), p999Ms: at(999), maxMs: Math.round(sorted.at(-1) ?? 0) };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
    await this.#client.close();
  }

  /**
   * Reads every key, with this node as the coordinator and r answers. Returns what is wrong, one line a key: acknowledged
   * writes that are neither there nor followed by what is, and values that nobody wrote.
   */
  async findLost(address: string, r: number): Promise<string[]> {
    const client = await WireClient.open(address);
    const wrong: string[] = [];
    const check = async ([key, history]: readonly [string, History]): Promise<void> => {
      // Taken before the read: a load that goes on has more acknowledged when the answer is here.
      const acknowledged = history.acknowledgedIds();
      const values = await valuesOf(client, key, r);
      const missing = history.missing(values, acknowledged);
      if (missing.length > 0) wrong.push(`${key} has lost ${missing.join(" ")}`);
      for (const value of values)
        if (!history.writes.has(value)) wrong.push(`${key} is "${value}", which nobody wrote`);
    };
    const entries = [...this.#histories];
    for (let i = 0; i < entries.length; i += atOnce) await Promise.all(entries.slice(i, i + atOnce).map(check));
    client.close();
    return wrong;
  }
}

const atOnce = 200;
const overloaded = wireOf("OVERLOADED");

/** A node may refuse some of so many gets at once: asks again until it does not. */
async function valuesOf(client: WireClient, key: string, r: number): Promise<string[]> {
  const asked = { bucket: Buffer.from(bucketName), key: Buffer.from(key), r, timeoutUs: 10_000_000 };
  const body = encode(GetRequest, asked);
  let answer = await client.ask(FrameType.GET, body);
  await waitFor("the get is admitted", async () => {
    if (answer.status === overloaded) answer = await client.ask(FrameType.GET, body);
    return answer.status !== overloaded;
  });
  if (answer.status !== 0) throw new Error(`a get ended with status ${answer.status}`);
  const { record } = decode(GetReply, answer.body, 0, answer.body.length);
  const siblings = record.length === 0 ? [] : decodeRecordBody(record).siblings;
  return siblings.map((sibling) => Buffer.from(sibling.value).toString());
}
