/**
 * A real process on a disk that fails it: a sync that fails, in the write-ahead log or in a state file, and a directory
 * that can only be read. The node says what it is and ends with a status of its own; what it acknowledged before is there
 * when it starts again, and what it could not sync was not acknowledged.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Background,
  cleanUp,
  type Ended,
  freePorts,
  readyMs,
  ringtail,
  root,
  start,
  temporaryDirectory,
  waitFor,
} from "../support/e2e.ts";

const fatal = 70;
const one = ["--bootstrap", "--expect", "1", "--n", "1", "--r", "1", "--w", "1", "--partitions", "64"];
const flags = [...one, "--durability", "durable", "--log-segment-kib", "64"];
const preload = join(root, "test/support/failing-sync.cjs");

let place: string;
let directory: string;
let address: string;
let node: Background;

function serve(): Background {
  const own = ["--name", "n1", "--directory", directory, "--listen", address];
  const env = { NODE_OPTIONS: `--require ${preload}`, FAILING_SYNC: join(place, "failing") };
  node = start(["serve", ...own, ...flags], { env });
  return node;
}

async function isReady(): Promise<void> {
  await node.line(/ is ready$/, readyMs);
}

function put(key: string, value: string): Promise<Ended> {
  return ringtail(["put", "b", key, value, "--seed-node", address, "--timeout-ms", "1000"]);
}

async function get(key: string): Promise<string> {
  return (await ringtail(["get", "b", key, "--raw", "--seed-node", address])).stdout;
}

/** The node ends as it starts, with one error that names the directory. */
async function refusesDirectory(): Promise<void> {
  serve();
  const { status, stderr } = await node.ended;
  expect(status).not.toBe(0);
  expect(stderr).toContain(directory);
  expect(stderr).toMatch(/EROFS|[Rr]ead-only/);
  expect(stderr).not.toMatch(/^\s+at /m);
}

/** The node ends by itself, and says why in its log. */
async function endsFatally(why: RegExp): Promise<void> {
  await waitFor("the node ends by itself", () => node.hasEnded, readyMs);
  const { status, stderr } = await node.ended;
  expect(status, stderr).toBe(fatal);
  expect(stderr).toMatch(why);
}

beforeEach(async () => {
  place = temporaryDirectory();
  directory = join(place, "n1");
  address = `127.0.0.1:${await freePorts(1)}`;
});
afterAll(cleanUp);

describe("a sync that fails", () => {
  it("in the log: nothing that it should have made durable is acknowledged, and the node ends", async () => {
    serve();
    await isReady();
    expect((await put("k", "before")).status).toBe(0);
    writeFileSync(join(place, "failing"), "log");
    expect((await put("k2", "after")).status).not.toBe(0);
    await endsFatally(/EIO: i\/o error, f(data)?sync/);
    rmSync(join(place, "failing"));
    serve();
    await isReady();
    expect(await get("k")).toBe("before");
    await node.stop("SIGTERM");
  });

  it("in a state file: a node that cannot say who it is does not start", async () => {
    writeFileSync(join(place, "failing"), "state");
    serve();
    await endsFatally(/cannot save the state file .*EIO/);
    expect(node.stdout).not.toContain("is ready");
    rmSync(join(place, "failing"));
    serve();
    await isReady();
    writeFileSync(join(place, "failing"), "state");
    node.signal("SIGTERM");
    await endsFatally(/cannot save the state file .*EIO/);
  });
});

describe("a directory that can only be read", () => {
  const mounted: string[] = [];

  /** What is open stays open for writing; nothing new can be made. */
  function makeReadOnly(): void {
    execFileSync("mount", ["--bind", directory, directory]);
    mounted.push(directory);
    execFileSync("mount", ["-o", "remount,bind,ro", directory]);
  }

  afterEach(() => {
    for (const path of mounted.splice(0)) execFileSync("umount", ["--lazy", path]);
  });

  it("at the start: one error that names it", async () => {
    mkdirSync(directory);
    makeReadOnly();
    await refusesDirectory();
  });

  it("at a later start, on a directory with data", async () => {
    serve();
    await isReady();
    expect((await put("k", "before")).status).toBe(0);
    await node.stop("SIGTERM");
    makeReadOnly();
    await refusesDirectory();
  });

  it("while the node runs: it ends when it needs a new file", async () => {
    serve();
    await isReady();
    expect((await put("k", "before")).status).toBe(0);
    makeReadOnly();
    const value = "v".repeat(30_000);
    await waitFor(
      "a put is refused",
      async () => {
        const { status } = await put("k2", value);
        return status !== 0;
      },
      readyMs,
    );
    await endsFatally(/EROFS|[Rr]ead-only/);
    execFileSync("umount", ["--lazy", mounted.pop() as string]);
    serve();
    await isReady();
    expect(await get("k")).toBe("before");
    await node.stop("SIGTERM");
  });
});
