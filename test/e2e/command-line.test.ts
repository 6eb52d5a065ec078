/**
 * The command line as a person and as a program use it: the shopping cart's story (Dynamo 4.4), the JSON shapes that other
 * programs read, help, and bad input, which gets one line and never a stack trace.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ErrorCode, errorTable } from "../../src/base/errors.ts";
import {
  cleanUp,
  type Ended,
  freePorts,
  jsonOf,
  ringtail,
  shapeOf,
  temporaryDirectory,
  UpCluster,
} from "../support/e2e.ts";

let cluster: UpCluster;
beforeAll(async () => {
  cluster = await UpCluster.start();
});
afterAll(cleanUp);

interface Got {
  readonly found: boolean;
  readonly siblings: readonly { readonly value: string; readonly encoding: string; readonly tombstone: boolean }[];
  readonly context: string;
}

async function get(bucket: string, key: string, ...flags: string[]): Promise<Got> {
  return jsonOf(await cluster.run(["get", bucket, key, "--json", ...flags])) as Got;
}

async function put(bucket: string, key: string, ...rest: string[]): Promise<{ readonly context: string }> {
  const ended = await cluster.run(["put", bucket, key, ...rest, "--json"]);
  expect(ended).toMatchObject({ status: 0, stderr: "" });
  return jsonOf(ended) as { readonly context: string };
}

function valuesOf(got: Got): string[] {
  return got.siblings.map(({ value }) => value).sort();
}

describe("the shopping cart", () => {
  it("two blind puts give two siblings, a put with their context leaves one, a delete leaves none", async () => {
    await put("carts", "alice", '["book"]');
    await put("carts", "alice", '["pen"]');
    const both = await get("carts", "alice");
    expect(valuesOf(both)).toEqual(['["book"]', '["pen"]']);

    const merged = await put("carts", "alice", '["book","pen"]', "--context", both.context);
    expect(valuesOf(await get("carts", "alice"))).toEqual(['["book","pen"]']);
    // The context of a put is as good as that of a get: the next put follows without one.
    await put("carts", "alice", '["book","pen","ink"]', "--context", merged.context);
    expect(valuesOf(await get("carts", "alice"))).toEqual(['["book","pen","ink"]']);
    // An old context does not cover what came after it.
    await put("carts", "alice", '["cup"]', "--context", both.context);
    expect(valuesOf(await get("carts", "alice"))).toEqual(['["book","pen","ink"]', '["cup"]']);

    const removed = await cluster.run(["delete", "carts", "alice", "--json"]);
    expect(removed.status).toBe(0);
    const gone = await cluster.run(["get", "carts", "alice", "--json"]);
    expect(gone.status).toBe(1);
    expect((jsonOf(gone) as Got).siblings.filter(({ tombstone }) => !tombstone)).toEqual([]);
  });

  it("a delete with a context spares a write that it has not read", async () => {
    const first = await put("carts", "bob", "one");
    await put("carts", "bob", "two");
    const removed = await cluster.run(["delete", "carts", "bob", "--context", first.context]);
    expect(removed.status).toBe(0);
    const left = await get("carts", "bob");
    expect(left.siblings.filter(({ tombstone }) => !tombstone).map(({ value }) => value)).toEqual(["two"]);
    expect(left.found).toBe(true);
  });

  it("explain tells of a value, of a tombstone and what keeps it there, and of a key that nobody holds", async () => {
    interface Explained {
      readonly state: string;
      readonly hindrances: readonly string[];
      readonly nodes: readonly { readonly record: { readonly siblings: readonly unknown[] } | null }[];
    }
    const explain = async (key: string): Promise<Explained> =>
      jsonOf(await cluster.run(["explain", "carts", key, "--json"])) as Explained;
    await put("carts", "frank", "x", "--w", "3");
    const value = await explain("frank");
    expect(value.state).toBe("value");
    expect(value.nodes.map(({ record }) => record?.siblings.length)).toEqual([1, 1, 1]);
    expect((await cluster.run(["delete", "carts", "frank", "--w", "3"])).status).toBe(0);
    const deleted = await explain("frank");
    expect(deleted.state).toBe("deleted");
    expect(deleted.hindrances.join("; ")).toMatch(/first owner has seen it as it is for .* of 60 min/);
    expect(await explain("nobody")).toMatchObject({ state: "gone", hindrances: [] });
    const shown = await cluster.run(["explain", "carts", "frank"]);
    expect(shown).toMatchObject({ status: 0, stderr: "" });
    expect(shown.stdout).toContain("the key is deleted, and its tombstone stays as it is, because");
  });

  it("a context of another key is refused", async () => {
    const { context } = await put("carts", "carol", "x");
    const stolen = await cluster.run(["put", "carts", "dave", "y", "--context", context]);
    expect(stolen.status).toBe(errorTable.INVALID_ARGUMENT.exit);
    expect((await cluster.run(["get", "carts", "dave"])).status).toBe(1);
  });

  it("siblings tells which node made each branch", async () => {
    await put("carts", "gina", "1");
    await put("carts", "gina", "2");
    interface Branches {
      readonly siblings: readonly { readonly by: readonly string[]; readonly dots: string[]; readonly value: string }[];
    }
    const { siblings } = jsonOf(await cluster.run(["siblings", "carts", "gina", "--json"])) as Branches;
    expect(siblings.map(({ value }) => value).sort()).toEqual(["1", "2"]);
    for (const { by, dots } of siblings) {
      expect(by.join()).toMatch(/^n[123]$/);
      expect(dots.join()).toMatch(/^[123]\.[0-9a-f]{12}:\d+$/);
    }
    expect((await cluster.run(["siblings", "carts", "gina"])).stdout).toMatch(/^MADE BY .*\n(n[123] .*1 +[12]\n){2}$/);
    const missing = await cluster.run(["siblings", "carts", "nobody"]);
    expect([missing.status, missing.stdout]).toEqual([1, expect.stringContaining("no such key")]);
  });

  it("for people: siblings, context and who answered; a missing key ends with 1", async () => {
    await put("carts", "erin", "1");
    await put("carts", "erin", "2");
    const shown = await cluster.run(["get", "carts", "erin"]);
    expect(shown.status).toBe(0);
    expect(shown.stdout).toMatch(/^sibling 1 of 2 {2}[12]\nsibling 2 of 2 {2}[12]\ncontext {2}\S+\nanswered by {2}n\d/);
    const missing = await cluster.run(["get", "carts", "nobody"]);
    expect(missing).toMatchObject({ status: 1, stderr: "" });
    expect(missing.stdout).toContain("no such key");
  });
});

describe("values", () => {
  it("come from an argument, standard input, or a file, and go out as they are with --raw", async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const stored = await cluster.run(["put", "files", "bytes", "-"], { input: bytes });
    expect(stored.status).toBe(0);
    const got = await get("files", "bytes");
    expect(got.siblings).toMatchObject([{ value: bytes.toString("base64"), encoding: "base64", tombstone: false }]);

    await put("files", "text", "--file", new URL(import.meta.url).pathname);
    const raw = await cluster.run(["get", "files", "text", "--raw"]);
    expect(raw.stdout.startsWith("/**\n * The command line as a person")).toBe(true);

    await put("files", "empty", "");
    expect((await get("files", "empty")).siblings).toMatchObject([{ value: "", encoding: "utf8", tombstone: false }]);
  });

  it("a value of 1 MiB is stored, and one byte more is refused", async () => {
    const most = "x".repeat(1024 * 1024);
    expect((await cluster.run(["put", "files", "most"], { input: most })).status).toBe(0);
    expect((await cluster.run(["get", "files", "most", "--raw"])).stdout).toBe(most);
    const more = await cluster.run(["put", "files", "more"], { input: `${most}x` });
    expect(more.status).toBe(errorTable.VALUE_TOO_LARGE.exit);
    expect(more.stderr).toContain("more than the 1048576 bytes");
  });

  it.each(["memory", "buffered", "one-durable", "durable"])("are stored with --durability %s", async (mode) => {
    await put("modes", mode, "x", "--durability", mode, "--w", "3", ...(mode === "durable" ? ["--dw", "3"] : []));
    expect(valuesOf(await get("modes", mode, "--r", "3"))).toEqual(["x"]);
  });
});

const receipt = {
  coordinator: "string",
  coordination: "string",
  resolver: "string",
  acks: [
    {
      node: "string",
      role: "string",
      durable: "boolean",
      times: { answeredMs: "number", loopMs: "number", keyMs: "number", storageMs: "number" },
    },
  ],
  completedBy: "string",
  elapsedMs: "number",
  times: { coordinatorMs: "number", wireMs: "number", queueMs: "number", stoodMs: "number", gcMs: "number" },
  stalePossible: "boolean",
  attempts: "number",
  epoch: "number",
};

describe("JSON shapes", () => {
  it("get", async () => {
    await put("shapes", "one", "v");
    const got = jsonOf(await cluster.run(["get", "shapes", "one", "--json"])) as Record<string, unknown>;
    expect(Object.keys(got)).toEqual(["bucket", "key", "found", "siblings", "context", "receipt"]);
    expect(got).toMatchObject({ bucket: "shapes", key: "one", found: true });
    expect(shapeOf(got)).toMatchObject({
      siblings: [{ value: "string", encoding: "string", tombstone: "boolean" }],
      context: "string",
      receipt,
    });
    const acks = (got.receipt as { acks: { node: string; role: string }[] }).acks;
    expect(acks.length).toBeGreaterThanOrEqual(2);
    for (const { node, role } of acks) expect(`${node} ${role}`).toMatch(/^n[123] owner$/);

    const missing = await cluster.run(["get", "shapes", "none", "--json"]);
    expect(missing.status).toBe(1);
    expect(jsonOf(missing)).toMatchObject({ bucket: "shapes", key: "none", found: false, siblings: [] });
    expect(shapeOf(jsonOf(missing))).toMatchObject({ context: "string", receipt });
  });

  it("put and delete", async () => {
    for (const args of [
      ["put", "shapes", "two", "v"],
      ["delete", "shapes", "two"],
    ]) {
      const ended = await cluster.run([...args, "--json", "--durability", "durable"]);
      expect(ended).toMatchObject({ status: 0, stderr: "" });
      expect(shapeOf(jsonOf(ended))).toMatchObject({ context: "string", receipt });
      const { acks } = (jsonOf(ended) as { receipt: { acks: { durable: boolean }[] } }).receipt;
      expect(acks.length).toBeGreaterThanOrEqual(2);
      for (const { durable } of acks) expect(durable).toBe(true);
    }
  });

  it("status", async () => {
    const status = jsonOf(await cluster.run(["status", "--json"])) as { cluster: object; nodes: { name: string }[] };
    expect(status.cluster).toEqual({ id: expect.stringMatching(/^[0-9a-f]{32}$/), epoch: 1, partitions: 1024 });
    expect(status.nodes).toHaveLength(3);
    for (const [i, node] of status.nodes.entries()) {
      const { name, address, pid } = cluster.nodes.find((one) => one.name === node.name) as (typeof cluster.nodes)[0];
      expect(node).toMatchObject({ name, address, pid, host: `host-${name.slice(1)}`, zone: "", state: "alive" });
      expect(node).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{32}$/), number: i + 1, insecure: false });
    }
  });

  it("ring", async () => {
    const ring = jsonOf(await cluster.run(["ring", "--json"])) as {
      nodes: { partitions: number; replicas: number }[];
      owners: string[];
    };
    expect(shapeOf(ring)).toMatchObject({
      cluster: "string",
      epoch: "number",
      partitions: "number",
      n: "number",
      nodes: [
        {
          id: "string",
          name: "string",
          host: "string",
          zone: "string",
          weight: "number",
          partitions: "number",
          replicas: "number",
        },
      ],
      owners: ["string"],
    });
    expect(ring.owners).toHaveLength(1024);
    expect(ring.nodes.reduce((sum, node) => sum + node.partitions, 0)).toBe(1024);
    for (const { replicas } of ring.nodes) expect(replicas).toBe(1024);

    const one = jsonOf(await cluster.run(["ring", "--partition", "17", "--json"])) as { preferenceList: object[] };
    expect(one).toMatchObject({ epoch: 1, partition: 17 });
    expect(one.preferenceList[0]).toEqual({ node: ring.owners[17], role: "owner" });
    expect(one.preferenceList).toHaveLength(3);
  });

  it("cluster accept-ring", async () => {
    const refused = await cluster.run(["cluster", "accept-ring", "--digest", "0123456789abcdef"]);
    expect(refused.status).not.toBe(0);
    const [, digest] = /has the digest ([0-9a-f]{16}):/.exec(refused.stderr) ?? [];
    const accepted = await cluster.run(["cluster", "accept-ring", "--digest", digest as string, "--json"]);
    expect(jsonOf(accepted)).toEqual({ digest, accepted: cluster.nodes.map(({ name }) => name), others: [] });
    const { stdout } = await cluster.run(["events"]);
    expect(stdout).toContain(`an operator has accepted the ring of epoch 1 with the digest ${digest}`);
    expect((await cluster.run(["cluster", "accept-ring", "--digest", "no"])).stderr).toContain("16 hexadecimal digits");
  });

  it("config", async () => {
    const rows = jsonOf(await ringtail(["config", "--json"])) as Record<string, unknown>[];
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) {
      expect(shapeOf(row)).toMatchObject({
        key: "string",
        value: "string",
        source: "string",
        default: "string",
        kind: "string",
        flag: "string",
        variable: "string",
        help: "string",
      });
      // Those that every process of these tests is started with.
      const usual = ["adminListen", "withoutRehearsal"];
      expect(row.source).toBe(usual.includes(row.key as string) ? "environment" : "default");
      expect(row.flag).toMatch(/^--[a-z-]+( <\w+>)?$/);
      expect(row.variable).toMatch(/^RINGTAIL_[A-Z_]+$/);
      if (row.kind === "integer") expect(shapeOf(row)).toMatchObject({ min: "number", max: "number" });
    }
    const running = jsonOf(await cluster.run(["config", "--json"])) as Record<string, unknown>[];
    expect(running.map(({ key }) => key)).toEqual(rows.map(({ key }) => key));
    expect(running.find(({ key }) => key === "name")).toMatchObject({ value: "n1" });
  });

  it("for people, the same commands print tables", async () => {
    const [status, ring, partition, config] = await Promise.all([
      cluster.run(["status"]),
      cluster.run(["ring"]),
      cluster.run(["ring", "--partition", "0"]),
      ringtail(["config"]),
    ]);
    expect(status.stdout).toMatch(
      /^cluster [0-9a-f]{32} {2}epoch 1 {2}partitions 1024 {2}N=3 R=2 W=2 one-durable\nNODE /,
    );
    expect(ring.stdout).toMatch(/^epoch 1, 1024 partitions, N=3\nNODE /);
    expect(partition.stdout).toMatch(/^PLACE {2}NODE {2}ROLE\n1 +n\d +owner\n/);
    expect(config.stdout).toContain("name = node  (default; --name <text>; RINGTAIL_NAME)");
    for (const ended of [status, ring, partition, config]) expect(ended).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("help", () => {
  const commands = ["up", "serve", "get", "put", "delete", "status", "ring", "config", "bench", "sim"];
  it.concurrent.each(commands)("of %s has examples that name it", async (command) => {
    const { status, stdout, stderr } = await ringtail([command, "--help"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(new RegExp(`^Usage: ringtail ${command} `));
    const examples = stdout.slice(stdout.indexOf("\nExamples:\n"));
    expect(examples).toMatch(new RegExp(`^\\s+(.* )?ringtail ${command}`, "m"));
    if (!["up", "serve"].includes(command)) expect(stdout).toContain("--json");
  });

  it("of the program names every command", async () => {
    const { status, stdout } = await ringtail(["--help"]);
    expect(status).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, "m"));
  });

  it("the version is a version", async () => {
    expect((await ringtail(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

type Refused = readonly [args: readonly string[], code: ErrorCode, says: RegExp];

const longKey = "k".repeat(1025);
const longBucket = "b".repeat(256);
/** Nothing listens here: ports below 1024 are not given out, and 1 is nobody's. */
const nobody = "127.0.0.1:1";

