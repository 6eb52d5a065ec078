/** `ringtail up`: a local cluster of real processes, from its first start over Ctrl-C and crashes to its later starts. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { afterAll, describe, expect, it } from "vitest";
import {
  cleanUp,
  freePorts,
  jsonOf,
  logOf,
  type NodeProcess,
  patienceMs,
  processesOn,
  ringtail,
  signal,
  temporaryDirectory,
  UpCluster,
  waitFor,
} from "../support/e2e.ts";

afterAll(cleanUp);

/** A line of a node's log that tells of a crash before this start. */
const unclean = "the last stop was not clean";

function uncleanStarts(node: NodeProcess): number {
  return logOf(node).filter((line) => line.msg === unclean).length;
}

/** Expects a refusal: this status, nothing on stdout but progress, one line on stderr. */
async function refusal(args: readonly string[]): Promise<string> {
  const { status, stderr } = await ringtail(args);
  expect(status).toBeGreaterThanOrEqual(2);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect(stderr).toMatch(/^ringtail: [A-Z_]+: /);
  return stderr;
}

describe("one directory, from start to start", () => {
  const directory = temporaryDirectory();
  let cluster: UpCluster;

  it("prints each node's address and pid, and one line that starts with ready", async () => {
    cluster = await UpCluster.start({ directory });
    expect(cluster.nodes.map((node) => node.name)).toEqual(["n1", "n2", "n3"]);
    expect(new Set(cluster.addresses).size).toBe(3);
    for (const { address, pid } of cluster.nodes) {
      expect(address).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(processesOn(directory)).toContain(pid);
    }
    const lines = cluster.process.stdout.split("\n");
    expect(lines.filter((line) => line.startsWith("ready"))).toHaveLength(1);
    expect(cluster.process.stderr).toBe("");
    const put = await cluster.run(["put", "carts", "alice", "book"]);
    expect(put.status).toBe(0);
  });

  it("refuses other nodes, ports or durability on the same directory, in one line that says what it was made with", async () => {
    const before = readFileSync(`${directory}/cluster.json`, "utf8");
    const [nodes, port, durability] = await Promise.all([
      refusal(["up", "--dir", directory, "--nodes", "4"]),
      refusal(["up", "--dir", directory, "--base-port", "7999"]),
      refusal(["up", "--dir", directory, "--memory"]),
    ]);
    expect(nodes).toContain("made with nodes 3, not 4");
    expect(port).toMatch(/made with basePort \d+, not 7999/);
    expect(durability).toContain("made with durability one-durable, not memory");
    expect(readFileSync(`${directory}/cluster.json`, "utf8")).toBe(before);
    expect(cluster.process.hasEnded).toBe(false);
  });

  it("a second `up` on a directory that is in use says so, and leaves the first alone", async () => {
    const pids = processesOn(directory);
    const said = await refusal(["up", "--dir", directory]);
    // Its nodes find the port taken or the directory locked, whichever they come to first.
    expect(said).toMatch(/127\.0\.0\.1:\d+ is in use: .*this cluster is up already|data directory .* in use/);
    await waitFor("the second cluster's processes are gone", () => processesOn(directory).length === pids.length);
    expect(processesOn(directory)).toEqual(pids);
    expect((await cluster.run(["get", "carts", "alice"])).status).toBe(0);
  });

  it("Ctrl-C stops every process, and each leaves word that its stop was clean", async () => {
    const { status, stdout, stderr } = await cluster.stop();
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.trimEnd().split("\n").at(-1)).toBe("stopped");
    expect(processesOn(directory)).toEqual([]);
  });

  it("the next start finds the data, on the same addresses, and no unclean stop", async () => {
    const { addresses } = cluster;
    cluster = await UpCluster.start({ directory });
    console.info(`second start: ready after ${cluster.readyAfterMs} ms`);
    // 5 s is the promise, on a machine that is not running other tests at the same time.
    expect(cluster.readyAfterMs).toBeLessThan(10_000);
    expect(cluster.addresses).toEqual(addresses);
    const found = jsonOf(await cluster.run(["get", "carts", "alice", "--json"]));
    expect(found).toMatchObject({ found: true, siblings: [{ value: "book", encoding: "utf8", tombstone: false }] });
    for (const node of cluster.nodes) expect(uncleanStarts(node)).toBe(0);
  });

  it("a node that is killed is reported and started again, and knows that its stop was not clean", async () => {
    const node = cluster.node("n2");
    signal(node.pid, "SIGKILL");
    await cluster.process.line(/^n2 was killed by SIGKILL; starting it again/, patienceMs);
    await cluster.process.line(/^n2 is back/);
    expect(uncleanStarts(node)).toBe(1);
    const answer = jsonOf(await cluster.run(["status", "--json"])) as { nodes: { name: string; state: string }[] };
    expect(answer.nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(["n1 alive", "n2 alive", "n3 alive"]);
  });

  it("when `up` itself is killed, its nodes stop by themselves, and cleanly", async () => {
    await cluster.process.stop("SIGKILL");
    await waitFor("the orphaned nodes are gone", () => processesOn(directory).length === 0);
    cluster = await UpCluster.start({ directory });
    expect(cluster.nodes.map(uncleanStarts)).toEqual([0, 1, 0]);
    await cluster.stop();
  });
});

describe("a damaged plan of the cluster", () => {
  it.each([
    ["cut off", '{"format":1,', /cluster\.json is damaged/],
    ["no object", "null", /cluster\.json is damaged/],
    ["incomplete", '{"format":1,"nodes":3}', /cluster\.json is damaged/],
    ["of a later version", '{"format":2,"nodes":3}', /cluster\.json has format 2; this version reads format 1/],
  ])("%s: is refused", async (_what, text, says) => {
    const directory = temporaryDirectory();
    writeFileSync(`${directory}/cluster.json`, text);
    const said = await refusal(["up", "--dir", directory]);
    expect(said).toMatch(says);
    expect(said).toMatch(/^ringtail: STORAGE_FAILED: /);
  });
});

describe("a port that is taken", () => {
  let server: Server;
  afterAll(() => void server.close());

  it("is named in one line, and nothing stays behind", async () => {
    const port = await freePorts(3);
    server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: port + 1 }, resolve));
    const directory = temporaryDirectory();
    const said = await refusal(["up", "--dir", directory, "--base-port", String(port)]);
    expect(said).toContain(`127.0.0.1:${port + 1} is in use`);
    expect(said).toMatch(/^ringtail: INVALID_ARGUMENT: /);
    expect(processesOn(directory)).toEqual([]);
    // Nothing is settled: the next try may choose other ports.
    expect(readdirSync(directory)).toEqual([]);
  });
});

it("--no-restart leaves a node that dies down, and the others serve", async () => {
  const cluster = await UpCluster.start({ flags: ["--no-restart"] });
  const node = cluster.node("n3");
  signal(node.pid, "SIGKILL");
  await cluster.process.line(/^n3 was killed by SIGKILL; it stays down/, patienceMs);
  const answer = jsonOf(await cluster.run(["status", "--json"])) as { nodes: { name: string; state: string }[] };
  expect(answer.nodes.map(({ name, state }) => `${name} ${state}`)).toEqual(["n1 alive", "n2 alive", "n3 down"]);
  expect((await cluster.run(["put", "carts", "bob", "pen"])).status).toBe(0);
  expect((await cluster.stop()).status).toBe(0);
  expect(processesOn(cluster.directory)).toEqual([]);
});
