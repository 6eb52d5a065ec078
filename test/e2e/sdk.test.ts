/**
 * The SDK against real processes: codecs, siblings, updates by many writers at once, many keys at once, deadlines with a
 * node that hangs, and the errors that an application may see.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import {
  Context,
  type GetResult,
  json,
  maxBy,
  mergeMaps,
  type RingtailClient,
  RingtailError,
  text,
  unionArrays,
} from "../../src/index.ts";
import { cleanUp, freePorts, logOf, type NodeProcess, signal, UpCluster } from "../support/e2e.ts";

let cluster: UpCluster;
beforeAll(async () => {
  cluster = await UpCluster.start({ flags: ["--no-restart", "--durability", "buffered"] });
});
afterEach(() => cluster.disconnect());
afterAll(cleanUp);

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | "none"> {
  try {
    await call;
    return "none";
  } catch (error) {
    if (!(error instanceof RingtailError)) throw error;
    expect(error.message).toMatch(/\S/);
    return error.code;
  }
}

/** A result that must not be an error. */
function found<T>(result: GetResult<T> | RingtailError | undefined): GetResult<T> {
  if (result === undefined || result instanceof RingtailError) throw result ?? new Error("no result");
  return result;
}

describe("values and siblings", () => {
  it("codecs: bytes as they are, text, JSON; keys as text or bytes", async () => {
    const client = await cluster.connect();
    const raw = client.bucket("raw");
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    await raw.put(every, every);
    expect((await raw.get(every)).siblings).toEqual([every]);

    const texts = client.bucket("texts", { codec: text });
    await texts.put("ключ", "värde ☕");
    expect((await texts.get(new TextEncoder().encode("ключ"))).siblings).toEqual(["värde ☕"]);

    const carts = client.bucket("carts", { codec: json<{ items: string[] }>() });
    await carts.put("alice", { items: ["book"] });
    expect((await carts.get("alice")).siblings).toEqual([{ items: ["book"] }]);
    // Buckets are apart, even under one key.
    expect((await texts.get("alice")).siblings).toEqual([]);
  });

  it("blind puts are siblings; a context replaces exactly what was read; a delete spares what it has not read", async () => {
    const bucket = (await cluster.connect()).bucket("siblings", { codec: text });
    const [first] = await Promise.all(["a", "b", "c"].map((value) => bucket.put("k", value)));
    const three = await bucket.get("k");
    expect([...three.siblings].sort()).toEqual(["a", "b", "c"]);
    expect(new Set(three.versions.map(({ requestId }) => Buffer.from(requestId).toString("hex"))).size).toBe(3);

    await bucket.put("k", "d", { context: (first as { context: Context }).context });
    const stillThere = (await bucket.get("k")).siblings;
    expect(stillThere).toContain("d");
    expect(stillThere).not.toContain("a");

    const merged = await bucket.put("k", "merged", { context: Context.parse(String((await bucket.get("k")).context)) });
    await bucket.put("k", "late", { context: three.context });
    await bucket.delete("k", { context: merged.context });
    expect((await bucket.get("k")).siblings).toEqual(["late"]);
  });

  it("a put that is repeated under its request id is one write", async () => {
    const bucket = (await cluster.connect()).bucket("retries", { codec: text });
    const requestId = Uint8Array.from({ length: 16 }, (_, i) => i);
    await Promise.all([1, 2, 3].map(() => bucket.put("k", "once", { requestId })));
    expect((await bucket.get("k", { r: 3 })).siblings).toEqual(["once"]);
  });

  it("more siblings than allowed are refused, and an update heals the key", async () => {
    const bucket = (await cluster.connect()).bucket("crowd", { codec: text });
    for (let i = 0; i < 64; i += 1) await bucket.put("k", `${i}`, { w: 3 });
    expect(await codeOf(bucket.put("k", "one too many"))).toBe("TOO_MANY_SIBLINGS");
    expect((await bucket.get("k")).siblings).toHaveLength(64);
    await bucket.update("k", (siblings) => `${siblings.length} merged`);
    expect((await bucket.get("k")).siblings).toEqual(["64 merged"]);
  });

  it("receipts name the nodes that answered, and add up", async () => {
    const bucket = (await cluster.connect()).bucket("receipts", { codec: text });
    const { receipt } = await bucket.put("k", "v", { w: 3, durability: "durable", dw: 3 });
    expect(receipt.acks.map(({ node }) => node).sort()).toEqual(["n1", "n2", "n3"]);
    for (const ack of receipt.acks) expect(ack).toMatchObject({ role: "owner", durable: true });
    expect(receipt.elapsedMs).toBeGreaterThanOrEqual(receipt.times.coordinatorMs);
    expect(receipt).toMatchObject({ stalePossible: false, epoch: 1 });
    expect(receipt.acks.map(({ node }) => node)).toContain(receipt.completedBy);
    const answered = receipt.acks.map(({ times }) => times?.answeredMs ?? Number.NaN);
    expect(Math.max(...answered)).toBeLessThanOrEqual(receipt.times.coordinatorMs);
    expect(Math.min(...answered)).toBeGreaterThanOrEqual(0);
    expect((await bucket.get("k", { r: 1 })).receipt).toMatchObject({ stalePossible: true });
  });
});

