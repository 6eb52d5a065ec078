/** RouteHealth: when a peer is degraded or down, when it is asked again, and that nothing sticks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type NodeNumber, nodeNumber } from "../../../src/base/ids.ts";
import { type Instant, instant, never } from "../../../src/base/time.ts";
import { RouteHealth, type RouteHealthEffects, type RouteState } from "../../../src/node/route-health.ts";
import { expectGolden } from "../../support/golden.ts";

const second = 1_000_000;

/** A detector over a few peers, with a clock of its own that ticks whenever the detector wants it to. */
class World implements RouteHealthEffects {
  readonly health = new RouteHealth(this);
  readonly lines: string[] = [];
  readonly probes: { at: number; number: number }[] = [];
  now = 0;

  constructor(peers: number) {
    for (let number = 1; number <= peers; number += 1) this.health.watch(nodeNumber(number));
  }

  probe(now: Instant, number: NodeNumber): void {
    this.probes.push({ at: now, number });
    this.lines.push(`              probe ${number}`);
  }
  stateChanged(_now: Instant, number: NodeNumber, state: RouteState, before: RouteState): void {
    this.lines.push(`              ${number}: ${before} -> ${state}`);
  }

  say(text: string): this {
    this.lines.push(`${String(this.now / 1000).padStart(8)} ms ${text}`);
    return this;
  }

  /** Lets time pass, ticking as a host would. */
  until(at: number): this {
    for (let next = this.health.nextTick(); next <= at; next = this.health.nextTick()) {
      expect(next === never || next > this.now - 1).toBe(true);
      this.now = Math.max(this.now, next);
      const told = this.lines.length;
      this.health.tick(instant(this.now));
      if (this.lines.length > told) this.lines.splice(told, 0, `${String(this.now / 1000).padStart(8)} ms tick`);
    }
    this.now = at;
    return this;
  }

  /** So many answers of a peer with one latency. */
  answers(number: number, count: number, latencyUs: number): this {
    for (let i = 0; i < count; i += 1) {
      this.health.sent(nodeNumber(number));
      this.health.answered(instant(this.now), nodeNumber(number), latencyUs);
    }
    return this;
  }
  /** So many requests of peers that this node's store has answered. */
  served(count: number, storageUs: number): this {
    for (let i = 0; i < count; i += 1) this.health.served(instant(this.now), storageUs);
    return this;
  }

  timeouts(number: number, count: number): this {
    for (let i = 0; i < count; i += 1) {
      this.health.sent(nodeNumber(number));
      this.health.timedOut(instant(this.now), nodeNumber(number));
    }
    return this;
  }
  failures(number: number, count: number): this {
    for (let i = 0; i < count; i += 1) this.health.failed(instant(this.now), nodeNumber(number));
    return this;
  }
  states(): RouteState[] {
    const list: RouteState[] = [];
    for (let number = 1; this.health.state(number) !== "ok" || number <= 5; number += 1)
      list.push(this.health.state(number));
    return list;
  }
}

test("a peer that says it is stopping is down until it says hello again, whatever else it answers meanwhile", () => {
  const world = new World(2);
  world.health.sent(nodeNumber(1));
  world.health.stopping(instant(0), nodeNumber(1));
  expect(world.health.reachable(1)).toBe(false);
  world.answers(1, 20, 100).until(second);
  world.health.answeredLate(instant(world.now), nodeNumber(1));
  expect(world.health.state(1)).toBe("down");
  world.health.refused(instant(world.now), nodeNumber(1));
  expect(world.health.state(1)).toBe("down");
  world.health.connected(instant(world.now), nodeNumber(1));
  expect([world.health.state(1), world.health.allReachable]).toEqual(["ok", true]);
});

