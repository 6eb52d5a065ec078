/** Data directory, state files and lock on a real disk. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { prepareDataDirectory } from "../../../src/io/data-directory.ts";
import { RocksEngine } from "../../../src/io/rocks-store.ts";
import { DiskStateFiles } from "../../../src/io/state-files.ts";
import { EngineRecorder } from "../../support/engine-recorder.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ringtail-directory-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a new directory is stamped, and opens again", () => {
  const data = join(directory, "a", "b");
  expect(prepareDataDirectory(data)).toEqual({
    store: join(data, "store"),
    log: join(data, "log"),
    state: join(data, "state"),
  });
  expect(readFileSync(join(data, "FORMAT"), "utf8")).toBe("ringtail data directory, format 1\n");
  mkdirSync(join(data, "store"));
  prepareDataDirectory(data);
});

test("a later format, a strange stamp, a strange directory and a file are refused with a reason", () => {
  writeFileSync(join(directory, "FORMAT"), "ringtail data directory, format 2\n");
  expect(() => prepareDataDirectory(directory)).toThrow("has format 2; this version of Ringtail reads up to format 1");
  writeFileSync(join(directory, "FORMAT"), "something else\n");
  expect(() => prepareDataDirectory(directory)).toThrow("not a format stamp");
  rmSync(join(directory, "FORMAT"));
  writeFileSync(join(directory, "thesis.tex"), "");
  expect(() => prepareDataDirectory(directory)).toThrow("is not empty");
  expect(() => prepareDataDirectory(join(directory, "thesis.tex"))).toThrow("cannot use the data directory");
});

test("a stamp that was being written when the process died does not lock the directory out", () => {
  writeFileSync(join(directory, "FORMAT.new"), "ringt");
  prepareDataDirectory(directory);
  expect(readFileSync(join(directory, "FORMAT"), "utf8")).toBe("ringtail data directory, format 1\n");
});

test("a second opener of a store is told who is in the way, and the lock goes with the first", async () => {
  const options = { clock: systemClock, blockCacheBytes: 1024 * 1024 };
  const first = await RocksEngine.open(directory, options);
  await expect(RocksEngine.open(directory, options)).rejects.toThrow(`another process uses ${directory}`);
  const seen = new EngineRecorder();
  first.attach(seen);
  first.close();
  await expect.poll(() => seen.closed).toBe(true);
  const second = await RocksEngine.open(directory, options);
  const again = new EngineRecorder();
  second.attach(again);
  second.close();
  await expect.poll(() => again.closed).toBe(true);
});

test("a lock that cannot be opened is not taken for another process", async () => {
  mkdirSync(join(directory, "LOCK"));
  const opening = RocksEngine.open(directory, { clock: systemClock });
  await expect(opening).rejects.toThrow(/^cannot open the store in .*directory/);
});

test("the lock of a killed process is gone with it", async () => {
  const script = `const db = new (require("rocksdb"))(process.argv[1]); db.open({}, (e) => { console.log(e ?? "open"); });
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["-e", script, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const said = await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(String(said)).toBe("open\n");
  const options = { clock: systemClock, blockCacheBytes: 1024 * 1024 };
  await expect(RocksEngine.open(directory, options)).rejects.toThrow(`another process uses ${directory}`);
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
  const engine = await RocksEngine.open(directory, options);
  engine.attach(new EngineRecorder());
  engine.close();
  await expect.poll(() => engine.closed).toBe(true);
});

test("a store that cannot be opened says where", async () => {
  writeFileSync(join(directory, "file"), "");
  await expect(RocksEngine.open(join(directory, "file"), { clock: systemClock })).rejects.toThrow(
    `cannot open the store in ${join(directory, "file")}`,
  );
});

test("state files are replaced in order, privately, and found at the next start", async () => {
  const state = join(directory, "state");
  const files = new DiskStateFiles(state, systemClock);
  const answers: (string | null)[] = [];
  files.attach({ onStateWritten: (_now, token, error) => answers.push(error ?? `saved ${token}`) });
  expect(files.load("ring")).toBeNull();
  for (let i = 0; i < 20; i += 1) files.save("ring", utf8(`ring ${i}`), i);
  files.save("actor", utf8("actor"), 20);
  expect(answers).toEqual([]);
  await expect.poll(() => answers.length).toBe(21);
  expect(answers.filter((answer) => answer !== "saved 20")).toEqual(Array.from({ length: 20 }, (_, i) => `saved ${i}`));
  expect(readdirSync(state).sort()).toEqual(["actor.state", "ring.state"]);
  expect(statSync(join(state, "ring.state")).mode & 0o777).toBe(0o600);
  writeFileSync(join(state, "ring.state.new"), "half a fi");
  const again = new DiskStateFiles(state, systemClock);
  expect(again.load("ring")).toEqual(Buffer.from("ring 19"));
  expect(again.load("identity")).toBeNull();
  expect(readdirSync(state).sort()).toEqual(["actor.state", "ring.state"]);
});

test("a state file that cannot be written is an error that names it", async () => {
  const state = join(directory, "state");
  const files = new DiskStateFiles(state, systemClock);
  const errors: (string | null)[] = [];
  files.attach({ onStateWritten: (_now, _token, error) => errors.push(error) });
  rmSync(state, { recursive: true });
  files.save("ring", utf8("x"), 1);
  await expect.poll(() => errors.length).toBe(1);
  expect(errors[0]).toContain('cannot save the state file "ring"');
});