/** With `--json` wherever a command has it. Those that need a cluster are given its seed node. */
const refusedByCluster: readonly Refused[] = [
  [["put", "b", longKey, "v", "--json"], "KEY_TOO_LARGE", /1025 bytes; allowed: 1 to 1024/],
  [["get", "b", longKey, "--json"], "KEY_TOO_LARGE", /1025 bytes; allowed: 1 to 1024/],
  [["get", "b", "", "--json"], "INVALID_ARGUMENT", /the key is empty; allowed: 1 to 1024 bytes/],
  [["get", "", "k", "--json"], "INVALID_ARGUMENT", /bucket's name has 0 bytes.*allowed: 1 to 255/],
  [["get", longBucket, "k", "--json"], "INVALID_ARGUMENT", /bucket's name has 256 bytes.*allowed: 1 to 255/],
  [["get", "b", "k", "--r", "4", "--json"], "INVALID_ARGUMENT", /r is 4; allowed: 1 to 3/],
  [["get", "b", "k", "--n", "2", "--r", "3", "--json"], "INVALID_ARGUMENT", /r is 3; allowed: 1 to 2/],
  [["put", "b", "k", "v", "--w", "4", "--json"], "INVALID_ARGUMENT", /w is 4; allowed: 1 to 3/],
  [["put", "b", "k", "v", "--dw", "4", "--json"], "INVALID_ARGUMENT", /dw is 4; allowed: 0 to 3/],
  [["get", "b", "k", "--n", "5", "--json"], "INVALID_ARGUMENT", /n is 5; allowed: 1 to 3/],
  [["put", "b", "k", "v", "--context", "AAAA", "--json"], "INVALID_ARGUMENT", /context/],
  [["put", "b", "k", "v", "--context", `AQ${"A".repeat(60)}`, "--json"], "INVALID_ARGUMENT", /context/],
  [["delete", "b", "k", "--context", "AAAA", "--json"], "INVALID_ARGUMENT", /context/],
  [["ring", "--partition", "1024", "--json"], "INVALID_ARGUMENT", /--partition is 1024; allowed: .*0 to 1023/],
];

const refused: readonly Refused[] = [
  [[], "INVALID_ARGUMENT", /no command; allowed: up, serve, get/],
  [["cluster"], "INVALID_ARGUMENT", /no command; allowed: join, leave, .*\(see ringtail cluster --help\)/],
  [["bucket"], "INVALID_ARGUMENT", /no command; allowed: list, .*\(see ringtail bucket --help\)/],
  [["explain", "carts", ""], "INVALID_ARGUMENT", /the key is empty; allowed: 1 to 1024 bytes/],
  [["frobnicate"], "INVALID_ARGUMENT", /unknown command 'frobnicate'/],
  [["gte", "b", "k"], "INVALID_ARGUMENT", /unknown command 'gte'.*get/],
  [["get", "b", "k", "--bogus", "--json"], "INVALID_ARGUMENT", /unknown option '--bogus'/],
  [["get", "--json"], "INVALID_ARGUMENT", /missing required argument 'bucket'/],
  [["get", "b", "--json"], "INVALID_ARGUMENT", /missing required argument 'key'/],
  [["get", "b", "k", "extra", "--json"], "INVALID_ARGUMENT", /too many arguments/],
  [["put", "b", "--json"], "INVALID_ARGUMENT", /missing required argument 'key'/],
  [["get", "b", "k", "--r", "0", "--json"], "INVALID_ARGUMENT", /--r is 0; allowed: a whole number, 1 to 7/],
  [["get", "b", "k", "--r", "two", "--json"], "INVALID_ARGUMENT", /--r is two; allowed: a whole number/],
  [["get", "b", "k", "--r", "1.5", "--json"], "INVALID_ARGUMENT", /--r is 1\.5; allowed: a whole number/],
  [["get", "b", "k", "--r", "-1", "--json"], "INVALID_ARGUMENT", /--r/],
  [["get", "b", "k", "--r", "--json"], "INVALID_ARGUMENT", /--r/],
  [["get", "b", "k", "--timeout-ms", "0", "--json"], "INVALID_ARGUMENT", /--timeout-ms is 0; allowed: .*1 to 600000/],
  [["get", "b", "k", "--timeout-ms", "1e9", "--json"], "INVALID_ARGUMENT", /--timeout-ms is 1e9; allowed/],
  [
    ["get", "b", "k", "--seed-node", "nowhere", "--json"],
    "INVALID_ARGUMENT",
    /--seed-node is nowhere; allowed: HOST:PORT/,
  ],
  [["get", "b", "k", "--seed-node", "h:99999", "--json"], "INVALID_ARGUMENT", /--seed-node is h:99999; allowed/],
  [["get", "b", "k", "--seed-node", "", "--json"], "INVALID_ARGUMENT", /--seed-node is empty; allowed/],
  [["get", "b", "k", "--seed-node", nobody, "--json"], "CONNECTION_LOST", /127\.0\.0\.1:1 refused the connection/],
  [["put", "b", "k", "v", "--seed-node", nobody, "--json"], "CONNECTION_LOST", /127\.0\.0\.1:1 refused the connection/],
  [["status", "--seed-node", nobody, "--json"], "CONNECTION_LOST", /127\.0\.0\.1:1 refused the connection/],
  [["ring", "--seed-node", nobody, "--json"], "CONNECTION_LOST", /127\.0\.0\.1:1 refused the connection/],
  [["put", "b", "k", "v", "--context", "not base64!", "--json"], "INVALID_ARGUMENT", /not a context/],
  [
    ["put", "b", "k", "v", "--durability", "strong", "--json"],
    "INVALID_ARGUMENT",
    /no such durability: strong .*durable/,
  ],
  [["put", "b", "k", "v", "--file", "/etc/hostname", "--json"], "INVALID_ARGUMENT", /both a value and --file/],
  [["put", "b", "k", "--json"], "INVALID_ARGUMENT", /no value, and nothing on standard input; allowed: VALUE/],
  [["put", "b", "k", "--file", "/no/such/file", "--json"], "INVALID_ARGUMENT", /cannot read \/no\/such\/file: ENOENT/],
  [["put", "b", "k", "--file", "/", "--json"], "INVALID_ARGUMENT", /cannot read \/: EISDIR/],
  [["status", "--timeout-ms", "soon", "--json"], "INVALID_ARGUMENT", /--timeout-ms is soon; allowed/],
  [["ring", "--partition", "x", "--seed-node", nobody, "--json"], "CONNECTION_LOST", /./],
  [["config", "--config", "/no/such.json", "--json"], "INVALID_ARGUMENT", /cannot read .*\/no\/such\.json: ENOENT/],
  [["config", "--weight", "0", "--json"], "INVALID_ARGUMENT", /weight is 0; allowed: a whole number, 1 to 1000/],
  [["config", "--name", "", "--json"], "INVALID_ARGUMENT", /name is empty; allowed: 1 to 255 characters/],
  [["config", "--r", "3", "--n", "2", "--json"], "INVALID_ARGUMENT", /r is 3; allowed: 1 to 2/],
  [["config", "--partitions", "1000", "--json"], "INVALID_ARGUMENT", /partitions is 1000; allowed: a power of two/],
  [["sim", "--seed", "-1", "--json"], "INVALID_ARGUMENT", /--seed/],
  [["sim", "--seed", "abc", "--json"], "INVALID_ARGUMENT", /--seed is abc; allowed/],
  [["sim", "--nodes", "0", "--json"], "INVALID_ARGUMENT", /--nodes is 0; allowed: a whole number, 1 to 9/],
  [["up", "--nodes", "0"], "INVALID_ARGUMENT", /--nodes is 0; allowed: a whole number, 1 to 64/],
  [["up", "--nodes", "many"], "INVALID_ARGUMENT", /--nodes is many; allowed/],
  [["up", "--base-port", "70000"], "INVALID_ARGUMENT", /--base-port is 70000; allowed/],
  [["up", "--durability", "none"], "INVALID_ARGUMENT", /no such durability: none/],
  [["up", "--dir", "/etc/hostname"], "STORAGE_FAILED", /\/etc\/hostname/],
  [["up", "--dir", "/etc/hostname/below"], "STORAGE_FAILED", /\/etc\/hostname/],
  [["up", "--memory", "--durability", "durable"], "INVALID_ARGUMENT", /both --memory and --durability durable/],
  [["up", "--dir", ""], "INVALID_ARGUMENT", /--dir is empty; allowed: a directory/],
  [["up", "stray"], "INVALID_ARGUMENT", /too many arguments/],
  [["bench", "--bogus", "--json"], "INVALID_ARGUMENT", /unknown option '--bogus'/],
  [["bench", "--processes", "65", "--json"], "INVALID_ARGUMENT", /--processes is 65; allowed: a whole number, 1 to 64/],
  [["bench", "--processes", "3", "--clients", "2", "--json"], "INVALID_ARGUMENT", /no more than --clients, 2/],
  [["bench", "--priority", "top", "--json"], "INVALID_ARGUMENT", /--priority is top; allowed: normal, high/],
  [["bench", "--slo-ms", "5", "--json"], "INVALID_ARGUMENT", /--slo-ms needs --sweep/],
  [["bench", "--blocks", "5", "--json"], "INVALID_ARGUMENT", /--blocks needs --against/],
  [["bench", "--sweep", "--clients", "5", "--json"], "INVALID_ARGUMENT", /--clients is for a closed one/],
  [["bench", "--sweep", "--against", "--w 3", "--json"], "INVALID_ARGUMENT", /both --sweep and --against/],
  [["bench", "--sweep", "--slo-ms", "no", "--json"], "INVALID_ARGUMENT", /--slo-ms is no; allowed/],
  [
    ["bench", "--against", "--bogus 3", "--json"],
    "INVALID_ARGUMENT",
    /--against is "--bogus 3": unknown option '--bogus'/,
  ],
  [["bench", "--against", " ", "--json"], "INVALID_ARGUMENT", /allowed: flags that change the load/],
  [
    ["bench", "--report", "no/such/place", "--json"],
    "INVALID_ARGUMENT",
    /cannot write the report no\/such\/place: ENOENT/,
  ],
  [["check", "--history", "no/such/place", "--json"], "INVALID_ARGUMENT", /cannot write the history .*ENOENT/],
  [["bench", "--hlog", "no/such/place", "--json"], "INVALID_ARGUMENT", /cannot write the histogram log .*ENOENT/],
  [["bench", "--svg", "/dev/null/svg", "--json"], "INVALID_ARGUMENT", /cannot make the directory/],
  [["bench", "--events", "nowhere", "--json"], "INVALID_ARGUMENT", /cannot read nowhere: ENOENT/],
  [["bench", "compare", "one.hlog", "--json"], "INVALID_ARGUMENT", /1 logs were given; allowed: pairs/],
  [["bench", "compare", "a.hlog", "b.hlog", "--json"], "INVALID_ARGUMENT", /cannot read a.hlog: ENOENT/],
  [["bench", "compare", "/etc/hostname", "/etc/hostname", "--json"], "INVALID_ARGUMENT", /\/etc\/hostname/],
];

/** What holds for every refusal, whatever was wrong. */
function expectRefused(ended: Ended, code: ErrorCode, says: RegExp, isJson: boolean): void {
  expect(ended.signal).toBe(null);
  expect(ended.status).toBe(errorTable[code].exit);
  const lines = ended.stderr.split("\n");
  expect(lines.length === 2 && lines[1] === "", `one line, not: ${ended.stderr}`).toBe(true);
  expect(lines[0]).toMatch(says);
  expect(lines[0]?.startsWith(`ringtail: ${code}: `)).toBe(true);
  if (!isJson) {
    expect(ended.stdout).toBe("");
    return;
  }
  const { error } = jsonOf(ended) as { error: { code: string; message: string } };
  expect(Object.keys(error)).toEqual(["code", "message"]);
  expect(error.code).toBe(code);
  expect(lines[0]).toBe(`ringtail: ${code}: ${error.message.replaceAll("\n", " ")}`);
}

describe("bad input gets one line that says what is allowed, and the status of its error", () => {
  const label = (args: readonly string[]): string => args.map((one) => (one.length > 40 ? "..." : one)).join(" ");

  it.concurrent.each(refused.map((row) => [label(row[0]), ...row] as const))("%s", async (_label, args, code, says) => {
    const ended = await ringtail(args, { cwd: temporaryDirectory() });
    expectRefused(ended, code, says, args.includes("--json"));
  });

  it.concurrent.each(refusedByCluster.map((row) => [label(row[0]), ...row] as const))(
    "%s",
    async (_label, args, code, says) => {
      expectRefused(await cluster.run(args), code, says, true);
    },
  );

  it.concurrent.each([
    [["get", "b", "k", "--r", "9"], "INVALID_ARGUMENT", /--r is 9/],
    [["status", "--seed-node", nobody], "CONNECTION_LOST", /refused the connection/],
    [["get", "b"], "INVALID_ARGUMENT", /missing required argument/],
  ] as const)("without --json nothing is printed on stdout: %s", async (args, code, says) => {
    expectRefused(await ringtail(args), code, says, false);
  });

  it("a seed node that is no Ringtail node, or that never answers, ends in an error before the deadline", async () => {
    const { createServer } = await import("node:net");
    const port = await freePorts(2);
    const web = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const silent = createServer(() => {});
    const listening = [web, silent].map(
      (server, i) => new Promise<void>((resolve) => server.listen(port + i, "127.0.0.1", resolve)),
    );
    await Promise.all(listening);
    try {
      const [http, mute] = await Promise.all([
        ringtail(["status", "--seed-node", `127.0.0.1:${port}`, "--json"]),
        ringtail(["status", "--seed-node", `127.0.0.1:${port + 1}`, "--timeout-ms", "300", "--json"]),
      ]);
      expectRefused(http as Ended, "PROTOCOL_MISMATCH", /sent what is no frame of Ringtail's: a frame of/, true);
      expectRefused(mute as Ended, "DEADLINE_EXCEEDED", /did not answer within 300 ms/, true);
    } finally {
      web.close();
      silent.close();
    }
  });
});