describe("timeouts", () => {
  test("three in a row degrade, and an answer in between begins anew", () => {
    const world = new World(3).timeouts(1, 2).answers(1, 1, 500).timeouts(1, 2);
    expect(world.health.state(1)).toBe("ok");
    world.timeouts(1, 1);
    expect(world.health.state(1)).toBe("degraded");
    expect(world.health.reachable(1), "a degraded peer is still asked").toBe(true);
    world.answers(1, 1, 500);
    expect(world.health.state(1)).toBe("ok");
  });

  test("the first probe unanswered makes it down; probes come after 250 ms, doubling to 5 s", () => {
    const world = new World(3).timeouts(1, 3).until(250_000);
    expect([world.health.state(1), world.probes.length]).toEqual(["degraded", 1]);
    world.until(499_999);
    expect(world.health.state(1)).toBe("degraded");
    world.until(500_000);
    expect([world.health.state(1), world.health.reachable(1), world.health.allReachable]).toEqual([
      "down",
      false,
      false,
    ]);
    world.until(60 * second);
    const waits = world.probes
      .slice(1)
      .map((probe, at) => probe.at - (world.probes[at] as { at: number }).at - 250_000);
    expect(waits.slice(0, 6)).toEqual([500_000, second, 2 * second, 4 * second, 5 * second, 5 * second]);
    expect(waits.every((wait) => wait <= 5 * second)).toBe(true);
  });

  test("an answered probe ends it, and the next time begins at 250 ms again", () => {
    const world = new World(3).timeouts(1, 3).until(3 * second);
    expect(world.health.state(1)).toBe("down");
    world.health.answeredLate(instant(world.now), nodeNumber(1));
    expect([world.health.state(1), world.health.allReachable]).toEqual(["ok", true]);
    const before = world.probes.length;
    world.timeouts(1, 3).until(world.now + 250_000);
    expect(world.probes.length).toBe(before + 1);
  });

  test("of long ago are forgotten", () => {
    const world = new World(3)
      .timeouts(1, 2)
      .until(10 * second)
      .timeouts(1, 2);
    expect(world.health.state(1)).toBe("ok");
  });
});

describe("connections", () => {
  test("refused or reset is down at once, and what was under way is gone", () => {
    const world = new World(2);
    for (let i = 0; i < 5; i += 1) world.health.sent(nodeNumber(2));
    expect(world.health.inFlight(2)).toBe(5);
    world.health.refused(instant(0), nodeNumber(2));
    expect([world.health.state(2), world.health.inFlight(2)]).toEqual(["down", 0]);
    world.until(249_999);
    expect(world.probes).toEqual([]);
    world.until(250_000);
    expect(world.probes).toEqual([{ at: 250_000, number: 2 }]);
    world.health.refused(instant(world.now), nodeNumber(2));
    world.until(749_999);
    expect(world.probes.length).toBe(1);
    world.until(750_000);
    expect(world.probes.length).toBe(2);
    world.health.connected(instant(world.now), nodeNumber(2));
    expect([world.health.state(2), world.health.nextTick()]).toEqual(["ok", never]);
  });

  test("a new connection forgets what was held against the old process", () => {
    const world = new World(3).answers(2, 20, 500).answers(3, 20, 500).answers(1, 20, 90_000).until(200_000);
    expect(world.health.state(1)).toBe("degraded");
    world.health.refused(instant(world.now), nodeNumber(1));
    world.health.connected(instant(world.now), nodeNumber(1));
    expect(world.health.state(1)).toBe("ok");
    expect(world.answers(1, 1, 700).health.latencyUs(1)).toBe(700);
  });

  test("who is not watched is ok; who is no longer watched is not counted as down", () => {
    const world = new World(1);
    world.timeouts(77, 9).answers(77, 9, 10).failures(77, 9);
    expect([world.health.state(77), world.health.reachable(77), world.health.cost(77)]).toEqual(["ok", true, 0]);
    world.health.refused(instant(0), nodeNumber(1));
    world.health.unwatch(nodeNumber(1));
    expect([world.health.allReachable, world.health.nextTick()]).toEqual([true, never]);
  });
});

