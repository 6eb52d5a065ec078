/** What buckets offer: values through codecs, contexts, updates, deletes, many keys at once, and clear refusals. */
import { describe, expect, it } from "vitest";
import { hexOf } from "../../../src/base/bytes.ts";
import { RingtailError } from "../../../src/base/errors.ts";
import { json, text } from "../../../src/client/codecs.ts";
import { Context } from "../../../src/client/context.ts";
import { unionArrays } from "../../../src/client/resolvers.ts";
import type { GetResult } from "../../../src/client/results.ts";
import { shapeWord, unanswered, waitsWord } from "../../../src/metrics/phases.ts";
import { fastestOf } from "../../../src/version/context.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { ClientWorld, ringOf } from "../../support/client-world.ts";

function sentOf(world: ClientWorld, type: number): number {
  return world.nodes.reduce((sum, node) => sum + node.of(type).length, 0);
}

describe("get and put", () => {
  it("bring values through the codec, and keep concurrent ones apart", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: json<{ n: number }>() });
    await world.settle(bucket.put("k", { n: 1 }));
    await world.settle(bucket.put("k", { n: 2 }));
    const read = await world.settle(bucket.get("k"));
    expect(read.siblings.map(({ n }) => n).sort()).toEqual([1, 2]);
    const put = await world.settle(bucket.put("k", { n: 3 }, { context: read.context }));
    expect((await world.settle(bucket.get("k"))).siblings).toEqual([{ n: 3 }]);
    await world.settle(bucket.put("k", { n: 4 }, { context: put.context }));
    expect((await world.settle(bucket.get("k"))).siblings).toEqual([{ n: 4 }]);
  });

  it("return no siblings for a key that is not there", async () => {
    const world = new ClientWorld();
    const read = await world.settle((await world.open()).bucket("b").get("k"));
    expect(read.siblings).toEqual([]);
    expect(read.versions).toEqual([]);
    expect(read.tombstones).toBe(0);
  });

  it("tell for each value and tombstone which write it was", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: text });
    const requestId = new Uint8Array(16).fill(7);
    const { context } = await world.settle(bucket.put("k", "gone"));
    await world.settle(bucket.delete("k", { context }));
    await world.settle(bucket.put("k", "there", { requestId }));
    const read = await world.settle(bucket.get("k"));
    expect(read.siblings).toEqual(["there"]);
    expect(read.tombstones).toBe(1);
    expect(read.versions.length).toBe(2);
    const live = read.versions.find((version) => !version.tombstone);
    expect(hexOf(live?.requestId as Uint8Array)).toBe("07".repeat(16));
    expect(live?.dots.length).toBe(1);
  });

  it("copy bytes: what the application gets stays as it is", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b");
    await world.settle(bucket.put("k", Buffer.from("first")));
    const { siblings } = await world.settle(bucket.get("k"));
    for (let i = 0; i < 5; i += 1) await world.settle(bucket.put(`k${i}`, Buffer.from("other")));
    expect(Buffer.from(siblings[0] as Uint8Array).toString()).toBe("first");
  });

  it("take keys as texts or bytes, the same key either way", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: text });
    await world.settle(bucket.put("schlüssel", "x"));
    const read = await world.settle(bucket.get(Buffer.from("schlüssel")));
    expect(read.siblings).toEqual(["x"]);
  });

  it("make the receipt of what the reply says", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b");
    const acks = [1, 2 | (1 << 17), 3 | (1 << 16)];
    for (const node of world.nodes) {
      node.script = () => ({ reply: { acks, coordinator: 2, forwardedBy: 3, stalePossible: true, elapsedUs: 700 } });
    }
    const { receipt } = await world.settle(bucket.put("k", Uint8Array.of(1)));
    expect(receipt).toEqual({
      coordinator: "node-2",
      coordination: "node",
      resolver: "siblings",
      acks: [
        { node: "node-1", role: "owner", durable: false },
        { node: "node-2", role: "owner", durable: true },
        { node: "node-3", role: "fallback", durable: false },
      ],
      elapsedMs: 1.2,
      times: { coordinatorMs: 0.7, wireMs: 0.5 },
      stalePossible: true,
      hedged: false,
      forwardedBy: "node-3",
      attempts: 1,
      epoch: 1,
    });
  });

  it("tell in the receipt where the time went, as the coordinator measured it", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b");
    const slot = (number: number, place: number): number => number | ((place + 1) << 18);
    // Three slots, completed by the second, coordinated by the first; the third has not answered.
    const head = [shapeWord(3, 1, 0, false, false), 300, 40, 20, 0];
    const phases = [...head, 200, waitsWord(160, 32), 90, 500, waitsWord(0, 16), 400, unanswered, 0, 0];
    for (const node of world.nodes) {
      node.script = () => ({ reply: { acks: [slot(2, 0), slot(1, 1)], coordinator: 2, elapsedUs: 800, phases } });
    }
    const { receipt } = await world.settle(bucket.get("k"));
    expect(receipt.completedBy).toBe("node-1");
    expect(receipt.times).toMatchObject({ coordinatorMs: 0.8, queueMs: 0.3, stoodMs: 0.04, gcMs: 0.02 });
    expect(receipt.acks.map(({ node, times }) => ({ node, ...times }))).toEqual([
      { node: "node-2", answeredMs: 0.2, loopMs: 0.032, keyMs: 0.16, storageMs: 0.09 },
      { node: "node-1", answeredMs: 0.5, loopMs: 0.016, keyMs: 0, storageMs: 0.4 },
    ]);
  });

  it("send what the bucket and the call ask for", async () => {
    const world = new ClientWorld({ nodes: 1 });
    world.node(1).ring = ringOf(1, 1, 3, 16);
    const bucket = (await world.open()).bucket("b", { w: 3, durability: "durable", timeoutMs: 300 });
    await world.settle(bucket.put("k", Uint8Array.of(1), { pw: 2, dw: 1, hostConfirms: 2, strict: true, n: 3 }));
    expect(world.node(1).of(FrameType.PUT)[0]?.message).toMatchObject({
      w: 3,
      pw: 2,
      dw: 1,
      hostConfirms: 2,
      strict: true,
      n: 3,
      durability: 4,
      timeoutUs: 300_000,
      epoch: 1,
    });
    await world.settle(bucket.get("k", { r: 1, pr: 1 }));
    expect(world.node(1).of(FrameType.GET)[0]?.message).toMatchObject({ r: 1, pr: 1, strict: false });
  });
});