describe("updates by eight writers at once", () => {
  const writers = 8;
  const rounds = 20;
  const each = Array.from({ length: writers }, (_, i) => `writer-${i}`);

  it("a counter with a place for each writer, merged by the greatest, ends exact", async () => {
    const merge = mergeMaps(maxBy((count: number) => count));
    const count = async (writer: string): Promise<void> => {
      const counters = (await cluster.connect()).bucket("counters", { codec: json<Record<string, number>>() });
      for (let i = 0; i < rounds; i += 1) {
        await counters.update(
          "visits",
          (siblings) => {
            const counts = merge(siblings);
            return { ...counts, [writer]: (counts[writer] ?? 0) + 1 };
          },
          { timeoutMs: 20_000 },
        );
      }
    };
    await Promise.all(each.map(count));
    const { siblings } = await (await cluster.connect())
      .bucket("counters", { codec: json<Record<string, number>>() })
      .get("visits");
    expect(merge(siblings)).toEqual(Object.fromEntries(each.map((writer) => [writer, rounds])));
  });

  it("a set that only grows loses no element", async () => {
    const union = unionArrays<string>();
    const client = await cluster.connect();
    const sets = client.bucket("sets", { codec: json<string[]>() });
    const add = async (writer: string): Promise<void> => {
      for (let i = 0; i < rounds; i += 1) {
        await sets.update("all", (siblings) => [...union(siblings), `${writer}/${i}`], { timeoutMs: 20_000 });
      }
    };
    await Promise.all(each.map(add));
    const elements = union((await sets.get("all")).siblings);
    expect(elements).toHaveLength(writers * rounds);
    // One more update, and a single value is left.
    await sets.update("all", (siblings) => union(siblings));
    expect((await sets.get("all")).siblings).toHaveLength(1);
  });
});

describe("many keys at once", () => {
  it("300 keys, some missing and some large, each with its own result, in order", async () => {
    const many = (await cluster.connect()).bucket("many");
    const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);
    const isMissing = (i: number): boolean => i % 7 === 0;
    const sizeOf = (i: number): number => (i % 30 === 1 ? 1024 * 1024 : i);
    const bytesAt = (i: number): Uint8Array => Buffer.alloc(sizeOf(i), i);
    const options = { timeoutMs: 20_000 };
    for (const [i, key] of keys.entries()) if (!isMissing(i)) await many.put(key, bytesAt(i), options);
    const results = await many.getMany(keys, options);
    expect(results).toHaveLength(keys.length);
    for (const [i, result] of results.entries()) {
      const { siblings, receipt } = found(result);
      expect(siblings.length, keys[i]).toBe(isMissing(i) ? 0 : 1);
      if (!isMissing(i)) expect(Buffer.compare(siblings[0] as Uint8Array, bytesAt(i)), keys[i]).toBe(0);
      expect(receipt.acks.length).toBeGreaterThanOrEqual(2);
    }
    // A context from there is as good as one from a get.
    await many.put("key-1", Buffer.from("new"), { context: found(results[1]).context });
    expect((await many.get("key-1")).siblings.map(String)).toEqual(["110,101,119"]);
  });

  it("a burst of large gets is answered, or refused as too much; no link breaks over it", async () => {
    const large = (await cluster.connect()).bucket("burst", { timeoutMs: 20_000 });
    await large.put("k", Buffer.alloc(1024 * 1024, 7));
    const codes = await Promise.all(Array.from({ length: 100 }, () => codeOf(large.get("k"))));
    expect(codes.filter((code) => code !== "none" && code !== "OVERLOADED")).toEqual([]);
    expect(codes).toContain("none");
    for (const node of cluster.nodes) {
      const broken = logOf(node).filter(({ msg }) => msg === "peer lost" || msg === "connection dropped");
      expect(broken, node.name).toEqual([]);
    }
    expect(await codeOf(large.get("small"))).toBe("none");
  });

  it("none, one key twice, and a key that may not be", async () => {
    const many = (await cluster.connect()).bucket("many", { codec: text });
    await many.put("twice", "v");
    expect(await many.getMany([])).toEqual([]);
    expect((await many.getMany(["twice", "twice"])).map((result) => found(result).siblings)).toEqual([["v"], ["v"]]);
    expect(await codeOf(many.getMany(["ok", ""]))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(many.getMany(["ok", "k".repeat(1025)]))).toBe("KEY_TOO_LARGE");
  });
});

