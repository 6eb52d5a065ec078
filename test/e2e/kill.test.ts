/**
 * kill -9 under load: what was acknowledged is there afterwards, whoever coordinates the get, while the node is away and
 * after it has come back; and with `buffered`, after all nodes have been killed at once.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FrameType } from "../../src/wire/frame-types.ts";
import { StatusReply, StatusRequest } from "../../src/wire/gen/codecs.ts";
import { CheckedLoad } from "../support/checked-load.ts";
import {
  type Background,
  cleanUp,
  type NodeProcess,
  readyMs,
  signal,
  start,
  UpCluster,
  waitFor,
} from "../support/e2e.ts";
import { WireClient } from "../support/wire-client.ts";

afterAll(cleanUp);

/** What an operation may end in while a node goes away: the SDK tries elsewhere first, so that even these are rare. */
const allowedErrors = ["DEADLINE_EXCEEDED", "CONNECTION_LOST", "QUORUM_NOT_MET", "NODE_STOPPING", "OVERLOADED"];

/** Starts a node again as it was started before, and waits until it serves and reaches both others; its log is on stderr. */
async function startAgain(node: NodeProcess): Promise<Background> {
  const running = start(node.arguments);
  await serves(node);
  return running;
}

async function serves(node: NodeProcess): Promise<void> {
  await waitFor(
    `${node.name} serves again`,
    async () => {
      const client = await WireClient.open(node.address).catch(() => undefined);
      if (client === undefined) return false;
      const status = await client.call(FrameType.STATUS, StatusRequest, {}, StatusReply).catch(() => undefined);
      client.close();
      return status?.phase === "serving" && status.peers.every((peer) => peer.state === "ok");
    },
    readyMs,
  );
}

async function expectNothingLost(nodes: readonly NodeProcess[], load: CheckedLoad, r: number): Promise<void> {
  for (const { name, address } of nodes) {
    expect(await load.findLost(address, r), `with ${name} as coordinator and r=${r}`).toEqual([]);
  }
}

function expectOnlyAllowedErrors(load: CheckedLoad): void {
  const failed = [...load.errors].map(([code, count]) => `${code} ${count}`).join(", ");
  console.info(`${load.acknowledged} acknowledged, failed: ${failed === "" ? "none" : failed}`);
  for (const code of load.errors.keys()) expect(allowedErrors).toContain(code);
}

describe("buffered", () => {
  let cluster: UpCluster;
  beforeAll(async () => {
    cluster = await UpCluster.start({ flags: ["--durability", "buffered", "--no-restart"] });
  });

  it("one node is killed and comes back: every acknowledged write is read back from every coordinator", async () => {
    const load = await CheckedLoad.start(cluster.addresses, "one");
    const victim = cluster.node("n2");
    const others = cluster.nodes.filter((node) => node !== victim);
    await load.more(300);
    signal(victim.pid, "SIGKILL");
    await load.more(300);
    await expectNothingLost(others, load, 2);
    const again = await startAgain(victim);
    expect(again.stderr).toContain("the last stop was not clean");
    await load.more(300);
    await load.stop();
    expectOnlyAllowedErrors(load);
    await expectNothingLost(cluster.nodes, load, 2);
    await expectNothingLost([victim], load, 3);
  });

  it("all nodes are killed at once: every acknowledged write is there after the restart", async () => {
    const pids = await Promise.all(cluster.nodes.map(pidOf));
    const load = await CheckedLoad.start(cluster.addresses, "all");
    await load.more(500);
    for (const pid of pids) signal(pid, "SIGKILL");
    await waitFor("puts fail", () => load.errors.size > 0);
    await load.stop();
    expectOnlyAllowedErrors(load);
    const again = await Promise.all(cluster.nodes.map(startAgain));
    await expectNothingLost(cluster.nodes, load, 2);
    // A kill leaves no hole in the log and no forgotten history: nothing to report as an error.
    for (const { stderr } of again) expect(stderr).not.toContain('"level":50');
  });
});

async function pidOf(node: NodeProcess): Promise<number> {
  const client = await WireClient.open(node.address);
  const { pid } = await client.call(FrameType.STATUS, StatusRequest, {}, StatusReply);
  client.close();
  return pid;
}

it("memory: the kill of one node loses nothing", async () => {
  const cluster = await UpCluster.start({ flags: ["--memory"] });
  const victim = cluster.node("n1");
  const others = cluster.nodes.filter((node) => node !== victim);
  const load = await CheckedLoad.start(cluster.addresses, "memory");
  await load.more(300);
  signal(victim.pid, "SIGKILL");
  await load.more(300);
  await cluster.process.line(/^n1 is back/);
  await load.more(300);
  await load.stop();
  expectOnlyAllowedErrors(load);
  await expectNothingLost(others, load, 2);
  await expectNothingLost([victim], load, 2);
  expect((await cluster.stop()).status).toBe(0);
});