describe("slowness", () => {
  const compared = (latencies: readonly number[]): RouteState[] => {
    const world = new World(latencies.length);
    for (const [at, latency] of latencies.entries()) world.answers(at + 1, 40, latency);
    world.until(100_000);
    return latencies.map((_, at) => world.health.state(at + 1));
  };

  test("over four times the median of the others degrades", () => {
    expect(compared([500, 600, 500, 2_500])).toEqual(["ok", "ok", "ok", "degraded"]);
    expect(compared([500, 600, 500, 1_900])).toEqual(["ok", "ok", "ok", "ok"]);
    expect(compared([9_000, 2_000])).toEqual(["degraded", "ok"]);
  });

  test("all slow: nobody is degraded", () => {
    expect(compared([80_000, 90_000, 85_000])).toEqual(["ok", "ok", "ok"]);
    expect(compared([80_000, 90_000])).toEqual(["ok", "ok"]);
  });

  test("one peer has nobody to be compared with, and below a millisecond nobody is slow", () => {
    expect(compared([900_000])).toEqual(["ok"]);
    expect(compared([50, 60, 900])).toEqual(["ok", "ok", "ok"]);
  });

  test("takes a few answers to show, and ends below twice the median", () => {
    const world = new World(3).answers(1, 40, 1_000).answers(2, 40, 1_000).answers(3, 7, 50_000).until(100_000);
    expect(world.health.state(3)).toBe("ok");
    world.answers(3, 1, 50_000).until(200_000);
    expect(world.health.state(3)).toBe("degraded");
    while (world.health.latencyUs(3) > 2_500) world.answers(3, 1, 1_000);
    world.until(world.now + 100_000);
    expect(world.health.state(3), "still over twice the median").toBe("degraded");
    world.answers(3, 20, 1_000).until(world.now + 100_000);
    expect(world.health.state(3), "as fast as the others, but slow a moment ago").toBe("degraded");
    world
      .answers(1, 1, 1_000)
      .answers(2, 1, 1_000)
      .answers(3, 1, 1_000)
      .until(world.now + 2_200_000);
    expect(world.health.state(3)).toBe("ok");
  });

  test("a process that stands still in bursts is slow between them, too, and ends two seconds after the last", () => {
    const world = new World(3);
    const quick = (peers: readonly number[]): void => {
      for (const peer of peers) world.answers(peer, 40, 500);
    };
    quick([1, 2, 3]);
    world.until(200_000);
    for (let burst = 0; burst < 6; burst += 1) {
      quick([1, 2]);
      world.answers(3, 4, 100_000).until(world.now + 100_000);
      expect(world.health.state(3), `burst ${burst}`).toBe("degraded");
      quick([1, 2, 3]);
      world.until(world.now + 300_000);
      expect(world.health.state(3), `after burst ${burst}`).toBe("degraded");
    }
    for (let at = 0; at < 8; at += 1) {
      quick([1, 2, 3]);
      world.until(world.now + 300_000);
    }
    expect(world.health.state(3)).toBe("ok");
  });

  test("who was slow is not when all the others are as slow by now", () => {
    const world = new World(3).answers(1, 40, 500).answers(2, 40, 500).answers(3, 40, 30_000).until(100_000);
    expect(world.health.state(3)).toBe("degraded");
    world.answers(1, 60, 30_000).answers(2, 60, 30_000).answers(3, 1, 30_000).until(200_000);
    expect([1, 2, 3].map((peer) => world.health.state(peer))).toEqual(["ok", "ok", "ok"]);
  });

  test("is forgotten when nobody asks any more, and then there is nothing to tick for", () => {
    const world = new World(3).answers(1, 40, 1_000).answers(2, 40, 1_000).answers(3, 40, 50_000).until(200_000);
    expect(world.health.state(3)).toBe("degraded");
    world.until(60 * second);
    expect([world.health.state(3), world.health.nextTick()]).toEqual(["ok", never]);
  });
});

