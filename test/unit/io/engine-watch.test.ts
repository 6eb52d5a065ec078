/** EngineWatch: an engine whose writes wait for compactions that fail is given up; one that is only slow is not. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import type { Logger } from "../../../src/base/log.ts";
import { systemClock } from "../../../src/io/clock.ts";
import { EngineWatch } from "../../../src/io/engine-watch.ts";
import { RocksEngine } from "../../../src/io/rocks-store.ts";

const engine = { errors: 0, stopped: false, property: (name: string): string => figure(name) };
const told: string[] = [];
const note = (text: string): void => {
  told.push(text);
};
const log = { error: note } as unknown as Logger;
let watch: EngineWatch;

function figure(name: string): string {
  return name === "rocksdb.background-errors" ? String(engine.errors) : Number(engine.stopped).toString();
}

/** What is said, and what the node ends with, after the given looks: errors so far, and whether writes wait. */
function after(...looks: readonly (readonly [number, boolean])[]): readonly string[] {
  told.length = 0;
  watch = new EngineWatch(engine, log, note);
  for (const [errors, stopped] of looks) {
    engine.errors = errors;
    engine.stopped = stopped;
    watch.look();
  }
  return told;
}

afterEach(() => watch.stop());

it("gives up an engine that writes no more while its compactions fail", () => {
  const [first, second, ...others] = after([3, true], [3, true], [4, true]);
  expect(first).toMatch(/tried again/);
  expect(second).toMatch(/writes no more.*ringtail cluster replace/);
  expect(others).toEqual([]);
});

it("has patience with one that is only behind, and with one that goes on after errors", () => {
  expect(after([0, true], [0, true], [0, true])).toEqual([]);
  expect(after([1, true], [1, true], [1, false], [2, true], [2, true])).toHaveLength(1);
  expect(after([1, false], [2, false], [3, false])).toHaveLength(1);
});

it("asks for figures that RocksDB has", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ringtail-watch-"));
  try {
    const real = await RocksEngine.open(directory, { clock: systemClock });
    for (const name of ["rocksdb.background-errors", "rocksdb.is-write-stopped"]) expect(real.property(name)).toBe("0");
  } finally {
    rmSync(directory, { recursive: true });
  }
});

it("ends a process whose RocksDB cannot get past a damaged block, and tells the cure", () => {
  const directory = mkdtempSync(join(tmpdir(), "ringtail-stuck-"));
  const script = fileURLToPath(new URL("../../support/stuck-engine.mjs", import.meta.url));
  const run = (batches: number): { signal: string | null; stdout: string } =>
    spawnSync(process.execPath, [script, directory, String(batches)], { encoding: "utf8", timeout: 60_000 });
  try {
    expect(run(200)).toMatchObject({ signal: null, stdout: "" });
    for (const name of readdirSync(directory).filter((file) => file.endsWith(".sst"))) {
      const bytes = readFileSync(join(directory, name));
      // In every few blocks of each table; its index is at its end.
      for (let at = 1_000; at < bytes.length * 0.9; at += 20_000) bytes[at] = (bytes[at] as number) ^ 1;
      writeFileSync(join(directory, name), bytes);
    }
    const { signal, stdout } = run(100_000);
    expect(signal).toBe("SIGKILL");
    expect(stdout).toMatch(/is tried again.*\n.*writes no more.*ringtail cluster replace/);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 150_000);
