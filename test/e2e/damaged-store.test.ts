/**
 * Files of a real node's store are damaged or missing: the node says which, what to do, and ends with a status of its own;
 * it never comes up with less than it had as if nothing were missing. A damaged record alone is written anew from the
 * others, and a vanished log is made up for before the node answers reads. The others go on all the time.
 */
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CheckedLoad } from "../support/checked-load.ts";
import { expectNothingLost } from "../support/cluster-stories.ts";
import { cleanUp, type Ended, readyMs, ringtail, waitFor } from "../support/e2e.ts";
import { ServeCluster, type ServeNode } from "../support/serve-cluster.ts";

let cluster: ServeCluster;
let load: CheckedLoad;
let node: ServeNode;
/** n2's directory as it was when it stopped. */
let whole: string;

beforeAll(async () => {
  cluster = await ServeCluster.start({ nodes: 3, nodesMax: 3, flags: ["--partitions", "64"] });
  load = await CheckedLoad.start(cluster.addresses, "damage", { pauseMs: 10, keys: 200 });
  node = cluster.node("n2");
  await load.more(300);
  // What a start finds in RocksDB's own log it brings into a table file.
  await node.process.stop("SIGTERM");
  await cluster.startAgain(node);
  await load.more(300);
  await node.process.stop("SIGTERM");
  whole = `${node.directory}-whole`;
  cpSync(node.directory, whole, { recursive: true });
});

afterAll(async () => {
  await load.stop();
  await cleanUp();
});

const store = (): string => join(node.directory, "store");

/** The store's files with this ending or beginning, the largest first. */
function files(pattern: RegExp): string[] {
  const found = readdirSync(store()).filter((name) => pattern.test(name));
  expect(found.length, String(pattern)).toBeGreaterThan(0);
  const paths = found.map((name) => join(store(), name));
  return paths.sort((a, b) => statSync(b).size - statSync(a).size);
}

/** Puts n2's directory back as it was, and does something to it. */
function damage(how: () => void): void {
  rmSync(node.directory, { recursive: true });
  cpSync(whole, node.directory, { recursive: true });
  how();
}

/** Starts n2, which is to end by itself. */
async function startsInVain(): Promise<Ended> {
  cluster.launchAgain(node);
  await waitFor("n2 ends by itself", () => node.process.hasEnded, readyMs);
  return node.process.ended;
}

/** Flips the lowest bit of each of these bytes. */
function flip(path: string, ...places: readonly number[]): void {
  const bytes = readFileSync(path);
  for (const at of places) bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

function eachTable(how: (path: string) => void): void {
  for (const path of files(/\.sst$/)) how(path);
}

const hopeless: readonly [string, RegExp, () => void][] = [
  ["a missing MANIFEST", /MANIFEST/, () => rmSync(files(/^MANIFEST/)[0] as string)],
  ["a damaged MANIFEST", /store/, () => flip(files(/^MANIFEST/)[0] as string, 40)],
  ["a missing CURRENT", /CURRENT|store/, () => rmSync(files(/^CURRENT$/)[0] as string)],
  ["missing tables", /\d+\.(sst|ldb)/, () => eachTable((path) => rmSync(path))],
  ["tables cut short", /\d+\.sst/, () => eachTable((path) => truncateSync(path, 100))],
];

describe("a store that has lost more than records", () => {
  it.each(hopeless)("%s: the node names it, tells the cure, and ends", async (_what, named, how) => {
    damage(how);
    const { status, signal, stderr } = await startsInVain();
    expect({ status: status !== 0, signal }, stderr).toEqual({ status: true, signal: null });
    expect(stderr).toMatch(named);
    expect(stderr).toMatch(/damaged or missing .*ringtail cluster replace/);
    expect(stderr).not.toMatch(/^\s+at /m);
    await load.more(20);
  });

  it("a file where a directory should be", async () => {
    damage(() => {
      rmSync(join(node.directory, "log"), { recursive: true });
      writeFileSync(join(node.directory, "log"), "");
    });
    const { status, stderr } = await startsInVain();
    expect(status).not.toBe(0);
    expect(stderr).toContain(join(node.directory, "log"));
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe("a store that the others can make whole", () => {
  it("records whose bytes have changed on the disk are written anew", async () => {
    damage(() => {
      const [table] = files(/\.sst$/);
      // Values, of which some are the newest of their keys; what begins alike without the colon is a key.
      const found = readFileSync(table as string, "latin1").matchAll(/damage-\d+:\d/g);
      flip(table as string, ...[...found].map(({ index }) => index + 7));
    });
    await cluster.startAgain(node);
    await waitFor("n2 has mended them", async () => {
      const { stdout } = await ringtail(["events", "--seed-node", node.address, "--since", "10m"]);
      return stdout.includes("have been written anew");
    });
    await load.more(50);
  });

  it("the engine's own log, cut off after a clean stop", async () => {
    await load.more(50);
    await node.process.stop("SIGTERM");
    const [log] = files(/^\d+\.log$/) as [string];
    truncateSync(log, Math.floor(statSync(log).size / 2));
    await cluster.startAgain(node);
    expect(node.process.stderr).toContain("the newest batches of the store are gone");
    await load.more(50);
  });

  it("a log that vanished with what was acknowledged", async () => {
    await load.more(50);
    await node.process.stop("SIGKILL");
    rmSync(join(node.directory, "log"), { recursive: true });
    await cluster.startAgain(node);
    expect(node.process.stderr).toContain("the write-ahead log is gone");
    await load.more(100);
    await load.stop();
    await waitFor("n2 is whole again", async () => (await unsyncedAt(node)) === 0, readyMs);
    await expectNothingLost(cluster, load);
  });
});

async function unsyncedAt({ address }: ServeNode): Promise<number> {
  const { stdout } = await ringtail(["repair", "--json", "--seed-node", address]);
  const counts = [...stdout.matchAll(/"unsyncedReplicas": ?(\d+)/g)].map(([, count]) => Number(count));
  return counts.length < 3 ? -1 : counts.reduce((sum, count) => sum + count, 0);
}
