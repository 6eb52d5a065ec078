/** The engine's own threads are in the idle class once they have been lowered, and the event loop's thread is where it was. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { silentLog } from "../../../src/base/log.ts";
import { engineThreads, lowerEngineThreads } from "../../../src/io/engine-threads.ts";
import { RocksHost } from "../../support/engine-host.ts";
import { EngineRecorder } from "../../support/engine-recorder.ts";

const normalClass = 0;
const idleClass = 5;

/** The 41st of the figures that proc(5) has for a thread; its name, in brackets, is the second. */
function classOf(thread: number): number {
  const [, afterName] = readFileSync(`/proc/${process.pid}/task/${thread}/stat`, "utf8").split(/\) (?=[A-Z] )/);
  return Number(afterName?.split(" ")[38]);
}

it.runIf(process.platform === "linux")("puts the engine's threads, and no other, into the idle class", async () => {
  const host = new RocksHost();
  (await host.open()).attach(new EngineRecorder());
  const threads = engineThreads();
  expect(threads.length).toBeGreaterThan(1);
  await lowerEngineThreads(silentLog);
  expect(threads.map(classOf)).toEqual(threads.map(() => idleClass));
  expect(classOf(process.pid)).toBe(normalClass);
  await host.closeLast();
  await host.dispose();
});