describe("refusals before anything is sent", () => {
  const lone = "a\ud800b";
  it.each([
    ["get", [""], "INVALID_ARGUMENT", "the key is empty; allowed: 1 to 1024 bytes"],
    ["get", ["k".repeat(1025)], "KEY_TOO_LARGE", "the key has 1025 bytes; allowed: 1 to 1024"],
    ["get", [lone], "INVALID_ARGUMENT", "the key holds half of a surrogate pair: it is no valid Unicode text"],
    ["get", [5], "INVALID_ARGUMENT", "a key is a string or a Uint8Array, not number"],
    ["get", ["k", { r: 4 }], "INVALID_ARGUMENT", "r is 4; allowed: 1 to 3 (n)"],
    ["get", ["k", { n: 2, r: 3 }], "INVALID_ARGUMENT", "r is 3; allowed: 1 to 2 (n)"],
    ["get", ["k", { n: 4 }], "INVALID_ARGUMENT", "n is 4; allowed: 1 to 3 (the bucket's n)"],
    ["get", ["k", { pr: -1 }], "INVALID_ARGUMENT", "pr is -1; allowed: 0 to 3 (n)"],
    ["get", ["k", { timeoutMs: 0 }], "INVALID_ARGUMENT", "timeoutMs is 0; allowed: 1 to 600000"],
    ["put", ["k", "no bytes"], "INVALID_ARGUMENT", "the value's bytes are string; allowed: a Uint8Array"],
    ["put", ["k", new Uint8Array(1024 * 1024 + 1)], "VALUE_TOO_LARGE", "the value has 1048577 bytes; allowed: at most"],
    ["put", ["k", new Uint8Array(1), { w: 0 }], "INVALID_ARGUMENT", "w is 0; allowed: 1 to 3 (n)"],
    ["put", ["k", new Uint8Array(1), { w: 1.5 }], "INVALID_ARGUMENT", "w is 1.5; allowed: 1 to 3 (n)"],
    ["put", ["k", new Uint8Array(1), { durability: "maybe" }], "INVALID_ARGUMENT", "no such durability: maybe"],
    ["put", ["k", new Uint8Array(1), { context: "AQ" }], "INVALID_ARGUMENT", "the context is none: pass what a get"],
    ["put", ["k", new Uint8Array(1), { requestId: new Uint8Array(15) }], "INVALID_ARGUMENT", "a request id is"],
    ["put", ["k", new Uint8Array(1), { strict: 1 }], "INVALID_ARGUMENT", "strict is 1; allowed: true, false"],
    ["delete", [""], "INVALID_ARGUMENT", "the key is empty"],
    ["update", ["", () => undefined], "INVALID_ARGUMENT", "the key is empty"],
    ["getMany", [["a", ""]], "INVALID_ARGUMENT", "the key is empty"],
    ["getMany", ["abc"], "INVALID_ARGUMENT", "the keys are string; allowed: an array"],
    ["get", ["k", { signal: {} }], "INVALID_ARGUMENT", "signal is object; allowed: an AbortSignal"],
    ["getMany", [["k"], { signal: "now" }], "INVALID_ARGUMENT", "signal is string; allowed: an AbortSignal"],
    ["get", ["k", null], "INVALID_ARGUMENT", "the options are null; allowed: an object"],
    ["put", ["k", new Uint8Array(1), 5], "INVALID_ARGUMENT", "the options are 5; allowed: an object"],
    ["update", ["k", "merge"], "INVALID_ARGUMENT", "merge is string; allowed: a function of the siblings"],
  ])("%s %j", async (method, args, code, message) => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b") as unknown as Record<
      string,
      (...args: unknown[]) => Promise<unknown>
    >;
    const before = world.nodes.reduce((sum, node) => sum + node.seen.length, 0);
    const error = await world.failure((bucket[method] as (...args: unknown[]) => Promise<unknown>).apply(bucket, args));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(world.nodes.reduce((sum, node) => sum + node.seen.length, 0)).toBe(before);
  });

  it.each([
    ["", "the bucket's name has 0 bytes of UTF-8; allowed: 1 to 255"],
    ["ü".repeat(128), "the bucket's name has 256 bytes of UTF-8; allowed: 1 to 255"],
  ])("bucket %j", async (name, message) => {
    const client = await new ClientWorld().open();
    expect(() => client.bucket(name)).toThrow(message);
  });

  it("a bucket with options or a codec that are none", async () => {
    const client = await new ClientWorld().open();
    expect(() => client.bucket("b", 5 as never)).toThrow("the bucket's options are 5; allowed: an object");
    expect(() => client.bucket("b", { codec: {} as never })).toThrow("the codec is none; allowed: an object with");
  });

  it("of values that the codec cannot write, and of stored ones that it cannot read", async () => {
    const world = new ClientWorld();
    const client = await world.open();
    const circle: { self?: unknown } = {};
    circle.self = circle;
    const objects = client.bucket("b", { codec: json<unknown>() });
    expect((await world.failure(objects.put("k", undefined))).message).toBe("undefined cannot be written as JSON");
    expect((await world.failure(objects.put("k", circle))).code).toBe("INVALID_ARGUMENT");
    const texts = client.bucket("b", { codec: text });
    expect((await world.failure(texts.put("k", lone))).message).toContain("half of a surrogate pair");
    await world.settle(client.bucket("b").put("k", Uint8Array.of(0xff)));
    expect((await world.failure(objects.get("k"))).message).toContain("a stored value is no JSON");
    expect((await world.failure(texts.get("k"))).message).toContain("no UTF-8 text");
  });
});

