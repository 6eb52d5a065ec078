/** Another store as a target: what its promises become, and what becomes of those that come too late. */
import { afterEach, expect, it } from "vitest";
import { RingtailError } from "../../../src/base/errors.ts";
import type { Instant } from "../../../src/base/time.ts";
import { type Driver, DriverSystem } from "../../../src/lab/driver-target.ts";
import type { Answer, OperationEvents } from "../../../src/lab/target.ts";
import { until } from "../../support/until.ts";

const facts = { nodes: 3, epoch: 0, partitions: 1, n: 3, r: 1, w: 2, durability: "memory" };
const key = new Uint8Array([1]);
const found: Answer = { context: new Uint8Array([7]), siblings: 1, valueBytes: 3 };

/** Answers when the test says so. */
class HeldDriver implements Driver {
  readonly facts = facts;
  readonly held: { resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
  puts = 0;
  closed = false;

  get(): Promise<Answer> {
    return new Promise((resolve, reject) => this.held.push({ resolve, reject }));
  }

  put(_key: Uint8Array, _value: Uint8Array, context: Uint8Array): Promise<Uint8Array> {
    this.puts += 1;
    return Promise.resolve(new Uint8Array([...context, 9]));
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

class Heard implements OperationEvents {
  readonly told: unknown[] = [];

  onGot(_now: Instant, { siblings, valueBytes }: Answer): void {
    this.told.push({ siblings, valueBytes });
  }
  onWritten(_now: Instant, context: Uint8Array): void {
    this.told.push([...context]);
  }
  onFailure(_now: Instant, { code, message }: RingtailError): void {
    this.told.push(`${code} ${message}`);
  }
}

const driver = new HeldDriver();
const system = new DriverSystem(driver);
afterEach(() => system.close());

it("an operation ends in one event, never inside the call that began it", async () => {
  const target = system.target(10_000_000);
  const heard = new Heard();
  expect(target.put(target.now(), key, key, new Uint8Array([5]), heard)).toBeNull();
  expect(heard.told).toEqual([]);
  target.get(target.now(), key, heard);
  target.get(target.now(), key, heard);
  target.get(target.now(), key, heard);
  driver.held[0]?.resolve(found);
  driver.held[1]?.reject(new RingtailError("QUORUM_NOT_MET", "too few"));
  driver.held[2]?.reject(new Error("reset"));
  await until(() => heard.told.length === 4);
  expect(heard.told).toEqual([
    [5, 9],
    { siblings: 1, valueBytes: 3 },
    "QUORUM_NOT_MET too few",
    "CONNECTION_LOST Error: reset",
  ]);

  // One that is over its time fails, and its answer is not heard any more.
  const hasty = system.target(1_000);
  const late = new Heard();
  hasty.get(hasty.now(), key, late);
  await until(() => late.told.length > 0);
  driver.held[3]?.resolve(found);
  await new Promise((resolve) => setImmediate(resolve));
  expect(late.told).toHaveLength(1);
  expect(late.told[0]).toMatch(/^DEADLINE_EXCEEDED/);

  let turns = 0;
  target.wantTurn(() => {
    turns += 1;
  });
  await until(() => turns === 1);
  expect(system.facts).toEqual(facts);
  expect(system.seenBy(key, 0, 1)).toBe(0);
  await system.close();
  expect(driver.closed).toBe(true);
});
