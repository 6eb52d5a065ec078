/**
 * `ringtail/testing` as other people's tests use it: from the sources here, and as the built package in a process of its
 * own, by the names that its package.json exports. When everything is closed, such a process must end by itself.
 */
import { existsSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { RingtailError, text } from "../../src/index.ts";
import { type LocalCluster, startLocalCluster } from "../../src/testing/index.ts";
import { Background, cleanUp, readyMs, root, temporaryDirectory, waitFor } from "../support/e2e.ts";

const clusters: LocalCluster[] = [];
afterAll(async () => {
  for (const cluster of clusters) await cluster.close();
  await cleanUp();
});

async function newCluster(options: Parameters<typeof startLocalCluster>[0] = {}): Promise<LocalCluster> {
  const cluster = await startLocalCluster({ durability: "buffered", ...options });
  clusters.push(cluster);
  return cluster;
}

describe("a cluster in this process", () => {
  it("serves, survives the stop of a node, and refuses nothing after close that it should not", async () => {
    const cluster = await newCluster();
    expect(cluster.nodes.map((node) => node.isRunning)).toEqual([true, true, true]);
    expect(new Set(cluster.seedNodes).size).toBe(3);
    const client = await cluster.connect();
    const bucket = client.bucket("b", { codec: text });
    await bucket.put("k", "one");
    const stopped = cluster.nodes[1] as LocalCluster["nodes"][number];
    await stopped.stop();
    expect(stopped.isRunning).toBe(false);
    await bucket.update("k", () => "two");
    await stopped.start();
    expect((await bucket.get("k", { r: 2 })).siblings).toEqual(["two"]);
    await cluster.close();
    await cluster.close();
    await expect(bucket.get("k")).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
    await expect(cluster.connect()).rejects.toMatchObject({ code: "CLIENT_CLOSED" });
  });

  it("keeps the data in a directory that it was given, under the same addresses", async () => {
    const dir = temporaryDirectory();
    const first = await newCluster({ dir, nodes: 1 });
    await (await first.connect()).bucket("b", { codec: text }).put("k", "kept");
    await first.close();
    expect(existsSync(dir)).toBe(true);
    const second = await newCluster({ dir, nodes: 1 });
    expect(second.seedNodes).toEqual(first.seedNodes);
    expect((await (await second.connect()).bucket("b", { codec: text }).get("k")).siblings).toEqual(["kept"]);
    await second.close();
    await expect(startLocalCluster({ dir, nodes: 2 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("refuses options that make no sense, and leaves nothing behind", async () => {
    const one = [{ nodes: 0 }, { nodes: 17 }, { nodes: 1.5 }, { n: 2, w: 3 }, { partitions: 9 }, { n: 9 }, { dir: "" }];
    for (const wrong of one) {
      const refused = await startLocalCluster(wrong).then(
        () => null,
        (error: unknown) => error,
      );
      expect(refused, JSON.stringify(wrong)).toBeInstanceOf(RingtailError);
      expect((refused as RingtailError).code).toBe("INVALID_ARGUMENT");
    }
    await expect(startLocalCluster({ dir: "/dev/null/x" })).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });
});

const byPackageName = `
import { json, RingtailClient, RingtailError } from "ringtail";
import { startLocalCluster } from "ringtail/testing";

const cluster = await startLocalCluster();
const client = await RingtailClient.connect({ seedNodes: cluster.seedNodes });
const carts = client.bucket("carts", { codec: json() });
await carts.put("user:42", { items: ["book"] });
const { siblings, context } = await carts.get("user:42");
await carts.put("user:42", { items: ["book", "pen"] }, { context });
await carts.update("user:42", ([cart]) => ({ items: [...cart.items, "ink"] }));
const result = await carts.get("user:42");
const many = await carts.getMany(["user:42", "user:43"]);
await carts.delete("user:42", { context: result.context });
const gone = await carts.get("user:42");
const refused = await carts.get("").catch((error) => error);
await client.close();
await cluster.close();
console.log(JSON.stringify({
  siblings, result: result.siblings, many: many.map((one) => one.siblings.length), gone: gone.siblings,
  refused: refused instanceof RingtailError && refused.code, acks: result.receipt.acks.length >= 2,
}));
`;

it("by the names of the package, from dist: the README's first steps, and the process ends by itself", async () => {
  const running = new Background(["--input-type=module", "--eval", byPackageName], { cwd: root });
  await waitFor("the end of the process", () => running.hasEnded, readyMs);
  const { status, stdout, stderr } = await running.ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(JSON.parse(stdout)).toEqual({
    siblings: [{ items: ["book"] }],
    result: [{ items: ["book", "pen", "ink"] }],
    many: [1, 0],
    gone: [],
    refused: "INVALID_ARGUMENT",
    acks: true,
  });
});