describe("update", () => {
  it("merges what is there and leaves one value", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: json<string[]>() });
    await world.settle(bucket.put("cart", ["book"]));
    await world.settle(bucket.put("cart", ["pen"]));
    const updated = await world.settle(bucket.update("cart", (carts) => [...unionArrays<string>()(carts), "ink"]));
    expect([...(updated.value as string[])].sort()).toEqual(["book", "ink", "pen"]);
    expect((await world.settle(bucket.get("cart"))).siblings).toEqual([updated.value]);
  });

  it("begins with no siblings, may be asynchronous, and may decide to write nothing", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: json<number>() });
    const first = await world.settle(bucket.update("k", async (siblings) => siblings.length + 1));
    expect(first.value).toBe(1);
    const puts = sentOf(world, FrameType.PUT);
    const second = await world.settle(bucket.update("k", () => undefined));
    expect(second.value).toBeUndefined();
    expect(sentOf(world, FrameType.PUT)).toBe(puts);
  });

  it("gets again when there are too many siblings, and gives up after five rounds", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: json<number>() });
    let refusals = 2;
    for (const node of world.nodes) {
      node.script = (seen) => {
        if (seen.type !== FrameType.PUT || refusals === 0) return "answer";
        refusals -= 1;
        return { error: "TOO_MANY_SIBLINGS" };
      };
    }
    await world.settle(bucket.update("k", () => 1));
    expect(sentOf(world, FrameType.GET)).toBe(3);
    refusals = 100;
    expect((await world.failure(bucket.update("k", () => 1))).code).toBe("TOO_MANY_SIBLINGS");
    expect(sentOf(world, FrameType.GET)).toBe(3 + 5);
  });

  it("repeats the same put, and not the merge, when a connection breaks", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: json<number>() });
    let cuts = 1;
    for (const node of world.nodes) {
      node.script = (seen) => {
        if (seen.type !== FrameType.PUT || cuts === 0) return "answer";
        cuts -= 1;
        return "cut";
      };
    }
    let merges = 0;
    await world.settle(
      bucket.update("k", () => {
        merges += 1;
        return merges;
      }),
    );
    expect(merges).toBe(1);
    const ids = world.nodes.flatMap((node) => node.of(FrameType.PUT).map((seen) => seen.requestId));
    expect(ids.length).toBe(2);
    expect(new Set(ids).size).toBe(1);
  });

  it("keeps to one timeout over all its steps", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: json<number>(), timeoutMs: 100 });
    for (const node of world.nodes) node.serviceUs = 60_000;
    const begun = world.now();
    expect((await world.failure(bucket.update("k", () => 1))).code).toBe("DEADLINE_EXCEEDED");
    expect(world.now() - begun).toBeLessThan(110_000);
  });

  it("rejects with what the merge throws", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: json<number>() });
    const update = bucket.update("k", () => {
      throw new Error("no merge");
    });
    expect((await world.failure(update)).message).toBe("no merge");
  });
});