describe("errors", () => {
  it("of arguments: each says what is allowed, and nothing is sent", async () => {
    const client = await cluster.connect();
    const bucket = client.bucket("errors", { codec: text });
    expect(await codeOf(bucket.put("k".repeat(1025), "v"))).toBe("KEY_TOO_LARGE");
    expect(await codeOf(bucket.put("é".repeat(513), "v"))).toBe("KEY_TOO_LARGE");
    expect(await codeOf(bucket.put("k".repeat(1024), "v"))).toBe("none");
    expect(await codeOf(bucket.put("k", "v".repeat(1024 * 1024 + 1)))).toBe("VALUE_TOO_LARGE");
    expect(await codeOf(bucket.get(""))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(bucket.get("\ud800"))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(bucket.get(7 as never))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(bucket.put("k", undefined as never))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(bucket.put("k", "v", { context: "text" as never }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(bucket.put("k", "v", { requestId: new Uint8Array(15) }))).toBe("INVALID_ARGUMENT");
    for (const wrong of [{ r: 0 }, { r: 4 }, { n: 4 }, { n: 2, r: 3 }, { timeoutMs: 0 }, { timeoutMs: Number.NaN }]) {
      expect(await codeOf(bucket.get("k", wrong)), JSON.stringify(wrong)).toBe("INVALID_ARGUMENT");
    }
    expect(() => client.bucket("")).toThrow(RingtailError);
    expect(() => client.bucket("b".repeat(256))).toThrow(/allowed: 1 to 255/);
    expect(() => client.bucket("b", { w: 9 })).toThrow(/w is 9; allowed: 1 to 3/);
  });

  it("of names: an option that there is not, or not for this call, is never ignored", async () => {
    const client = await cluster.connect();
    const bucket = client.bucket("errors", { codec: text });
    const { context } = await bucket.put("named", "v");
    const unknown = { timeout: 5 } as object;
    const said = /^the options have no timeout; allowed: n, r, w, .*timeoutMs/;
    await expect(bucket.get("named", unknown)).rejects.toThrow(said);
    await expect(bucket.getMany(["named"], unknown)).rejects.toThrow(said);
    await expect(bucket.put("named", "w", unknown)).rejects.toThrow(said);
    await expect(bucket.delete("named", unknown)).rejects.toThrow(said);
    await expect(bucket.update("named", () => "w", unknown)).rejects.toThrow(said);
    // An update reads for itself: a context from outside would count for nothing.
    await expect(bucket.update("named", () => "w", { context } as object)).rejects.toThrow(/have no context/);
    await expect(bucket.get("named", JSON.parse('{"toString": 1}'))).rejects.toThrow(/have no toString/);
    expect((await bucket.get("named", { r: undefined, timeoutMs: 5000 })).siblings).toEqual(["v"]);
    expect(() => client.bucket("b", { codecs: text } as object)).toThrow(
      /the bucket's options have no codecs; allowed: /,
    );
    const connecting = cluster.connect({ seedNode: "127.0.0.1:1" } as object);
    await expect(connecting).rejects.toThrow(/have no seedNode; allowed: seedNodes, /);
  });

  it("a context of another key is refused by the node", async () => {
    const bucket = (await cluster.connect()).bucket("errors", { codec: text });
    const { context } = await bucket.put("mine", "v");
    expect(await codeOf(bucket.put("other", "v", { context }))).toBe("INVALID_ARGUMENT");
    expect((await bucket.get("other")).siblings).toEqual([]);
  });

  it("of connecting: another cluster, nobody there, nonsense", async () => {
    const nobody = `127.0.0.1:${await freePorts(1)}`;
    expect(await codeOf(cluster.connect({ clusterId: "00".repeat(16) }))).toBe("WRONG_CLUSTER");
    expect(await codeOf(cluster.connect({ seedNodes: [nobody] }))).toBe("CONNECTION_LOST");
    expect(await codeOf(cluster.connect({ seedNodes: [] }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(cluster.connect({ seedNodes: ["nowhere"] }))).toBe("INVALID_ARGUMENT");
    expect(await codeOf(cluster.connect({ clusterId: "zz" }))).toBe("INVALID_ARGUMENT");
    // A dead seed node does not matter as long as one answers.
    const client = await cluster.connect({ seedNodes: [nobody, cluster.addresses[2] as string] });
    expect(await codeOf(client.bucket("errors").get("k"))).toBe("none");
    expect(client.ring.members.map(({ name }) => name).sort()).toEqual(["n1", "n2", "n3"]);
  });

  it("after close, and when a signal is aborted", async () => {
    const client = await cluster.connect();
    const bucket = client.bucket("errors", { codec: text });
    const reason = new Error("changed my mind");
    await expect(bucket.get("k", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const pending = bucket.put("k", "v", { signal: controller.signal });
    controller.abort(reason);
    await expect(pending).rejects.toBe(reason);
    await client.close();
    expect(await codeOf(bucket.get("k"))).toBe("CLIENT_CLOSED");
    await client.close();
  });
});

describe("nodes that hang or are gone (last: they stay so)", () => {
  /** Gets and puts over many keys, so that every node would be the coordinator of some. */
  async function workload(client: RingtailClient, name: string, timeoutMs: number): Promise<ErrorCode[]> {
    const bucket = client.bucket(name, { codec: text, timeoutMs });
    const codes: ErrorCode[] = [];
    let next = 0;
    // As many at once as a client may retry at once (client/retry.ts).
    const work = async (): Promise<void> => {
      for (let i = next; i < 100; i = next) {
        next += 1;
        for (const call of [() => bucket.put(`k${i}`, "v"), () => bucket.get(`k${i}`)]) {
          const code = await codeOf(call());
          if (code !== "none") codes.push(code);
        }
      }
    };
    await Promise.all(Array.from({ length: 32 }, work));
    return codes;
  }

  async function pausing(node: NodeProcess, work: () => Promise<void>): Promise<void> {
    signal(node.pid, "SIGSTOP");
    try {
      await work();
    } finally {
      signal(node.pid, "SIGCONT");
    }
  }

  it("one of three hangs: gets and puts with W=2 still succeed, for a client that knows it and for a new one", async () => {
    const client = await cluster.connect();
    expect(await workload(client, "before", 5_000)).toEqual([]);
    await pausing(cluster.node("n2"), async () => {
      expect(await workload(client, "hang", 3_000)).toEqual([]);
      const seedNodes = [cluster.node("n1").address, cluster.node("n3").address];
      expect(await workload(await cluster.connect({ seedNodes }), "new", 3_000)).toEqual([]);
    });
    expect(await workload(client, "after", 5_000)).toEqual([]);
    for (const name of ["before", "hang", "new", "after"]) {
      const bucket = client.bucket(name, { codec: text });
      const results = await bucket.getMany(Array.from({ length: 100 }, (_, i) => `k${i}`));
      for (const result of results) expect(found(result).siblings).toEqual(["v"]);
    }
  });

  it("with w=3 a hanging node costs the deadline, and no longer; what was written may be there", async () => {
    const bucket = (await cluster.connect()).bucket("strict", { codec: text });
    await pausing(cluster.node("n3"), async () => {
      const began = Date.now();
      const codes = await Promise.all(
        [1, 2, 3, 4].map((i) => codeOf(bucket.put(`k${i}`, "v", { w: 3, timeoutMs: 700 }))),
      );
      expect(Date.now() - began).toBeLessThan(5_000);
      for (const code of codes) expect(["DEADLINE_EXCEEDED", "QUORUM_NOT_MET"]).toContain(code);
    });
  });

  it("two of three are gone: puts end in QUORUM_NOT_MET, a get with r=1 still answers", async () => {
    const bucket = (await cluster.connect()).bucket("gone", { codec: text });
    await bucket.put("k", "v", { w: 3 });
    signal(cluster.node("n2").pid, "SIGKILL");
    signal(cluster.node("n3").pid, "SIGKILL");
    await cluster.process.line(/^n2 was killed/);
    await cluster.process.line(/^n3 was killed/);
    expect(["QUORUM_NOT_MET", "CONNECTION_LOST"]).toContain(await codeOf(bucket.put("k", "w")));
    expect(await codeOf(bucket.put("k2", "w"))).toBe("QUORUM_NOT_MET");
    expect((await bucket.get("k", { r: 1 })).siblings).toContain("v");
  });
});
