/** Hints find their way home: stories, limits, and a random world in which nothing may be lost. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { wireOf } from "../../../src/base/errors.ts";
import { expectGolden } from "../../support/golden.ts";
import { HintWorld } from "../../support/hint-world.ts";
import { recordNamed } from "../../support/replica-story.ts";

const overloaded = wireOf("OVERLOADED");

describe("stories", () => {
  it("outage and return", () => {
    const world = new HintWorld();
    world.owners = [2, 3, 4];
    for (const name of ["a", "b", "c"]) world.keepFor(2, name, recordNamed("B1"));
    world.delivery.start(world.now);
    world.run();
    world.say("node 2 cannot be reached: nothing is sent");
    expect(world.delivery.waitingOf(2)).toBe("unreachable");
    world.say("a connection to node 2 stands");
    world.delivery.onReachable(world.now, 2);
    world.run();
    expect([world.kept(), world.delivery.inFlight, world.delivery.delivered]).toEqual([[], 0, 3]);
    expect(world.at(2, "b")).toBe("{B1} [B1=b1]");
    expect(world.delivery.waitingOf(2)).toBe("nothing");
    expectGolden("hint-outage", world.text("An owner was away; when it can be reached it gets what was kept for it."));
  });

  it("the target is replaced while its hints wait", () => {
    const world = new HintWorld();
    world.owners = [2, 3, 4];
    world.keepFor(2, "a", recordNamed("B1"), 70);
    world.keepFor(2, "b", recordNamed("C1"), 80);
    world.delivery.onReachable(world.now, 3);
    world.say("the ring names node 5 where it named node 2, which will not come back");
    world.owners = [5, 3, 4];
    world.fullFor = 5;
    world.delivery.onRing(world.now);
    world.run(() => world.owed.length === 0 && world.delivery.waitingOf(2) === "unplaced");
    expect(world.kept().filter((text) => text.includes("for 2"))).toHaveLength(2);
    world.say("there is room again");
    world.fullFor = 0;
    world.run(() => world.counts.countOf(2) === 0 && world.counts.countOf(3) === 0);
    expect(world.kept().sort()).toEqual(
      [4, 5].flatMap((to) => [`a for ${to}: {B1} [B1=b1]`, `b for ${to}: {C1} [C1=c1]`]).sort(),
    );
    world.say("the others can be reached");
    world.delivery.onReachable(world.now, 4);
    world.delivery.onReachable(world.now, 5);
    world.run();
    expect(world.kept()).toEqual([]);
    for (const node of [3, 4, 5]) expect([world.at(node, "a"), world.at(node, "b")]).not.toContain("nothing");
    expectGolden(
      "hint-replaced",
      world.text("Hints for a node that owns nothing any more become hints for the owners, with their age."),
    );
  });

  it("a crash between acknowledgement and deletion", () => {
    const world = new HintWorld();
    world.owners = [2, 3, 4];
    world.keepFor(2, "a", recordNamed("B1"));
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.owed[0]?.what === "dropped");
    expect(world.at(2, "a")).toBe("{B1} [B1=b1]");
    world.restart();
    world.delivery.onReachable(world.now, 2);
    world.run();
    expect([world.kept(), world.deliveries, world.at(2, "a")]).toEqual([[], 2, "{B1} [B1=b1]"]);
    expectGolden("hint-crash", world.text("A crash after the target's answer delivers twice, which changes nothing."));
  });

  it("a write to a hint that is being delivered", () => {
    const world = new HintWorld();
    world.owners = [2, 3, 4];
    world.keepFor(2, "a", recordNamed("B1"));
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.owed[0]?.what === "delivered");
    world.say("another write of the key is kept for node 2");
    world.keepFor(2, "a", recordNamed("C1"));
    world.run();
    expect([world.kept(), world.at(2, "a")]).toEqual([[], "{B1 C1} [B1=b1 C1=c1]"]);
    expectGolden(
      "hint-changed",
      world.text("A hint that changed while it was under way is not deleted; it is sent again."),
    );
  });

  it("a target in trouble", () => {
    const world = new HintWorld({ inFlightPerTarget: 1 });
    world.owners = [2, 3, 4];
    world.keepFor(2, "a", recordNamed("B1"));
    world.keepFor(2, "b", recordNamed("C1"));
    world.faults.set(2, overloaded);
    world.pass(2_000_000);
    world.delivery.onReachable(world.now, 2);
    const rate = world.delivery.rateOf(2);
    world.run(() => world.delivery.waitingOf(2) === "failing");
    expect([world.delivery.rateOf(2), world.delivery.failureOf(2)]).toEqual([rate / 2, overloaded]);
    world.say("then it says nothing at all");
    world.faults.set(2, "silent");
    const asked = world.deliveries;
    world.run(() => world.deliveries > asked);
    world.run(() => world.delivery.failureOf(2) !== overloaded);
    expect(world.delivery.failureOf(2)).toBe(wireOf("DEADLINE_EXCEEDED"));
    world.say("then it is well again");
    world.faults.delete(2);
    world.run();
    expect([world.kept(), world.delivery.failureOf(2)]).toEqual([[], 0]);
    expectGolden("hint-trouble", world.text("Errors and silence end a pass and halve the rate; nothing is dropped."));
  });
});

describe("delivery", () => {
  function many(count: number, config = {}): HintWorld {
    const world = new HintWorld(config);
    world.owners = [2, 3, 4];
    for (let i = 0; i < count; i += 1) world.keepFor(2, `k${i}`, recordNamed("B1"));
    return world;
  }

  it("has no more under way than its own limits and the receiver's window allow", () => {
    const world = many(100, { pageKeys: 7, inFlightPerTarget: 5, rateStart: 1 << 30 });
    const bytes = recordNamed("B1").length + 6;
    world.delivery.onReachable(world.now, 2);
    let most = 0;
    world.run(() => {
      most = Math.max(most, world.delivery.inFlight);
      return false;
    });
    expect([most, world.kept()]).toEqual([5, []]);
    for (let i = 0; i < 100; i += 1) world.keepFor(2, `m${i}`, recordNamed("B1"));
    world.creditBytes = 2 * bytes;
    world.delivery.onStored(world.now, 2);
    world.run(() => world.delivery.delivered > 110);
    most = 0;
    world.run(() => {
      most = Math.max(most, world.delivery.inFlight);
      return false;
    });
    expect([most, world.kept()]).toEqual([2, []]);
  });

  it("waits while the target gives no credit, and asks again", () => {
    const world = many(2, { inFlightPerTarget: 1 });
    world.creditBytes = 0;
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.delivery.delivered === 1);
    expect([world.delivery.waitingOf(2), world.owed.length]).toEqual(["credit", 0]);
    const start = world.now;
    world.run();
    expect(world.kept()).toEqual([]);
    expect(world.now - start).toBeGreaterThanOrEqual(1_000_000);
  });

  it("keeps to its rate", () => {
    const world = many(200, { rateStart: 4096, rateStep: 0 });
    const bytes = world.counts.bytesOf(2);
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.kept().length === 0);
    const fair = (bytes / 4096) * 1_000_000;
    expect(world.now).toBeGreaterThan(fair * 0.9);
    expect(world.now).toBeLessThan(fair * 1.2 + 100_000);
  });

  it("speeds up by steps, and slows down when the target's clients suffer", () => {
    const world = many(300, { rateStart: 2048, rateStep: 1024, rateLeast: 512, inFlightPerTarget: 1 });
    world.pass(5_000_000);
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.delivery.rateOf(2) >= 5 * 1024);
    world.foregroundUs = 3_001;
    world.run(() => world.delivery.rateOf(2) <= 1024);
    world.foregroundUs = 3_000;
    const slowest = world.delivery.rateOf(2);
    world.run(() => world.delivery.rateOf(2) > slowest);
    world.run();
    expect(world.kept()).toEqual([]);
  });

  it("passes over a hint that the target refuses, and takes the others home", () => {
    const world = many(3, { inFlightPerTarget: 1 });
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.owed[0]?.what === "delivered");
    world.faults.set(2, wireOf("WRONG_OWNER"));
    world.answer();
    world.faults.clear();
    world.run(() => world.delivery.delivered === 2);
    expect(world.kept()).toHaveLength(1);
    world.run();
    expect(world.kept()).toEqual([]);
  });

  it("ignores an answer that comes after its time", () => {
    const world = many(1);
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.owed[0]?.what === "delivered");
    const [late] = world.owed.splice(0, 1);
    world.pass(6_000_000);
    expect(world.delivery.inFlight).toBe(0);
    late?.give(world.now);
    expect(world.owed).toEqual([]);
    world.run();
    expect([world.kept(), world.deliveries]).toEqual([[], 2]);
  });

  it("does not wait for the safety scan when a hint is kept for somebody who is there, but has it", () => {
    const world = new HintWorld({ safetyUs: 50_000_000 });
    world.owners = [2, 3, 4];
    world.delivery.start(world.now);
    world.delivery.onReachable(world.now, 2);
    world.keepFor(2, "a", recordNamed("B1"));
    world.delivery.onStored(world.now, 2);
    world.run(() => world.delivery.delivered === 1);
    expect(world.now).toBeLessThan(1_000_000);
    world.keepFor(2, "b", recordNamed("B1"));
    world.run(() => world.delivery.delivered === 2);
    expect(world.now).toBeGreaterThanOrEqual(50_000_000);
  });

  it("tries again what it could not read, also for a target that will not come back", () => {
    const world = many(3);
    world.owners = [3, 4, 5];
    world.unreadable = true;
    world.delivery.onRing(world.now);
    world.run(() => world.now > 10_000_000);
    expect(world.kept()).toHaveLength(3);
    world.unreadable = false;
    world.run(() => world.counts.countOf(2) === 0);
    expect(world.kept()).toHaveLength(9);
  });

  it("looks at a hint that is kept for one who has left already", () => {
    const world = new HintWorld();
    world.owners = [3, 4, 5];
    world.left.add(2);
    world.delivery.start(world.now);
    world.keepFor(2, "a", recordNamed("B1"));
    world.delivery.onStored(world.now, 2);
    world.run(() => world.counts.countOf(2) === 0);
    expect(world.kept()).toHaveLength(3);
  });

  it("does nothing without a ring", () => {
    const world = many(3);
    world.owners = [];
    world.delivery.onReachable(world.now, 2);
    world.run(() => world.now > 30_000_000);
    expect([world.deliveries, world.kept().length]).toEqual([0, 3]);
  });
});

type Event =
  | { readonly what: "keep" | "reach" | "lose" | "fault" | "heal"; readonly node: number; readonly pick: number }
  | { readonly what: "answer" | "time" | "ring" | "crash"; readonly node: number; readonly pick: number };

const kinds: readonly Event["what"][] = ["keep", "keep", "reach", "lose", "fault", "heal", "ring", "crash"];

const events = fc.array(
  fc.record({
    what: fc.oneof(
      { weight: 6, arbitrary: fc.constant("answer" as const) },
      { weight: 3, arbitrary: fc.constant("time" as const) },
      { weight: 3, arbitrary: fc.constantFrom(...kinds) },
    ),
    node: fc.integer({ min: 2, max: 5 }),
    pick: fc.nat(40),
  }),
  { minLength: 1, maxLength: 120, size: "max" },
);

const rings: readonly (readonly number[])[] = [[2, 3, 4], [3, 4, 5], [5, 2, 3], [4], []];
const faults = [overloaded, wireOf("WRONG_OWNER"), wireOf("CONNECTION_LOST"), "silent"] as const;

function play(world: HintWorld, { what, node, pick }: Event, dots: Map<string, string[]>, place: number): void {
  if (what === "keep") {
    const name = `k${pick % 4}`;
    const dot = `${String.fromCharCode(0x3b1 + place)}1`;
    dots.set(name, [...(dots.get(name) ?? []), dot]);
    world.keepFor(node, name, recordNamed(dot));
    world.delivery.onStored(world.now, node);
  } else if (what === "reach") world.delivery.onReachable(world.now, node);
  else if (what === "lose") world.delivery.onUnreachable(world.now, node);
  else if (what === "fault") world.faults.set(node, faults[pick % faults.length] as (typeof faults)[number]);
  else if (what === "heal") world.faults.delete(node);
  else if (what === "time") world.pass(pick * 200_000);
  else if (what === "crash") world.restart(pick);
  else if (what === "answer" && world.owed.length > 0) world.answer(pick % world.owed.length);
  else if (what === "ring") {
    world.owners = rings[pick % rings.length] as readonly number[];
    world.creditBytes = pick % 3 === 0 ? 0 : 300;
    world.delivery.onRing(world.now);
  }
}

/** Everything is home after the history and a time without trouble; throws otherwise. */
function runWorld(history: readonly Event[]): void {
  const world = new HintWorld({ inFlightMax: 5, inFlightPerTarget: 3, pageKeys: 2, jitterUs: 500_000 });
  world.owners = [2, 3, 4];
  const dots = new Map<string, string[]>();
  world.delivery.start(world.now);
  for (const [place, event] of history.entries()) play(world, event, dots, place);
  world.faults.clear();
  world.creditBytes = 1 << 20;
  world.owners = [3, 4, 5];
  world.delivery.onRing(world.now);
  for (const node of [2, 3, 4, 5]) world.delivery.onReachable(world.now, node);
  world.run(() => world.hints.size === 0 && world.delivery.inFlight === 0);
  if (world.kept().length > 0 || world.delivery.inFlight > 0) throw new Error("hints do not find home");
  for (const [name, all] of dots) {
    const found = [2, 3, 4, 5].map((node) => world.at(node, name)).join();
    if (all.some((dot) => !found.includes(dot))) throw new Error("a write was lost");
  }
}

describe("in a random world", () => {
  it("no hint goes before what it holds is elsewhere, and after the trouble all are home", () => {
    fc.assert(fc.property(events, runWorld), { numRuns: 300 });
  });

  it("that would be found broken if a hint went before its acknowledgement", () => {
    enableCanaries(["drop-hint-before-ack"]);
    try {
      expect(fc.check(fc.property(events, runWorld), { numRuns: 100, seed: 1, endOnFailure: true }).failed).toBe(true);
    } finally {
      enableCanaries([]);
    }
  });
});
