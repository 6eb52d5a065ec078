/** Processes in the world: boots, alarms, turns, pauses and the ways to die, shown with an echo process. */
import { describe, expect, it } from "vitest";
import type { Instant } from "../../../src/base/time.ts";
import { after, instant } from "../../../src/base/time.ts";
import type { Environment } from "../../../src/node/environment.ts";
import { SimDrive } from "../../../src/sim/drive.ts";
import type { SimNode, SimProcess } from "../../../src/sim/process.ts";
import { World } from "../../../src/sim/world.ts";
import type { Link, LinkEvents } from "../../../src/wire/link.ts";

/** Answers every chunk with the same bytes at the end of the turn, and ticks every 100 ms. */
class Echo implements SimProcess {
  ready = false;
  ticks: number[] = [];
  turns = 0;
  chunks = 0;
  readonly env: Environment;
  #answers: [Link, Uint8Array][] = [];

  constructor(env: Environment) {
    this.env = env;
  }

  start(now: Instant): void {
    this.ready = true;
    this.env.setAlarm(after(now, 100_000));
  }

  tick(now: Instant): void {
    this.ticks.push(now);
    this.env.setAlarm(after(now, 100_000));
  }

  endTurn(): void {
    this.turns += 1;
    for (const [link, bytes] of this.#answers) link.write(bytes);
    this.#answers = [];
  }

  accept(_now: Instant, link: Link): LinkEvents {
    return {
      onOpen() {},
      onBytes: (_at, chunk) => {
        this.chunks += 1;
        if (chunk[0] === 0xff) throw new Error("poisoned byte");
        if (chunk[0] === 0xfe) this.env.fatal("asked to");
        this.#answers.push([link, chunk.slice()]);
        this.env.wantTurnEnd();
      },
      onWritable() {},
      onClosed() {},
    };
  }

  stop(): void {
    this.env.stopped();
  }
}

/** Dials another node and keeps what happens. */
class Caller extends Echo {
  link: Link | undefined;
  events: string[] = [];
  /** Everything received; how it was cut is the network's affair. */
  received: number[] = [];

