/**
 * What happens to clusters of real processes under a checked load, told once for the short and the long end-to-end
 * tests: restarts, one node after the other, and the loss of a node with its disk.
 */
import { readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { CheckedLoad, type LoadOptions } from "./checked-load.ts";
import { readyMs, waitFor } from "./e2e.ts";
import { isReady, ringAt, ServeCluster, type ServeNode } from "./serve-cluster.ts";

const flags = ["--partitions", "64"];
const movesMs = 90_000;
/** What an operation may end in when a node dies under it. */
const allowedErrors = ["DEADLINE_EXCEEDED", "CONNECTION_LOST", "QUORUM_NOT_MET", "OVERLOADED"];

/** Every acknowledged write is there, or followed by what is, whoever coordinates, in all three replicas' answers. */
export async function expectNothingLost(cluster: ServeCluster, load: CheckedLoad): Promise<void> {
  expect(load.stale).toEqual([]);
  for (const address of cluster.addresses) expect(await load.findLost(address, 3), address).toEqual([]);
}

/** Restarts all nodes, one after the other, `rounds` times, at N=3 and R=W=2: no operation fails. */
export async function rollingRestart(rounds: number, options: LoadOptions): Promise<void> {
  const cluster = await ServeCluster.start({ nodes: 3, nodesMax: 3, flags });
  const load = await CheckedLoad.start(cluster.addresses, "rolling", options);
  await load.more(500);
  console.info("before", load.takeStretch());
  for (let i = 0; i < rounds * cluster.nodes.length; i += 1) {
    const node = cluster.nodes[i % cluster.nodes.length] as ServeNode;
    const ended = await node.process.stop("SIGTERM");
    expect(ended.status, ended.stderr).toBe(0);
    await load.more(200);
    await cluster.startAgain(node);
    await load.more(200);
    console.info(`${node.name} was restarted`, load.takeStretch());
  }
  await load.stop();
  console.info("acknowledged", load.acknowledged);
  expect(Object.fromEntries(load.errors)).toEqual({});
  await expectNothingLost(cluster, load);
}

/** n2 is started with an empty disk, and takes the place of the one that it was. */
export async function comeBackEmpty(cluster: ServeCluster): Promise<ServeNode> {
  const newcomer = cluster.launch("n2");
  await cluster.run("cluster", "replace", "n2");
  return newcomer;
}

/** A node is killed, and its disk is gone with it. */
export async function loseDisk(cluster: ServeCluster, node: ServeNode): Promise<void> {
  await cluster.destroy(node);
}

/** A node is killed, and what its tables say is gone: it says so, ends whenever it is started, and is taken away. */
export async function damageBeyondRepair(cluster: ServeCluster, node: ServeNode): Promise<void> {
  await node.process.stop("SIGKILL");
  const store = join(node.directory, "store");
  for (const name of readdirSync(store)) if (/^MANIFEST|^CURRENT$/.test(name)) truncateSync(join(store, name), 1);
  cluster.launchAgain(node);
  await waitFor("the damaged node ends by itself", () => node.process.hasEnded, readyMs);
  const { status, stderr } = await node.process.ended;
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/ringtail cluster replace/);
  await cluster.destroy(node);
}

/** Loses n2; `comeBack` starts its successor and stages the replacement, which is then carried out. */
export async function loseAndReplace(
  comeBack: (cluster: ServeCluster) => Promise<ServeNode>,
  lose: (cluster: ServeCluster, node: ServeNode) => Promise<void> = loseDisk,
): Promise<void> {
  const cluster = await ServeCluster.start({ nodes: 3, nodesMax: 4, flags });
  const load = await CheckedLoad.start(cluster.addresses, "replace", { pauseMs: 10 });
  await load.more(500);
  console.info("before", load.takeStretch());
  await lose(cluster, cluster.node("n2"));
  await load.more(300);
  console.info("n2 is lost", load.takeStretch());

  const newcomer = await comeBack(cluster);
  const replacedMs = await cluster.carryOut(movesMs);
  await isReady(newcomer);
  console.info(`replaced in ${replacedMs} ms`, load.takeStretch());
  await load.more(300);
  await load.stop();
  console.info("acknowledged", load.acknowledged, "failed", Object.fromEntries(load.errors));

  for (const code of load.errors.keys()) expect(allowedErrors).toContain(code);
  const { members } = await ringAt(newcomer.address);
  const told = members.map(({ number, status }) => `${number} ${status}`);
  expect(told).toEqual(["1 member", "2 left", "3 member", "4 member"]);
  await expectNothingLost(cluster, load);
}

/** 3 -> 5 -> 4 nodes: two join in one plan, then one leaves. No operation fails. */
export async function growAndShrink(): Promise<void> {
  const cluster = await ServeCluster.start({ nodes: 3, nodesMax: 5, flags });
  const load = await CheckedLoad.start(cluster.addresses, "grow", { pauseMs: 10 });
  await load.more(500);
  console.info("before", load.takeStretch());

  const newcomers = [cluster.launch("n4"), cluster.launch("n5")];
  for (const { name } of newcomers) await cluster.run("cluster", "join", name);
  const joinedMs = await cluster.carryOut(movesMs);
  await Promise.all(newcomers.map(isReady));
  console.info(`3 -> 5 in ${joinedMs} ms`, load.takeStretch());

  await cluster.run("cluster", "leave", "n2");
  const leftMs = await cluster.carryOut(movesMs);
  console.info(`5 -> 4 in ${leftMs} ms`, load.takeStretch());
  await cluster.retire(cluster.node("n2"));
  await load.more(300);
  await load.stop();
  console.info("acknowledged", load.acknowledged);

  expect(Object.fromEntries(load.errors)).toEqual({});
  const { members } = await ringAt(cluster.addresses[0] as string);
  const told = members.map(({ number, status }) => `${number} ${status}`);
  expect(told).toEqual(["1 member", "2 left", "3 member", "4 member", "5 member"]);
  await expectNothingLost(cluster, load);
}
