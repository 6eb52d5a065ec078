/**
 * Buckets where the last write wins, and gets that the client coordinates itself, on real processes: the command that sets
 * the policy, what gets show before and after, and both ways of coordination beside each other.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { text } from "../../src/index.ts";
import { cleanUp, jsonOf, type NodeProcess, signal, UpCluster, waitFor } from "../support/e2e.ts";

let cluster: UpCluster;
beforeAll(async () => {
  cluster = await UpCluster.start({ flags: ["--no-restart", "--durability", "buffered"] });
});
afterEach(() => cluster.disconnect());
afterAll(cleanUp);

describe("ringtail bucket", () => {
  it("refuses what makes no sense, with one line each", async () => {
    const refusals: readonly (readonly [readonly string[], RegExp])[] = [
      [["set", "b", "--resolver", "newest"], /no such resolver: newest \(siblings, lww\)/],
      [["set", "b", "--w", "4"], /--w is 4; allowed: a whole number, 1 to 3/],
      [["set", "b", "--n", "2", "--r", "1", "--w", "1"], /n is 2; allowed: 3 \(the bucket's n is fixed\)/],
      [["set", "b", "--n", "2"], /n of the policy|r of the policy|n is 2/],
      [["set", "b"], /nothing is to be changed/],
      [["set", "b".repeat(256), "--resolver", "lww"], /256 bytes/],
    ];
    for (const [args, message] of refusals) {
      const ended = await cluster.run(["bucket", ...args]);
      expect(ended.status, args.join(" ")).toBeGreaterThan(1);
      expect(ended.stderr).toMatch(message);
      expect(ended.stderr.trim().split("\n").length).toBe(1);
    }
  });

  it("sets a policy, lists it, and every node goes by it", async () => {
    const set = await cluster.run(["bucket", "set", "sessions", "--resolver", "lww", "--json"]);
    expect(jsonOf(set)).toMatchObject({ policy: { name: "sessions", n: 3, r: 2, w: 2, resolver: "lww", version: 2 } });
    const listed = jsonOf(await cluster.run(["bucket", "list", "--json"])) as { buckets: { name: string }[] };
    expect(listed.buckets.map(({ name }) => name)).toEqual(["", "sessions"]);
    const shown = jsonOf(await cluster.run(["bucket", "show", "sessions", "--json"])) as { policy: object };
    expect(shown.policy).toMatchObject({ name: "sessions", resolver: "lww" });
    expect((await cluster.run(["bucket", "show", "another"])).stdout).toMatch(/\(all others\) +3 +2 +2/);
    const again = await cluster.run(["bucket", "create", "sessions", "--r", "1"]);
    expect(again.stderr).toContain("sessions has a policy already: use bucket set");
    expect((await cluster.run(["bucket", "create", "plain"])).status).toBe(0);
    expect((await cluster.run(["bucket", "show", "plain"])).stdout).toMatch(/plain +3 +2 +2 +\S+ +siblings/);
    expect((await cluster.run(["bucket", "list"])).stdout).toMatch(/sessions +3 +2 +2 +buffered +lww/);
  });
});

describe("a bucket where the last write wins", () => {
  it("shows one value, the last, without any context; a delete wins too; and says so in its receipts", async () => {
    const bucket = (await cluster.connect({ coordination: "node" })).bucket("sessions", { codec: text });
    for (let i = 1; i <= 20; i += 1) {
      const { receipt } = await bucket.put("alice", `value ${i}`);
      expect(receipt.resolver).toBe("lww");
      expect((await bucket.get("alice")).siblings).toEqual([`value ${i}`]);
    }
    await bucket.delete("alice");
    expect((await bucket.get("alice", { r: 3 })).siblings).toEqual([]);
    await bucket.put("alice", "again");
    expect((await bucket.get("alice", { r: 3 })).siblings).toEqual(["again"]);
  });

  it("keeps one of many concurrent writes, the same at every node", async () => {
    const bucket = (await cluster.connect({ coordination: "node" })).bucket("sessions", { codec: text });
    await Promise.all(Array.from({ length: 30 }, (_, i) => bucket.put("bob", `value ${i}`)));
    const { siblings } = await bucket.get("bob", { r: 3 });
    expect(siblings.length).toBe(1);
    for (let i = 0; i < 10; i += 1) expect((await bucket.get("bob", { r: 3 })).siblings).toEqual(siblings);
  });

  it("takes over siblings that are there: one is shown, and the next put replaces all; and back again", async () => {
    const bucket = (await cluster.connect({ coordination: "node" })).bucket("moving", { codec: text });
    await bucket.put("k", "one");
    await bucket.put("k", "two");
    expect((await bucket.get("k")).siblings.length).toBe(2);
    expect((await cluster.run(["bucket", "set", "moving", "--resolver", "lww"])).status).toBe(0);
    await waitFor("the switch", async () => (await bucket.get("k")).siblings.length === 1);
    await waitFor("every node's switch", async () => (await bucket.put("other", "x")).receipt.resolver === "lww");
    await bucket.put("k", "three");
    expect((await bucket.get("k", { r: 3 })).siblings).toEqual(["three"]);
    expect((await cluster.run(["bucket", "set", "moving", "--resolver", "siblings"])).status).toBe(0);
    await waitFor("the switch back", async () => (await bucket.get("k")).receipt.resolver === "siblings");
    const { siblings, context } = await bucket.get("k", { r: 3 });
    expect(siblings).toEqual(["three"]);
    await bucket.put("k", "four", { context });
    expect((await bucket.get("k", { r: 3 })).siblings).toEqual(["four"]);
  });
});

describe("gets that the client coordinates", () => {
  it("find what is there, siblings and all, and their context replaces it", async () => {
    const bucket = (await cluster.connect({ coordination: "client" })).bucket("carts", { codec: text });
    await bucket.put("k", "one");
    await bucket.put("k", "two");
    const found = await waitFor("connections to all owners", async () => {
      const one = await bucket.get("k");
      return one.receipt.coordination === "client" && one;
    });
    expect(found.siblings.toSorted()).toEqual(["one", "two"]);
    expect(found.receipt.acks.length).toBe(2);
    await bucket.put("k", "three", { context: found.context });
    expect((await bucket.get("k")).siblings).toEqual(["three"]);
    expect((await bucket.get("no such key")).siblings).toEqual([]);
  });

  it("are a node's while an owner is away", async () => {
    const bucket = (await cluster.connect({ coordination: "client" })).bucket("carts", { codec: text });
    await bucket.put("stays", "here");
    await waitFor("own coordination", async () => (await bucket.get("stays")).receipt.coordination === "client");
    signal((cluster.nodes[2] as NodeProcess).pid, "SIGKILL");
    for (let i = 0; i < 20; i += 1) expect((await bucket.get("stays")).siblings).toEqual(["here"]);
    await waitFor("a node", async () => (await bucket.get("stays")).receipt.coordination === "node");
  });
});