describe("delete", () => {
  it("takes away what was read, by its context or by a get of its own", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: text });
    await world.settle(bucket.put("k", "x"));
    const { context } = await world.settle(bucket.get("k"));
    await world.settle(bucket.delete("k", { context }));
    expect((await world.settle(bucket.get("k"))).siblings).toEqual([]);
    await world.settle(bucket.put("k", "y"));
    await world.settle(bucket.delete("k"));
    const read = await world.settle(bucket.get("k"));
    expect(read.siblings).toEqual([]);
    expect(read.tombstones).toBe(1);
  });

  it("writes nothing where there is no value", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b");
    await world.settle(bucket.delete("k"));
    expect(sentOf(world, FrameType.DELETE)).toBe(0);
  });
});

describe("getMany", () => {
  async function filled(): Promise<{ world: ClientWorld; bucket: ReturnType<typeof textBucket> }> {
    const world = new ClientWorld({ nodes: 6, n: 3 });
    const bucket = textBucket(await world.open());
    for (let i = 0; i < 60; i += 1) await world.settle(bucket.put(`k${i}`, `v${i}`));
    for (const node of world.nodes) node.seen.length = 0;
    return { world, bucket };
  }

  function textBucket(client: Awaited<ReturnType<ClientWorld["open"]>>) {
    return client.bucket("b", { codec: text });
  }

  const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);

  function valuesOf(results: readonly (GetResult<string> | RingtailError)[]): readonly (string | undefined)[] {
    return results.map((result) => (result instanceof RingtailError ? result.code : result.siblings[0]));
  }

  it("asks each node once, only for keys it owns, and answers in the order of the keys", async () => {
    const { world, bucket } = await filled();
    const ring = ringOf(1, 6, 3, 16);
    const results = await world.settle(bucket.getMany([...keys, "absent", "k3"]));
    expect(valuesOf(results)).toEqual([...keys.map((key) => key.replace("k", "v")), undefined, "v3"]);
    expect(sentOf(world, FrameType.GET)).toBe(0);
    for (const node of world.nodes) {
      expect(node.of(FrameType.MULTI_GET).length).toBeLessThanOrEqual(1);
      for (const seen of node.seen) {
        for (const key of seen.message.keys ?? []) {
          expect(world.ownersOf(ring, "b", new TextDecoder().decode(key))).toContain(node.number);
        }
      }
    }
  });

  it("puts at most 256 keys into a frame", async () => {
    const world = new ClientWorld({ nodes: 1 });
    const bucket = textBucket(await world.open());
    const many = Array.from({ length: 1000 }, (_, i) => `m${i}`);
    const results = await world.settle(bucket.getMany(many));
    expect(results.length).toBe(1000);
    const sizes = world
      .node(1)
      .of(FrameType.MULTI_GET)
      .map((seen) => seen.message.keys?.length);
    expect(sizes).toEqual([256, 256, 256, 232]);
  });

  it("gets by itself what did not fit or failed, and leaves the other keys alone", async () => {
    const { world, bucket } = await filled();
    for (const node of world.nodes) {
      node.script = (seen) => {
        if (seen.type === FrameType.GET) return seen.key === "k9" ? { error: "STORAGE_FAILED" } : "answer";
        const results = (seen.message.keys ?? []).map((key) => {
          const name = new TextDecoder().decode(key);
          const found = world.stored(seen.message.bucket as Uint8Array, key, node.number);
          if (name === "k5") return { askAlone: true };
          if (name === "k7" || name === "k9") return { status: 4 };
          return name === "k8" ? { status: 1 } : found;
        });
        return { reply: { results } };
      };
    }
    const results = await world.settle(bucket.getMany(keys));
    const expected: (string | undefined)[] = keys.map((key) => key.replace("k", "v"));
    expected[8] = "INVALID_ARGUMENT";
    expected[9] = "STORAGE_FAILED";
    expect(valuesOf(results)).toEqual(expected);
    const alone = world.nodes.flatMap((node) => node.of(FrameType.GET).map((seen) => seen.key));
    expect([...new Set(alone)].sort()).toEqual(["k5", "k7", "k9"]);
  });

  it("tries a whole frame at another node when the connection breaks", async () => {
    const { world, bucket } = await filled();
    let cuts = 1;
    for (const node of world.nodes) {
      node.script = () => {
        cuts -= 1;
        return cuts === 0 ? "cut" : "answer";
      };
    }
    expect(valuesOf(await world.settle(bucket.getMany(keys)))).toEqual(keys.map((key) => key.replace("k", "v")));
  });

  it("gives an error to each key of a node that does not answer in time, and values to the others", async () => {
    const { world, bucket } = await filled();
    world.node(1).script = () => "ignore";
    const results = await world.settle(bucket.getMany(keys, { timeoutMs: 50 }));
    const late = valuesOf(results).filter((value) => value === "DEADLINE_EXCEEDED").length;
    expect(late).toBe(world.node(1).of(FrameType.MULTI_GET)[0]?.message.keys?.length);
    expect(late).toBeLessThan(60);
  });

  it("of no keys is an empty list; an abort ends it", async () => {
    const { world, bucket } = await filled();
    expect(await world.settle(bucket.getMany([]))).toEqual([]);
    for (const node of world.nodes) node.script = () => "ignore";
    const controller = new AbortController();
    const call = bucket.getMany(keys, { signal: controller.signal });
    await world.run(1_000);
    controller.abort(new Error("enough"));
    expect((await world.failure(call)).message).toBe("enough");
  });
});

