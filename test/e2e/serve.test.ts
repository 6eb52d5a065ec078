/**
 * `ringtail serve`: one node, configured by file, variables and flags, and what it says when it cannot or must not start:
 * one clear line, a status that is not 0, and nothing changed in the directory.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ErrorCode, errorTable } from "../../src/base/errors.ts";
import { RingtailClient, text } from "../../src/index.ts";
import { openStateFile, type StateFileName, sealStateFile } from "../../src/storage/state-files.ts";
import {
  type Background,
  cleanUp,
  freePorts,
  jsonOf,
  processesOn,
  type RunOptions,
  ringtail,
  start,
  temporaryDirectory,
} from "../support/e2e.ts";

afterAll(cleanUp);

const alone = ["--bootstrap", "--n", "1", "--r", "1", "--w", "1", "--replicas-max", "1", "--partitions", "8"];

/** Starts one node and waits until it is ready. */
async function serve(args: readonly string[], options?: RunOptions): Promise<Background> {
  const running = start(["serve", ...args], options);
  await running.line(/ is ready$/);
  return running;
}

/** Expects that a node does not start; its last line on stderr is the one that counts, before it there is its log. */
async function refusal(args: readonly string[], code: ErrorCode, options?: RunOptions): Promise<string> {
  const { status, stderr } = await ringtail(["serve", ...args], options);
  const lines = stderr.trimEnd().split("\n");
  expect(lines.filter((line) => !line.startsWith("{"))).toHaveLength(1);
  const last = lines.at(-1) as string;
  expect(last.startsWith(`ringtail: ${code}: `), last).toBe(true);
  expect(status).toBe(errorTable[code].exit);
  return last;
}

function configFile(settings: unknown): string {
  const path = join(temporaryDirectory(), "node.json");
  writeFileSync(path, typeof settings === "string" ? settings : JSON.stringify(settings));
  return path;
}