describe("this node's own store", () => {
  const peers = (us: number): World => new World(2).answers(1, 40, us).answers(2, 40, us);

  test("is slow at four times what the peers take, and no more below twice", () => {
    const world = peers(1_000).served(40, 3_900).until(100_000);
    expect(world.health.isSlow).toBe(false);
    world.answers(1, 1, 1_000).served(40, 4_200).until(200_000);
    expect(world.health.isSlow).toBe(true);
    for (let at = 0; at < 8; at += 1) {
      world.answers(1, 8, 1_000).answers(2, 8, 1_000).served(8, 2_100);
      world.until(world.now + 300_000);
    }
    expect(world.health.isSlow).toBe(true);
    for (const isSlow of [true, false]) {
      world.answers(1, 1, 1_000).served(40, 1_900);
      world.until(world.now + 1_900_000);
      expect(world.health.isSlow, "the worst of two seconds").toBe(isSlow);
    }
  });

  test("is not when the peers are as slow, when nobody asks, or when there are no peers to compare it with", () => {
    expect(peers(20_000).served(40, 30_000).until(100_000).health.isSlow).toBe(false);
    expect(peers(1_000).served(4, 30_000).until(100_000).health.isSlow).toBe(false);
    expect(new World(2).served(40, 30_000).until(100_000).health.isSlow).toBe(false);
    const world = peers(1_000).served(40, 30_000).until(100_000);
    expect(world.health.isSlow).toBe(true);
    world.until(60 * second);
    expect([world.health.isSlow, world.health.nextTick()]).toEqual([false, never]);
  });
});

describe("errors", () => {
  test("more than half of the latest answers: degraded; OVERLOADED is one of them", () => {
    const world = new World(2).answers(1, 20, 500).failures(1, 5);
    expect(world.health.state(1)).toBe("ok");
    world.failures(1, 1);
    expect(world.health.state(1)).toBe("degraded");
    world.answers(1, 8, 500);
    expect(world.health.state(1)).toBe("ok");
  });

  test("fade by time", () => {
    const world = new World(2).failures(1, 30);
    expect(world.health.state(1)).toBe("degraded");
    world.until(10 * second);
    expect(world.health.state(1)).toBe("ok");
  });
});

test("requests under way are counted, given up ones too, and never fall below none", () => {
  const world = new World(1).answers(1, 4, 800);
  for (let i = 0; i < 3; i += 1) world.health.sent(nodeNumber(1));
  expect([world.health.inFlight(1), world.health.cost(1)]).toEqual([3, 800 * 4 ** 3]);
  world.health.told(nodeNumber(1), 2, 50);
  expect(world.health.cost(1), "with those that the peer has of others").toBe(800 * 6 ** 3);
  world.health.givenUp(nodeNumber(1));
  world.timeouts(1, 0).failures(1, 1);
  world.health.timedOut(instant(0), nodeNumber(1));
  world.health.givenUp(nodeNumber(1));
  world.health.answered(instant(0), nodeNumber(1), -1);
  expect(world.health.inFlight(1)).toBe(0);
  expect(world.health.latencyUs(1)).toBe(800);
});

test("a latency of hours is no overflow", () => {
  const world = new World(1).answers(1, 50, 3_600 * second);
  expect(world.health.latencyUs(1)).toBe(60 * second);
});

test("an effect that calls its core back is caught", () => {
  const effects: RouteHealthEffects = {
    probe: () => {},
    stateChanged: (now, number) => health.connected(now, number),
  };
  const health = new RouteHealth(effects);
  health.watch(nodeNumber(1));
  expect(() => health.refused(instant(0), nodeNumber(1))).toThrow("an effect called its core back");
});