describe("contexts", () => {
  it("survive as text, and name the node that answered first", async () => {
    const world = new ClientWorld();
    const bucket = (await world.open()).bucket("b", { codec: text });
    await world.settle(bucket.put("k", "x"));
    const { context } = await world.settle(bucket.get("k"));
    const again = Context.parse(String(context));
    expect(again.bytes).toEqual(context.bytes);
    expect(String(context)).toMatch(/^[\w-]+$/);
    expect(String(context)).toBe(Buffer.from(context.bytes).toString("base64url"));
    expect(JSON.stringify({ context })).toBe(`{"context":"${context}"}`);
    expect([1, 2, 3]).toContain(fastestOf(context.bytes));
  });

  it.each([0, 1, 2, 3, 4, 5, 16, 17, 28])("of %i bytes come back from their text", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 89 + 200) & 0xff);
    expect(Context.parse(Context.of(bytes).toString()).bytes).toEqual(bytes);
    expect(Context.of(bytes).toString()).toBe(Buffer.from(bytes).toString("base64url"));
  });

  it.each(["a", "ab$d", "a b c", undefined as never, 5 as never])("are not made of %j", (given) => {
    expect(() => Context.parse(given)).toThrow("not a context");
  });

  it("copy their bytes", () => {
    const bytes = Buffer.from([1, 2, 3]);
    const context = Context.of(bytes);
    bytes[0] = 9;
    expect(context.bytes[0]).toBe(1);
  });

  it("longer than any node makes are refused", () => {
    expect(() => Context.of(new Uint8Array(8193))).toThrow("the context has 8193 bytes; allowed: at most 8192");
  });
});
