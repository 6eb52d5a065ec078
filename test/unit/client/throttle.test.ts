/** A client that is refused again and again asks less, and as much as before when that is over. */
import { describe, expect, it, test } from "vitest";
import { Rng } from "../../../src/base/rng.ts";
import { type Instant, instant } from "../../../src/base/time.ts";
import { Throttle } from "../../../src/client/throttle.ts";
import { ClientWorld } from "../../support/client-world.ts";

/** Asks a cluster that answers so many requests of each millisecond and refuses the rest; counts what was sent in each second. */
function sent(askedPerMs: number, answeredPerMs: (ms: number) => number, seconds: number): number[] {
  const throttle = new Throttle();
  const rng = new Rng(1);
  const perSecond: number[] = new Array<number>(seconds).fill(0);
  for (let ms = 0; ms < seconds * 1_000; ms += 1) {
    const now: Instant = instant(5_000_000 + ms * 1_000);
    let left = answeredPerMs(ms);
    for (let i = 0; i < askedPerMs; i += 1) {
      if (throttle.holdsBack(now, rng)) continue;
      const second = Math.floor(ms / 1_000);
      perSecond[second] = (perSecond[second] as number) + 1;
      if (left > 0) throttle.onAnswer(now);
      else throttle.onOverloaded(now);
      left -= 1;
    }
  }
  return perSecond;
}

describe("what is sent", () => {
  test("everything, while no more than a fifth of it is refused", () => {
    expect(sent(10, () => 10, 2)).toEqual([10_000, 10_000]);
    expect(sent(10, () => 8, 2)).toEqual([10_000, 10_000]);
  });

  test("about a quarter more than is answered, however much is asked", () => {
    for (const asked of [20, 50, 200]) {
      const [, second] = sent(asked, () => 8, 2);
      expect(second).toBeGreaterThan(9_000);
      expect(second).toBeLessThan(11_000);
    }
  });

  test("next to nothing when nothing is answered", () => {
    const [, second] = sent(50, () => 0, 2);
    expect(second).toBeLessThan(500);
  });

  test("everything again, two seconds after the overload at the most", () => {
    const [during, , after] = sent(20, (ms) => (ms < 1_000 ? 2 : 20), 4);
    expect(during).toBeLessThan(8_000);
    expect(after).toBeGreaterThan(19_000);
  });
});

it("a client of nodes that refuse everything stops sending, says so, and comes back when they answer", async () => {
  const world = new ClientWorld({ nodes: 3 });
  const bucket = (await world.open()).bucket("b");
  for (const node of world.nodes) node.script = () => ({ error: "OVERLOADED", retryAfterUs: 20_000 });
  const texts = new Set<string>();
  for (let i = 0; i < 400; i += 1) texts.add((await world.failure(bucket.get(`k${i}`, { timeoutMs: 10 }))).message);
  const seen = world.nodes.reduce((sum, node) => sum + node.seen.length, 0);
  expect(seen).toBeLessThan(200);
  expect([...texts].some((text) => text.startsWith("not sent: nodes have refused most requests"))).toBe(true);
  for (const node of world.nodes) node.script = () => "answer";
  await world.run(1_100_000);
  for (let i = 0; i < 50; i += 1) await world.settle(bucket.get(`k${i}`));
});
