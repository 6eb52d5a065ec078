/** WakefulCpus: the wish to the kernel is held under load, let go without, and what it is depends on how CPUs sleep. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Logger, silentLog } from "../../../src/base/log.ts";
import { WakefulCpus } from "../../../src/io/wakeful-cpus.ts";

let directory: string;
let told: string[];
let turns: number;
const log: Logger = { ...silentLog, info: (text) => told.push(text) };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "ringtail-cpus-"));
  told = [];
  turns = 0;
});
afterEach(() => rmSync(directory, { recursive: true }));

const wish = (): string => join(directory, "wish");
const asked = (): number => readFileSync(wish()).readInt32LE(0);

function cpus(driver: string): WakefulCpus {
  writeFileSync(join(directory, "driver"), driver);
  return new WakefulCpus(() => turns, log, { wish: wish(), driver: join(directory, "driver") });
}

function second(watch: WakefulCpus, turnsThen: number): void {
  turns += turnsThen;
  watch.look();
}

it("asks under load, lets go of it in the first quiet second, and asks again", () => {
  writeFileSync(wish(), Buffer.alloc(4, 0xff));
  const watch = cpus("intel_idle\n");
  second(watch, 60);
  expect(watch.isHeld).toBe(false);
  second(watch, 400);
  expect([watch.isHeld, asked()]).toEqual([true, 2]);
  second(watch, 400);
  expect(watch.isHeld).toBe(true);
  second(watch, 60);
  expect(watch.isHeld).toBe(false);
  second(watch, 5_000);
  expect(watch.isHeld).toBe(true);
  watch.stop();
  expect(watch.isHeld).toBe(false);
  expect(told).toHaveLength(1);
});

it.each([
  ["haltpoll\n", 0],
  ["acpi_idle\n", 2],
  ["", 2],
])("where CPUs sleep by %j, asks for %i us", (driver, us) => {
  writeFileSync(wish(), Buffer.alloc(4, 0xff));
  const watch = cpus(driver);
  second(watch, 1_000);
  expect(asked()).toBe(us);
  watch.stop();
});

it("tells once where the kernel takes no wish, and goes on without", () => {
  const watch = cpus("haltpoll\n");
  for (let i = 0; i < 3; i += 1) second(watch, 1_000);
  expect(watch.isHeld).toBe(false);
  expect(told).toEqual([expect.stringContaining("takes no wish")]);
  watch.stop();
});
