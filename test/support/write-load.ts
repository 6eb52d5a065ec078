/**
 * A load of puts whose every answer is kept, and the proof that nothing acknowledged is lost: each write has a key of its
 * own and a value that no other write has, so that what is read back can be held against what was acknowledged.
 */
import { type ErrorCode, RingtailError, wireOf } from "../../src/base/errors.ts";
import { type Bucket, RingtailClient, text } from "../../src/index.ts";
import { decodeRecordBody } from "../../src/version/record.ts";
import { decode, encode, GetReply, GetRequest } from "../../src/wire/codec.ts";
import { FrameType } from "../../src/wire/frame-types.ts";
import { waitFor } from "./e2e.ts";
import { WireClient } from "./wire-client.ts";

const bucketName = "load";
const writers = 16;

/** Puts without end, until `stop`. */
export class WriteLoad {
  /** Acknowledged: the value of each key. */
  readonly acked = new Map<string, string>();
  /** Not acknowledged, which says nothing: the value of each key. */
  readonly doubtful = new Map<string, string>();
  /** Of the puts that failed. */
  readonly errors = new Map<ErrorCode, number>();
  readonly #client: RingtailClient;
  readonly #bucket: Bucket<string>;
  readonly #workers: readonly Promise<void>[];
  #stopping = false;

  private constructor(client: RingtailClient, name: string) {
    this.#client = client;
    this.#bucket = client.bucket(bucketName, { codec: text });
    this.#workers = Array.from({ length: writers }, (_, writer) => this.#work(`${name}-${writer}`));
  }

  /** Begins; `name` tells the keys of this load from those of another. */
  static async start(seedNodes: readonly string[], name: string): Promise<WriteLoad> {
    return new WriteLoad(await RingtailClient.connect({ seedNodes }), name);
  }

  async #work(name: string): Promise<void> {
    for (let i = 0; !this.#stopping; i += 1) {
      const key = `${name}-${i}`;
      const value = `${key} ${Math.random()}`;
      try {
        await this.#bucket.put(key, value);
        this.acked.set(key, value);
      } catch (error) {
        if (!(error instanceof RingtailError)) throw error;
        this.doubtful.set(key, value);
        this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1);
      }
    }
  }

  /** Resolves when so many more writes have been acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acked.size + count;
    await waitFor(`${count} more acknowledged writes`, () => this.acked.size >= goal, 30_000);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#workers);
    await this.#client.close();
  }
}

const atOnce = 200;
const overloaded = wireOf("OVERLOADED");

/** A node may refuse some of so many gets at once: asks again until it does not. */
async function getPatiently(client: WireClient, body: Uint8Array): Promise<GetReply> {
  let answer = await client.ask(FrameType.GET, body);
  await waitFor("the get is admitted", async () => {
    if (answer.status === overloaded) answer = await client.ask(FrameType.GET, body);
    return answer.status !== overloaded;
  });
  if (answer.status !== 0) throw new Error(`a get ended with status ${answer.status}`);
  return decode(GetReply, answer.body, 0, answer.body.length);
}

/**
 * Reads every acknowledged write, with this node as the coordinator and r answers. Returns what is wrong, one line a key:
 * lost, or another value than was written.
 */
export async function findLost(address: string, acked: ReadonlyMap<string, string>, r: number): Promise<string[]> {
  const client = await WireClient.open(address);
  const wrong: string[] = [];
  const bucket = Buffer.from(bucketName);
  const check = async ([key, value]: readonly [string, string]): Promise<void> => {
    const asked = { bucket, key: Buffer.from(key), r, timeoutUs: 10_000_000 };
    const { record } = await getPatiently(client, encode(GetRequest, asked));
    const siblings = record.length === 0 ? [] : decodeRecordBody(record).siblings;
    const values = siblings.map((sibling) => Buffer.from(sibling.value).toString());
    if (values.length === 0) wrong.push(`${key} is lost`);
    for (const found of values) if (found !== value) wrong.push(`${key} is "${found}", not "${value}"`);
  };
  const entries = [...acked];
  for (let i = 0; i < entries.length; i += atOnce) await Promise.all(entries.slice(i, i + atOnce).map(check));
  client.close();
  return wrong;
}
