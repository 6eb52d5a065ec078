/** EngineWatch: an engine whose writes wait for compactions that fail is given up; one that is only slow is not. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
