/**
 * A rolling restart of all nodes under load (issue 3): each is stopped by SIGTERM and started again, one after the other.
 * With N=3, R=W=2 no operation of the SDK fails, none is stale, and no acknowledged write is lost.
 */
import { afterAll, expect, it } from "vitest";
import { CheckedLoad } from "../support/checked-load.ts";
import { cleanUp } from "../support/e2e.ts";
import { ServeCluster } from "../support/serve-cluster.ts";

afterAll(cleanUp);

it("all nodes are restarted under load: no operation fails", async () => {
  const cluster = await ServeCluster.start({ nodes: 3, nodesMax: 3, flags: ["--partitions", "64"] });
  const load = await CheckedLoad.start(cluster.addresses, "rolling");
  await load.more(500);
  console.info("before", load.takeStretch());
  for (const node of cluster.nodes) {
    const ended = await node.process.stop("SIGTERM");
    expect(ended.status, ended.stderr).toBe(0);
    await load.more(200);
    await cluster.startAgain(node);
    await load.more(200);
    console.info(node.name, load.takeStretch());
  }
  await load.stop();
  expect(Object.fromEntries(load.errors)).toEqual({});
  expect(load.stale).toEqual([]);
  for (const address of cluster.addresses) expect(await load.findLost(address, 3), address).toEqual([]);
});
