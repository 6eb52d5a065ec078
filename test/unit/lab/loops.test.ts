/**
 * The loops against a made-up cluster on made-up time. The first test is the generator's own alibi: a cluster that stands
 * still for half a second must look bad in an open loop, and looks well in a closed one.
 */
import { describe, expect, it } from "vitest";
import { RingtailError } from "../../../src/base/errors.ts";
import { Rng } from "../../../src/base/rng.ts";
import { after, type Instant, instant, never } from "../../../src/base/time.ts";
import { Arrivals } from "../../../src/lab/arrivals.ts";
import { ClosedLoop } from "../../../src/lab/closed-loop.ts";
import { Contexts } from "../../../src/lab/contexts.ts";
import { keyChoice } from "../../../src/lab/key-choice.ts";
import { KeySpace } from "../../../src/lab/key-space.ts";
import { OpenLoop } from "../../../src/lab/open-loop.ts";
import { Recorder } from "../../../src/lab/recorder.ts";
import { merged, percentilesOf } from "../../../src/lab/result.ts";
import { Traffic } from "../../../src/lab/traffic.ts";
import { MadeUpCluster } from "./made-up-cluster.ts";

const second = 1_000_000;
const serviceUs = 1_000;

interface Setup {
  readonly cluster: MadeUpCluster;
  readonly recorder: Recorder;
  readonly traffic: Traffic;
}

function setUp(
  options: { isOpenLoop: boolean; from: number; to: number; keys?: number; readPercent?: number },
  onEnded = (): void => {},
): Setup {
  const cluster = new MadeUpCluster(serviceUs);
  const recorder = new Recorder({
    from: instant(options.from),
    to: instant(options.to),
    isOpenLoop: options.isOpenLoop,
  });
  const keys = options.keys ?? 100;
  const traffic = new Traffic({
    target: cluster,
    recorder,
    keySpace: new KeySpace({ count: keys, keyBytes: 8, valueBytes: 16, rng: new Rng(1) }),
    contexts: new Contexts(keys),
    choice: keyChoice("uniform", new Rng(2), keys),
    rng: new Rng(3),
    readPercent: options.readPercent ?? 50,
    onEnded,
  });
  return { cluster, recorder, traffic };
}

/** Runs an open loop to the end of its schedule and of its answers; a look every `lookUs`. */
function runOpen(setup: Setup, options: { rate: number; until: number; inFlightMax?: number; lookUs?: number }): void {
  const { cluster, traffic } = setup;
  const loop = new OpenLoop({
    traffic,
    arrivals: new Arrivals("constant", options.rate, new Rng(4), instant(0)),
    until: instant(options.until),
    inFlightMax: options.inFlightMax ?? 100_000,
    clock: () => cluster.now(),
  });
  for (let now = instant(0); loop.next !== never || traffic.inFlight > 0; now = after(now, options.lookUs ?? 50)) {
    cluster.advance(now);
    loop.poll(now);
  }
}

function runClosed(clients: number, from: number, to: number, prepare: (cluster: MadeUpCluster) => void): Setup {
  const turn = (now: Instant): void => loop.fill(now);
  const setup = setUp({ isOpenLoop: false, from, to }, () => {
    loop.free();
    setup.cluster.wantTurn(turn);
  });
  const loop = new ClosedLoop(clients, (now) => {
    if (now >= to) return false;
    setup.traffic.send(now, now, false);
    return true;
  });
  prepare(setup.cluster);
  setup.cluster.wantTurn(turn);
  setup.cluster.runToEnd();
  return setup;
}

function responseMs(recorder: Recorder): ReturnType<typeof percentilesOf> {
  return percentilesOf(merged(recorder.gets.response, recorder.puts.response));
}

