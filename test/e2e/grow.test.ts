/**
 * A cluster that grows from 3 to 5 nodes and shrinks to 4 under load (issue 3), by the commands of `ringtail cluster`: no
 * acknowledged write is lost, whoever coordinates, and none is missed by a get while partitions move.
 */
import { afterAll, expect, it } from "vitest";
import { CheckedLoad } from "../support/checked-load.ts";
import { cleanUp } from "../support/e2e.ts";
import { isReady, ringAt, ServeCluster } from "../support/serve-cluster.ts";

afterAll(cleanUp);

const boundMs = 60_000;

it("3 -> 5 -> 4 nodes under load: nothing acknowledged is lost", async () => {
  const cluster = await ServeCluster.start({ nodes: 3, nodesMax: 5, flags: ["--partitions", "64"] });
  const load = await CheckedLoad.start(cluster.addresses, "grow");
  await load.more(500);
  console.info("before", load.takeStretch());

  const newcomers = [cluster.launch("n4"), cluster.launch("n5")];
  for (const { name } of newcomers) await cluster.run("cluster", "join", name);
  const joinedMs = await cluster.carryOut(boundMs);
  await Promise.all(newcomers.map(isReady));
  console.info(`3 -> 5 in ${joinedMs} ms`, load.takeStretch());

  await cluster.run("cluster", "leave", "n2");
  const leftMs = await cluster.carryOut(boundMs);
  console.info(`5 -> 4 in ${leftMs} ms`, load.takeStretch());
  await load.more(200);
  await load.stop();

  expect(Object.fromEntries(load.errors)).toEqual({});
  expect(load.stale).toEqual([]);
  const gone = cluster.node("n2");
  const ring = await ringAt(cluster.addresses[0] as string);
  expect(ring.members.map(({ name, status }) => `${name} ${status}`)).toEqual([
    "n1 member",
    "n2 left",
    "n3 member",
    "n4 member",
    "n5 member",
  ]);
  await gone.process.stop("SIGTERM");
  for (const { address } of cluster.nodes.filter((node) => node !== gone)) {
    expect(await load.findLost(address, 3), address).toEqual([]);
  }
});