  call(address: string): void {
    this.link = this.env.transport.connect(address, {
      onOpen: () => this.events.push("open"),
      onBytes: (_now, chunk) => {
        this.received.push(...chunk);
      },
      onWritable() {},
      onClosed: (_now, reason) => this.events.push(`closed: ${reason}`),
    });
  }
}

function pair(): { world: World; echo: SimNode; caller: SimNode; process: () => Caller } {
  const world = new World({ seed: 5, turnUs: 50 });
  const drive = (name: string): SimDrive => new SimDrive(world.rng.fork(name));
  const echo = world.addNode("127.0.0.1:7401", drive("a"), (env) => new Echo(env));
  const caller = world.addNode("127.0.0.2:7401", drive("b"), (env) => new Caller(env));
  echo.boot(world.now);
  caller.boot(world.now);
  world.runFor(1_000);
  return { world, echo, caller, process: () => caller.process as Caller };
}

function within(world: World, us: number, condition: () => boolean): void {
  expect(world.runUntil(instant(world.now + us), condition)).toBe(true);
}

describe("SimNode", () => {
  it("answers over a link, once per turn", () => {
    const { world, echo, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    process().link?.write(Uint8Array.of(1));
    process().link?.write(Uint8Array.of(2));
    within(world, 100_000, () => process().received.length === 2);
    expect(process().received).toEqual([1, 2]);
    const { chunks, turns } = echo.process as Echo;
    expect(turns).toBeGreaterThan(0);
    expect(turns).toBeLessThanOrEqual(chunks);
  });

  it("ticks at the alarm, never early", () => {
    const { world, echo } = pair();
    world.runFor(1_000_000);
    const { ticks } = echo.process as Echo;
    expect(ticks.length).toBe(9);
    for (let i = 1; i < ticks.length; i += 1)
      expect((ticks[i] as number) - (ticks[i - 1] as number)).toBeGreaterThanOrEqual(100_000);
  });

  it("does nothing while paused, and then everything in order", () => {
    const { world, echo, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    echo.pause(world.now);
    for (let i = 1; i <= 5; i += 1) process().link?.write(Uint8Array.of(i));
    world.runFor(2_000_000);
    expect(process().received).toEqual([]);
    const before = (echo.process as Echo).ticks.length;
    echo.resume(world.now);
    within(world, 100_000, () => process().received.length === 5);
    expect(process().received).toEqual([1, 2, 3, 4, 5]);
    expect((echo.process as Echo).ticks.length).toBe(before + 1);
  });

  it("a killed process is heard no more, its peer is told, and the next life starts anew", () => {
    const { world, echo, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    const old = echo.process as Echo;
    const ticks = old.ticks.length;
    echo.kill(world.now);
    within(world, 100_000, () => process().events.some((event) => event.startsWith("closed")));
    world.runFor(1_000_000);
    expect(old.ticks.length).toBe(ticks);
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.some((event) => event.includes("refused")));
    echo.boot(world.now);
    process().events = [];
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    expect(echo.process).not.toBe(old);
    expect(world.deaths).toEqual([]);
  });

  it("after a power cut nobody tells the peer: its link stays half-open until it is used", () => {
    const { world, echo, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    const bootId = (echo.process as Echo).env.bootId;
    echo.powerCut(world.now);
    world.runFor(3_000_000);
    expect(process().events).toEqual(["open"]);
    echo.boot(world.now);
    process().link?.write(Uint8Array.of(1));
    within(world, 10_000_000, () => process().events.length === 2);
    expect(process().events[1]).toContain("reset");
    world.runFor(1_000);
    expect((echo.process as Echo).env.bootId).not.toBe(bootId);
  });

  it("an exception and a fatal error end the process and are reported", () => {
    const { world, echo, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    process().link?.write(Uint8Array.of(0xff));
    within(world, 100_000, () => world.deaths.length === 1);
    expect(world.deaths[0]?.reason).toContain("poisoned byte");
    expect(echo.alive).toBe(false);
    echo.boot(world.now);
    world.runFor(1_000);
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.filter((event) => event === "open").length === 2);
    process().link?.write(Uint8Array.of(0xfe));
    within(world, 100_000, () => world.deaths.length === 2);
    expect(world.deaths[1]?.reason).toBe("fatal: asked to");
  });

  it("a clean stop is no death", () => {
    const { world, echo } = pair();
    echo.stop(world.now);
    within(world, 100_000, () => echo.stopped);
    expect(echo.alive).toBe(false);
    expect(world.deaths).toEqual([]);
  });
});

describe("Network", () => {
  it("a directed split stalls one direction and leaves the other", () => {
    const { world, echo, caller, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    world.network.block(echo.position, caller.position);
    process().link?.write(Uint8Array.of(7));
    world.runFor(1_000_000);
    expect((echo.process as Echo).chunks).toBe(1);
    expect(process().received).toEqual([]);
    world.network.unblock(echo.position, caller.position);
    within(world, 1_000_000, () => process().received.length === 1);
    expect(process().received).toEqual([7]);
  });

  it("a path that two faults block opens when both are over", () => {
    const { world, echo, caller } = pair();
    world.network.block(0, 1);
    world.network.block(0, 1);
    world.network.unblock(0, 1);
    expect(world.network.passes(echo, caller)).toBe(false);
    world.network.unblock(0, 1);
    expect(world.network.passes(echo, caller)).toBe(true);
  });

  it("a dial into a split times out, and one that heals in time gets through", () => {
    const { world, process } = pair();
    world.network.block(1, 0);
    process().call("127.0.0.1:7401");
    within(world, 10_000_000, () => process().events.some((event) => event.includes("timed out")));
    process().events = [];
    process().call("127.0.0.1:7401");
    world.runFor(500_000);
    world.network.unblock(1, 0);
    within(world, 3_000_000, () => process().events.includes("open"));
  });

  it("a stream that stalls for too long breaks at the sender", () => {
    const { world, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open"));
    world.network.block(1, 0);
    process().link?.write(Uint8Array.of(1));
    within(world, 20_000_000, () => process().events.length === 2);
    expect(process().events[1]).toContain("timed out");
  });

  it("a reset breaks both ends", () => {
    const { world, process } = pair();
    process().call("127.0.0.1:7401");
    within(world, 100_000, () => process().events.includes("open") && world.network.connections().length === 1);
    world.network.connections()[0]?.reset();
    within(world, 100_000, () => process().events.length === 2);
    expect(process().events[1]).toContain("reset");
    within(world, 100_000, () => world.network.connections().length === 0);
  });
});
