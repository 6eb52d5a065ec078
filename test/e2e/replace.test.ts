/**
 * A node is killed and its disk is gone; a new one replaces it, at an address of its own or at the old one, under load
 * (issue 3): no acknowledged write is lost, and at the end the new node holds all that the old one held.
 */
import { afterAll, expect, it } from "vitest";
import { CheckedLoad } from "../support/checked-load.ts";
import { cleanUp } from "../support/e2e.ts";
import { isReady, ServeCluster } from "../support/serve-cluster.ts";

afterAll(cleanUp);

const boundMs = 60_000;
/** What an operation may end in when a node dies under it. */
const allowedErrors = ["DEADLINE_EXCEEDED", "CONNECTION_LOST", "QUORUM_NOT_MET", "OVERLOADED"];

it.each([
  ["at another address", "n4", 4],
  ["at the address of the dead one", "n2-new", 2],
])("a lost node is replaced %s: nothing acknowledged is lost", async (_where, name, at) => {
  const cluster = await ServeCluster.start({ nodes: 3, nodesMax: 4, flags: ["--partitions", "64"] });
  const load = await CheckedLoad.start(cluster.addresses, "replace");
  await load.more(500);
  console.info("before", load.takeStretch());

  await cluster.destroy(cluster.node("n2"));
  await load.more(300);
  console.info("n2 is lost", load.takeStretch());

  const newcomer = cluster.launch(name, [], at);
  await cluster.run("cluster", "replace", "n2", name);
  const replacedMs = await cluster.carryOut(boundMs);
  await isReady(newcomer);
  console.info(`replaced in ${replacedMs} ms`, load.takeStretch());
  await load.more(300);
  await load.stop();

  console.info("failed", Object.fromEntries(load.errors), "stale", load.stale.length);
  for (const code of load.errors.keys()) expect(allowedErrors).toContain(code);
  for (const address of cluster.addresses) expect(await load.findLost(address, 3), address).toEqual([]);
});