describe("where settings come from", () => {
  it("file, then RINGTAIL_ variables, then flags: the later ones win, and each value's source is told", async () => {
    const file = configFile({ name: "from-file", weight: 7, expect: 1, zone: "z", seedNodes: ["127.0.0.1:9"] });
    const env = {
      RINGTAIL_NAME: "from-env",
      RINGTAIL_ZONE: "env-zone",
      RINGTAIL_SEED_NODES: "127.0.0.1:1,127.0.0.1:2",
    };
    const ended = await ringtail(["config", "--config", file, "--name", "from-flag", "--json"], { env });
    const rows = jsonOf(ended) as { key: string; value: string; source: string }[];
    const told = Object.fromEntries(rows.map(({ key, value, source }) => [key, `${value} (${source})`]));
    expect(told).toMatchObject({
      name: "from-flag (flag)",
      zone: "env-zone (environment)",
      seedNodes: "127.0.0.1:1,127.0.0.1:2 (environment)",
      weight: "7 (file)",
      w: "2 (default)",
    });
  });

  it("and that is what a node runs with", async () => {
    const port = await freePorts(2);
    const directory = temporaryDirectory();
    const settings = { name: "a", directory: join(directory, "a"), listen: `127.0.0.1:${port}`, n: 1, r: 1, w: 1 };
    const file = configFile({ ...settings, replicasMax: 1, partitions: 8, bootstrap: true, logLevel: "warn" });
    const env = { RINGTAIL_LISTEN: `127.0.0.1:${port + 1}`, RINGTAIL_NAME: "b" };
    const running = await serve(["--config", file, "--name", "c"], { env });
    expect(running.stdout).toBe(`c listens on 127.0.0.1:${port + 1}, data in ${directory}/a\nc is ready\n`);
    const seedNodes = [`127.0.0.1:${port + 1}`];
    const shown = await ringtail(["config", "--seed-node", seedNodes[0] as string, "--json"]);
    const rows = jsonOf(shown) as { key: string; value: string }[];
    expect(Object.fromEntries(rows.map(({ key, value }) => [key, value]))).toMatchObject({ name: "c", n: "1", w: "1" });
    const client = await RingtailClient.connect({ seedNodes });
    const bucket = client.bucket("b", { codec: text });
    await bucket.put("k", "v");
    expect((await bucket.get("k")).siblings).toEqual(["v"]);
    await client.close();
    const { status, stderr } = await running.stop("SIGTERM");
    // The log level is that of the file.
    expect(stderr).not.toContain('"level":30');
    expect(status).toBe(0);
  });

  it("a node rehearses before it serves, unless it is told not to", async () => {
    const port = await freePorts(1);
    const own = ["--directory", join(temporaryDirectory(), "a"), "--listen", `127.0.0.1:${port}`, "--bootstrap"];
    const running = await serve([...own, "--expect", "1"], { env: { RINGTAIL_WITHOUT_REHEARSAL: "false" } });
    const { status, stderr } = await running.stop("SIGTERM");
    expect(stderr).toMatch(/"joined":true,"msg":"rehearsed"/);
    expect(status).toBe(0);
    const again = await serve([...own, "--without-rehearsal"], { env: { RINGTAIL_WITHOUT_REHEARSAL: "false" } });
    expect((await again.stop("SIGTERM")).stderr).not.toContain("rehears");
  });

  const badFiles: readonly (readonly [string, unknown, RegExp])[] = [
    ["an unknown key", { nme: "x" }, /node\.json: no such setting: nme \(there are: name, /],
    ["a prototype's key", '{"__proto__": 1}', /node\.json: no such setting: __proto__/],
    ["a number that is none", { weight: "heavy" }, /node\.json: weight is heavy; allowed: a whole number, 1 to 1000/],
    ["a number out of range", { n: 8 }, /node\.json: n is 8; allowed: a whole number, 1 to 7/],
    ["a flag that is none", { bootstrap: "yes" }, /node\.json: bootstrap is yes; allowed: true or false/],
    ["an object for a text", { name: { first: "a" } }, /node\.json: name is \{"first":"a"\}; allowed: a text/],
    ["null", { zone: null }, /node\.json: zone is null; allowed: a text/],
    ["a list for a number", { expect: [3] }, /node\.json: expect is \[3\]; allowed: a text/],
    ["a list of odd things", { seedNodes: [7401] }, /node\.json: seedNodes is \[7401\]; allowed: a list of texts/],
    ["an address that is none", { listen: "7401" }, /node\.json: listen is 7401; allowed: HOST:PORT/],
    ["values that do not fit each other", { n: 2, w: 3 }, /w is 3; allowed: 1 to 2/],
    ["no JSON", "{name: 1}", /node\.json is no JSON/],
    ["no object", "[]", /node\.json does not hold a JSON object/],
  ];
  it.concurrent.each(badFiles)("a file with %s is refused, by name", async (_what, settings, says) => {
    expect(await refusal(["--config", configFile(settings)], "INVALID_ARGUMENT")).toMatch(says);
  });

  it("a bad variable and a bad flag are refused, by name", async () => {
    const env = { RINGTAIL_WEIGHT: "0" };
    const directory = join(temporaryDirectory(), "none");
    const [variable, flag, unknown, stray] = await Promise.all([
      refusal(["--directory", directory], "INVALID_ARGUMENT", { env }),
      refusal(["--directory", directory, "--weight", "0"], "INVALID_ARGUMENT"),
      refusal(["--directory", directory, "--wieght", "1"], "INVALID_ARGUMENT"),
      refusal(["--directory", directory, "stray"], "INVALID_ARGUMENT"),
    ]);
    expect(variable).toContain("RINGTAIL_WEIGHT: weight is 0; allowed: a whole number, 1 to 1000");
    expect(flag).toContain("command line: weight is 0");
    expect(unknown).toMatch(/unknown option '--wieght'.*--weight/);
    expect(stray).toContain("too many arguments");
    expect(existsSync(directory)).toBe(false);
  });
});

describe("listening beyond this machine", () => {
  it.each(["0.0.0.0:0", "[::]:0", "192.0.2.1:7401", "example.invalid:7401"])(
    "%s is refused without --insecure",
    async (listen) => {
      const directory = join(temporaryDirectory(), "d");
      const said = await refusal(["--directory", directory, "--listen", listen, ...alone], "INVALID_ARGUMENT");
      expect(said).toContain(`listen is ${listen}, which is not a loopback address`);
      expect(said).toContain("--insecure");
      expect(existsSync(directory)).toBe(false);
    },
  );

  it("with --insecure it needs the cluster's secret, warns in its log, and shows in status", async () => {
    const directory = temporaryDirectory();
    const port = await freePorts(1);
    const open = ["--directory", join(directory, "d"), "--listen", `0.0.0.0:${port}`, "--insecure", ...alone];
    expect(await refusal(open, "INVALID_ARGUMENT")).toContain("secretFile is empty");
    const secret = join(directory, "secret");
    writeFileSync(secret, `${"ab".repeat(32)}\n`, { mode: 0o600 });
    const running = await serve([...open, "--secret-file", secret, "--advertise", `127.0.0.1:${port}`]);
    expect(running.stderr).toContain("insecure: nothing is encrypted and nobody is authenticated");
    const status = jsonOf(await ringtail(["status", "--seed-node", `127.0.0.1:${port}`, "--json"]));
    expect(status).toMatchObject({ nodes: [{ insecure: true, state: "alive" }] });
    await running.stop();
  });

  it("a secret file must be there, be the owner's alone, and hold a secret", async () => {
    const directory = temporaryDirectory();
    const args = ["--directory", join(directory, "d"), ...alone, "--secret-file"];
    const open = join(directory, "open");
    writeFileSync(open, `${"ab".repeat(32)}\n`);
    chmodSync(open, 0o644);
    const short = join(directory, "short");
    writeFileSync(short, "abcdef\n", { mode: 0o600 });
    expect(await refusal([...args, join(directory, "none")], "INVALID_ARGUMENT")).toContain("does not exist");
    expect(await refusal([...args, open], "INVALID_ARGUMENT")).toContain("allowed: mode 0600");
    const said = await refusal([...args, short], "INVALID_ARGUMENT");
    expect(said).toContain("64 hexadecimal digits");
    expect(said).not.toContain("abcdef");
  });
});

describe("a directory that has a node's data", () => {
  let whole: string;
  let other: string;
  let port: number;
  const argsOn = (directory: string): string[] => ["--directory", directory, "--listen", `127.0.0.1:${port}`, ...alone];

  beforeAll(async () => {
    port = await freePorts(2);
    whole = join(temporaryDirectory(), "whole");
    other = join(temporaryDirectory(), "other");
    const running = await serve(argsOn(whole));
    const client = await RingtailClient.connect({ seedNodes: [`127.0.0.1:${port}`] });
    await client.bucket("b", { codec: text }).put("k", "v");
    await client.close();
    await running.stop();
    await (await serve(argsOn(other))).stop();
  });

  /** A copy of the whole directory to damage. */
  function copy(): string {
    const directory = join(temporaryDirectory(), "copy");
    cpSync(whole, directory, { recursive: true });
    return directory;
  }

  const stateFile = (directory: string, name: StateFileName): string => join(directory, "state", `${name}.state`);

  it.each(["identity", "ring", "actor"] as const)("a damaged %s file is named, and kept as it is", async (name) => {
    const directory = copy();
    const path = stateFile(directory, name);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
    writeFileSync(path, bytes);
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain(
      `the state file "${name}" is damaged: bad checksum`,
    );
    expect(readFileSync(path)).toEqual(bytes);
    truncateSync(path, 20);
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain(`the state file "${name}" is damaged`);
    truncateSync(path, 0);
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain(`"${name}" is not a Ringtail state file`);
  });

  it.each(["ballot", "members", "transfers"] as const)(
    "and so is a %s file, before anything is begun",
    async (name) => {
      const directory = copy();
      truncateSync(stateFile(directory, name), 16);
      expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain(`the state file "${name}" is damaged`);
    },
  );

  it.each(["identity", "ring", "actor"] as const)(
    "a later format of the %s file is refused, and says so",
    async (name) => {
      const directory = copy();
      const path = stateFile(directory, name);
      writeFileSync(path, sealStateFile(2, openStateFile(name, 1, new Uint8Array(readFileSync(path)))));
      const said = await refusal(argsOn(directory), "STORAGE_FAILED");
      expect(said).toContain(`the state file "${name}" has format 2; this version of Ringtail reads up to format 1`);
    },
  );

  it("a later format of the whole directory, and a stamp that is none", async () => {
    const directory = copy();
    writeFileSync(join(directory, "FORMAT"), "ringtail data directory, format 2\n");
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain(
      "has format 2; this version of Ringtail reads up to",
    );
    writeFileSync(join(directory, "FORMAT"), "something else\n");
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain("is not a format stamp of Ringtail's");
  });

  it("a directory whose ring file is gone does not become another cluster's", async () => {
    const directory = copy();
    rmSync(stateFile(directory, "ring"));
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toMatch(/"ring" is missing: .* cluster [0-9a-f]{32}/);
    expect(existsSync(stateFile(directory, "ring"))).toBe(false);
  });

  it("a directory that mixes two nodes, or has lost its identity", async () => {
    const directory = copy();
    rmSync(stateFile(directory, "identity"));
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain('"identity" is missing');
    copyFileSync(stateFile(whole, "identity"), stateFile(directory, "identity"));
    copyFileSync(stateFile(other, "ring"), stateFile(directory, "ring"));
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain("the directory mixes two nodes");
  });

  it("a store whose node is forgotten is nobody's: a new node would bring back what others have deleted", async () => {
    const directory = copy();
    rmSync(join(directory, "state"), { recursive: true });
    const said = await refusal([...argsOn(directory), "--bootstrap"], "STORAGE_FAILED");
    expect(said).toContain(`the state file "identity" is missing, but ${directory} holds the records of a node`);
  });

  it("a directory that holds something else, or is none", async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, "thesis.txt"), "irreplaceable");
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain("is no Ringtail data directory");
    expect(readFileSync(join(directory, "thesis.txt"), "utf8")).toBe("irreplaceable");
    expect(await refusal(argsOn(join(directory, "thesis.txt")), "STORAGE_FAILED")).toContain(
      "cannot use the data directory",
    );
  });

  it("another address than the ring has", async () => {
    const args = ["--directory", copy(), "--listen", `127.0.0.1:${port + 1}`, ...alone];
    const said = await refusal(args, "INVALID_ARGUMENT");
    expect(said).toContain(
      `this node is 127.0.0.1:${port} in its cluster's ring, but is configured as 127.0.0.1:${port + 1}`,
    );
  });

  it("a damaged store", async () => {
    const directory = copy();
    writeFileSync(join(directory, "store", "CURRENT"), "MANIFEST-999999\n");
    expect(await refusal(argsOn(directory), "STORAGE_FAILED")).toContain(join(directory, "store"));
  });

  it("is used by one process at a time: a second one says so, and the first goes on", async () => {
    const running = await serve(argsOn(whole));
    const said = await refusal(argsOn(whole), "STORAGE_FAILED");
    expect(said).toContain(whole);
    expect(said).toMatch(/in use|another process/);
    const elsewhere = join(temporaryDirectory(), "elsewhere");
    const taken = await refusal(argsOn(elsewhere), "INVALID_ARGUMENT");
    expect(taken).toContain(`127.0.0.1:${port} is in use`);
    const got = jsonOf(await ringtail(["get", "b", "k", "--seed-node", `127.0.0.1:${port}`, "--json"]));
    expect(got).toMatchObject({ found: true, siblings: [{ value: "v" }] });
    expect((await running.stop()).status).toBe(0);
    expect(processesOn(whole)).toEqual([]);
  });

  it("SIGINT twice is one stop, and SIGTERM before it is ready stops it too", async () => {
    const running = await serve(argsOn(whole));
    running.signal("SIGINT");
    expect((await running.stop("SIGINT")).status).toBe(0);
    const waiting = start(["serve", "--directory", join(temporaryDirectory(), "w"), "--listen", `127.0.0.1:${port}`]);
    await waiting.line(/listens on/);
    expect((await waiting.stop("SIGTERM")).status).toBe(0);
  });

  it("that was left by kill -9 starts again at once, with its data and a word about it", async () => {
    const running = await serve(argsOn(whole));
    await running.stop("SIGKILL");
    const again = await serve(argsOn(whole));
    expect(again.stderr).toContain("the last stop was not clean");
    const got = jsonOf(await ringtail(["get", "b", "k", "--seed-node", `127.0.0.1:${port}`, "--json"]));
    expect(got).toMatchObject({ found: true, siblings: [{ value: "v" }] });
    await again.stop();
  });
});

it("a directory cannot be made where there may be none", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "d"));
  writeFileSync(join(directory, "d", "FORMAT"), "");
  expect(await refusal(["--directory", join(directory, "d"), ...alone], "STORAGE_FAILED")).toContain("FORMAT");
});