/** What happens to a peer, for the property below. */
const events = fc.array(
  fc.record({
    kind: fc.constantFrom("sent", "answered", "failed", "timedOut", "refused", "connected", "late", "givenUp", "wait"),
    number: fc.integer({ min: 1, max: 4 }),
    value: fc.integer({ min: 0, max: 3 * second }),
  }),
  { maxLength: 200 },
);

test("whatever happens: down means lost, states are told as they change, silence heals all but the lost", () => {
  fc.assert(
    fc.property(events, (list) => {
      const world = new World(4);
      const told = new Map<number, RouteState>();
      const tell = world.stateChanged.bind(world);
      world.stateChanged = (now, number, state, before) => {
        expect(told.get(number) ?? "ok").toBe(before);
        expect(state).not.toBe(before);
        told.set(number, state);
        tell(now, number, state, before);
      };
      const { health } = world;
      // A naive account of who can be down: refused, or three timeouts without a sign of life since.
      const suspects = new Map<number, number>();
      for (const { kind, number, value } of list) {
        const peer = nodeNumber(number);
        const now = instant(world.now);
        if (kind === "wait") world.until(world.now + value);
        else if (kind === "sent") health.sent(peer);
        else if (kind === "answered") health.answered(now, peer, value % 2 === 0 ? value : -1);
        else if (kind === "late") health.answeredLate(now, peer);
        else if (kind === "givenUp") health.givenUp(peer);
        else health[kind](now, peer);
        if (kind === "refused") suspects.set(number, 3);
        else if (kind === "timedOut") suspects.set(number, (suspects.get(number) ?? 0) + 1);
        else if (kind === "answered" || kind === "failed" || kind === "connected" || kind === "late")
          suspects.delete(number);
        let down = 0;
        for (const each of [1, 2, 3, 4]) {
          expect(health.state(each)).toBe(told.get(each) ?? "ok");
          expect(health.inFlight(each)).toBeGreaterThanOrEqual(0);
          if (health.state(each) !== "down") continue;
          down += 1;
          expect(suspects.get(each) ?? 0).toBeGreaterThanOrEqual(3);
        }
        expect(health.allReachable).toBe(down === 0);
        if (kind === "refused") expect(health.state(number)).toBe("down");
      }
      for (const each of [1, 2, 3, 4])
        if (health.state(each) === "down") health.connected(instant(world.now), nodeNumber(each));
      for (const each of [1, 2, 3, 4]) health.answeredLate(instant(world.now), nodeNumber(each));
      world.until(world.now + 60 * second);
      expect([1, 2, 3, 4].map((each) => health.state(each))).toEqual(["ok", "ok", "ok", "ok"]);
      expect(health.nextTick()).toBe(never);
    }),
    { numRuns: 400 },
  );
});

test("golden: a peer hangs, is probed, given up, and comes back slow", () => {
  const world = new World(3);
  world.say("three peers answer in half a millisecond").answers(1, 20, 500).answers(2, 20, 500).answers(3, 20, 500);
  world
    .until(1 * second)
    .say("peer 3 hangs: three requests time out")
    .timeouts(3, 3);
  world.until(4 * second).say("the connection to it is reset");
  world.health.refused(instant(world.now), nodeNumber(3));
  world.until(5 * second).say("it says hello");
  world.health.connected(instant(world.now), nodeNumber(3));
  world.say("its disk is slow: 30 ms").answers(1, 20, 500).answers(2, 20, 500).answers(3, 20, 30_000);
  world
    .until(6 * second)
    .say("all are slow now")
    .answers(1, 40, 25_000)
    .answers(2, 40, 25_000)
    .answers(3, 10, 30_000);
  world
    .until(7 * second)
    .say("nobody asks any more")
    .until(60 * second);
  const title =
    "What one node thinks of three peers: three timeouts degrade, an unanswered probe means down, probes back off; slow is relative to the others.";
  expectGolden("route-health", `${title}\n\n${world.lines.join("\n")}\n`);
});