describe("coordinated omission", () => {
  const from = 1 * second;
  const to = 11 * second;
  const freeze = (cluster: MadeUpCluster): void => cluster.freeze(instant(5 * second), instant(5.5 * second));

  it("an open loop shows a freeze of 500 ms", () => {
    const setup = setUp({ isOpenLoop: true, from, to });
    freeze(setup.cluster);
    runOpen(setup, { rate: 1000, until: to });
    const response = responseMs(setup.recorder);
    expect(response.p50).toBeLessThan(1.1);
    expect(response["p99.9"]).toBeGreaterThan(480);
    expect(response.max).toBeLessThan(502);
    expect(setup.recorder.gets.operations + setup.recorder.puts.operations).toBe(10_000);
    expect(setup.recorder.heldBack).toBe(0);
  });

  it("a closed loop hides it", () => {
    const { recorder } = runClosed(8, from, to, freeze);
    const response = responseMs(recorder);
    expect(response["p99.9"]).toBeLessThan(1.1);
    expect(response.max).toBeGreaterThan(490);
    // 8 clients and 1 ms each: 8,000 a second, but for the half second.
    expect(recorder.answeredInside).toBeGreaterThan(75_000);
    expect(recorder.answeredInside).toBeLessThan(76_100);
  });

  it("a generator that looks late shows it in lateness and in response time, not in service time", () => {
    const setup = setUp({ isOpenLoop: true, from, to });
    runOpen(setup, { rate: 1000, until: to, lookUs: 10_000 });
    expect(percentilesOf(setup.recorder.lateness)["p99.9"]).toBeGreaterThan(8.9);
    expect(responseMs(setup.recorder)["p99.9"]).toBeGreaterThan(18);
    const service = percentilesOf(merged(setup.recorder.gets.service, setup.recorder.puts.service));
    expect(service["p99.9"]).toBeLessThan(10.1);
  });
});

describe("an open loop", () => {
  it("never has more in flight than it may, says how many had to wait, and counts none of it as its own lateness", () => {
    const setup = setUp({ isOpenLoop: true, from: 0, to: 2 * second });
    setup.cluster.freeze(instant(second), instant(1.5 * second));
    runOpen(setup, { rate: 1000, until: 2 * second, inFlightMax: 100 });
    expect(setup.cluster.mostInFlight).toBe(100);
    expect(setup.recorder.heldBack).toBeGreaterThan(395);
    expect(setup.recorder.heldBack).toBeLessThan(410);
    expect(percentilesOf(setup.recorder.lateness).max).toBeLessThan(1);
    expect(responseMs(setup.recorder).max).toBeGreaterThan(490);
  });

  it("sends everything that is due although it looks rarely", () => {
    const setup = setUp({ isOpenLoop: true, from: 0, to: second });
    runOpen(setup, { rate: 20_000, until: second, lookUs: 2_000 });
    expect(setup.recorder.gets.operations + setup.recorder.puts.operations).toBe(20_000 - 1);
  });
});

describe("a closed loop", () => {
  it("has exactly so many in flight", () => {
    const { cluster } = runClosed(17, 0, second, () => {});
    expect(cluster.mostInFlight).toBe(17);
  });

  it("goes on after errors, and counts them by code", () => {
    const { recorder, cluster } = runClosed(4, 0, second, ({ failures }) => {
      for (let i = 0; i < 10; i += 1) failures.push(new RingtailError("QUORUM_NOT_MET"));
      failures.push(new RingtailError("OVERLOADED"));
    });
    expect(Object.fromEntries(recorder.errorCounts)).toEqual({ QUORUM_NOT_MET: 10, OVERLOADED: 1 });
    expect(recorder.gets.errors + recorder.puts.errors).toBe(11);
    expect(recorder.gets.operations + recorder.puts.operations).toBe(4000 - 11);
    expect(cluster.mostInFlight).toBe(4);
  });

  it("what was sent before the window does not count, but its answer inside the window is throughput", () => {
    const { recorder } = runClosed(1, 500_500, second, () => {});
    expect(recorder.gets.operations + recorder.puts.operations).toBe(499);
    expect(recorder.answeredInside).toBe(499);
  });
});

describe("traffic", () => {
  it("puts carry the newest context of their key, and the first ones of a key none", () => {
    const { cluster, recorder } = runClosed(1, 0, second, () => {});
    const blind = cluster.puts.filter(({ context }) => context.length === 0);
    const keys = new Set(cluster.puts.map(({ key }) => key));
    expect(blind.length).toBe(keys.size);
    expect(recorder.blindPuts).toBe(keys.size);
    expect(cluster.puts.length).toBeGreaterThan(2 * keys.size);
  });

  it("keeps to the share of gets", () => {
    const setup = setUp({ isOpenLoop: true, from: 0, to: 5 * second, readPercent: 95 });
    runOpen(setup, { rate: 4000, until: 5 * second });
    const { gets, puts } = setup.recorder;
    expect(gets.operations / (gets.operations + puts.operations)).toBeGreaterThan(0.94);
    expect(gets.operations / (gets.operations + puts.operations)).toBeLessThan(0.96);
  });
});
