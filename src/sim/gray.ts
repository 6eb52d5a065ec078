/**
 * Gray: a node that is there and answers, only late, under clients that are the SDK itself (a gray failure). A quiet
 * cluster is measured, then something makes a node slow (or all of them), and the run tells when its peers found it,
 * whom they held for slow, and what clients waited for before, while it was being found, and after that.
 */
import { assert } from "../base/assert.ts";
import { utf8 } from "../base/bytes.ts";
import { Durability } from "../base/durability.ts";
import type { RingtailError } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { Rng } from "../base/rng.ts";
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";
import { ClientCore } from "../client/core.ts";
import type { ClientEnvironment } from "../client/environment.ts";
import { defaultOptions, getRequest, putRequest, type Request } from "../client/request.ts";
import type { RouteState } from "../node/route-health.ts";
import type { GetReply, PutReply } from "../wire/gen/codecs.ts";
import type { LinkEvents } from "../wire/link.ts";
import { simBucket } from "./client-call.ts";
import { addressOf, Cluster } from "./cluster.ts";
import type { Place } from "./place.ts";
import { drawPlan, type RunPlan } from "./plan.ts";
import type { SimNode } from "./process.ts";
import type { Action } from "./scheduler.ts";
import type { World } from "./world.ts";

/** An application with the SDK in the simulated world: it never fails itself, and keeps the SDK's host's promises. */
class SdkPlace implements Place, ClientEnvironment {
  readonly name = "application";
  readonly position: number;
  readonly alive = true;
  readonly powered = true;
  readonly life = 1;
  readonly rng: Rng;
  readonly transport: ClientEnvironment["transport"];
  readonly core: ClientCore;
  readonly #world: World;
  #alarm: Instant = never;
  #turnEnds = false;
  isOpen = false;

  constructor(world: World, seedNodes: readonly string[]) {
    this.#world = world;
    this.position = world.network.size;
    this.rng = world.rng.fork("application");
    world.network.add(this, undefined);
    this.transport = world.network.transport(this);
    this.core = new ClientCore(
      this,
      {
        seedNodes,
        clusterId: undefined,
        connectTimeoutUs: 5_000_000,
        connectionsPerNode: 1,
        inFlightMax: 8_192,
        coordination: "node" as const,
        latencyTargetUs: 30_000,
      },
      {
        onOpen: () => {
          this.isOpen = true;
        },
        onOpenFailed: (_now, error) => assert(false, error.message),
        onClosed: () => {},
      },
    );
    this.core.start(world.now);
  }

  now(): Instant {
    return this.#world.now;
  }

  randomBytes(count: number): Uint8Array {
    return this.rng.fill(new Uint8Array(count));
  }

  setAlarm(at: Instant): void {
    this.#alarm = at;
    if (at === never) return;
    this.#world.scheduler.at(instant(Math.max(at, this.#world.now)), (now) => {
      if (this.#alarm !== at) return;
      this.#alarm = never;
      this.core.tick(now);
    });
  }

  wantTurnEnd(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    this.#world.scheduler.in(0, (now) => {
      this.#turnEnds = false;
      this.core.endTurn(now);
    });
  }

  enter(now: Instant, _life: number, entry: Action): void {
    entry(now);
  }

  accept(): LinkEvents | undefined {
    return undefined;
  }
}

/** What makes nodes slow. */
export type GrayCause = "slow-disk" | "bursts" | "slow-link" | "all-slow";

/** All causes. */
export const grayCauses: readonly GrayCause[] = ["slow-disk", "bursts", "slow-link", "all-slow"];

/** Latencies of one stretch of a run. */
export interface GrayStretch {
  readonly operations: number;
  readonly failed: number;
  readonly p50Us: DurationUs;
  readonly p99Us: DurationUs;
  readonly p999Us: DurationUs;
}

/** What one run showed. */
export interface GrayResult {
  readonly before: GrayStretch;
  /** The two seconds in which it is to be found. */
  readonly finding: GrayStretch;
  readonly after: GrayStretch;
  /** From the beginning of the slowness until all its peers held the node for slow; -1: they never did. */
  readonly foundAfterUs: DurationUs;
  /** Nodes that somebody held for slow or away after that although nothing ailed them, or everybody; as "observer>node". */
  readonly wronged: readonly string[];
  /** Gets that were asked twice, of all gets. */
  readonly hedges: number;
  readonly gets: number;
}

const nodeCount = 4;
const keyCount = 400;
/** An operation begins so often. */
const everyUs: DurationUs = 1_000;
const findWithinUs: DurationUs = 2_000_000;
const slowSeat = 2;
/** A disk's reads, writes and syncs take so many times as long, 20 ms or so; a message as much. */
const diskFactor = 200;
const linkFactor = 100;
const burstUs: DurationUs = 100_000;
const burstEveryUs: DurationUs = 400_000;
const lookUs: DurationUs = 20_000;

function planOf(seed: number): RunPlan {
  const drawn = drawPlan(seed, new Rng(seed).fork("plan"), nodeCount);
  return {
    ...drawn,
    ...{ n: 3, r: 2, w: 2, partitions: 16, durability: Durability.buffered, turnUs: 20, bufferKiB: 16 },
    ...{ logSegmentKiB: 64, hintKiB: 1_024, bodyMaxBytes: 4_096, reapAgeMs: 3_600_000, repairPassMs: 600_000 },
    network: {
      delayMinUs: 100,
      delayJitterUs: 200,
      windowBytes: 262_144,
      fragmentPerMille: 0,
      holdPerMille: 0,
      dawdlePerMille: 0,
    },
    datagrams: { ...drawn.datagrams, lossPerMille: 0, duplicatePerMille: 0, reorderPerMille: 0 },
  };
}

/** One request of the application, told of its end. */
class Load {
  readonly #place: SdkPlace;
  readonly #contexts = new Map<number, Uint8Array>();
  readonly #keys: readonly Uint8Array[] = Array.from({ length: keyCount }, (_, i) => utf8(`key-${i}`));
  readonly #draw: Rng;
  #latencies: DurationUs[] = [];
  #failed = 0;
  gets = 0;

  constructor(place: SdkPlace, draw: Rng) {
    this.#place = place;
    this.#draw = draw;
  }

  /** Values of a fourth of the keys are large enough for heads. */
  put(key: number): void {
    const value = new Uint8Array(key % 4 === 0 ? 8_192 : 1_024).fill(key);
    const context = this.#contexts.get(key) ?? new Uint8Array(0);
    const events = this.#events<PutReply>(key);
    const id = this.#place.randomBytes(16);
    this.#place.core.begin(
      this.#place.now(),
      putRequest(simBucket, this.#keys[key] as Uint8Array, value, context, id, defaultOptions, events),
    );
  }

  #get(key: number): void {
    this.gets += 1;
    const request = getRequest(simBucket, this.#keys[key] as Uint8Array, defaultOptions, this.#events<GetReply>(key));
    this.#place.core.begin(this.#place.now(), request);
  }

  step(): void {
    const key = this.#draw.below(keyCount);
    if (this.#draw.chance(500)) this.#get(key);
    else this.put(key);
  }

  #events<R extends GetReply | PutReply>(
    key: number,
  ): {
    onReply(now: Instant, request: Request<R>, reply: R): void;
    onFailure(now: Instant, request: Request<R>, error: RingtailError): void;
  } {
    return {
      onReply: (now, request, reply) => {
        this.#contexts.set(key, reply.context.slice());
        this.#latencies.push(now - request.started);
      },
      onFailure: (now, request) => {
        this.#failed += 1;
        this.#latencies.push(now - request.started);
      },
    };
  }

  /** What has ended since the last call. */
  take(): GrayStretch {
    const sorted = this.#latencies.sort((a, b) => a - b);
    const at = (perMille: number): DurationUs =>
      sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * perMille) / 1_000))] ?? 0;
    const stretch = {
      operations: sorted.length,
      failed: this.#failed,
      p50Us: at(500),
      p99Us: at(990),
      p999Us: at(999),
    };
    this.#latencies = [];
    this.#failed = 0;
    return stretch;
  }
}

class GrayRun {
  readonly #cluster: Cluster;
  readonly #place: SdkPlace;
  readonly #load: Load;
  readonly #cause: GrayCause;
  #foundAt: Instant | undefined;
  readonly #wronged = new Set<string>();

  readonly #measuredUs: DurationUs;

  constructor(seed: number, cause: GrayCause, measuredUs: DurationUs) {
    this.#cause = cause;
    this.#measuredUs = measuredUs;
    this.#cluster = new Cluster(planOf(seed), false);
    this.#cluster.boot();
    assert(this.#cluster.awaitReady(), "the cluster becomes ready");
    const addresses = Array.from({ length: nodeCount }, (_, position) => addressOf(position));
    this.#place = new SdkPlace(this.#world, addresses);
    this.#load = new Load(this.#place, this.#world.rng.fork("load"));
    assert(
      this.#world.runUntil(instant(this.#world.now + 5_000_000), () => this.#place.isOpen),
      "the client opens",
    );
  }

  get #world(): World {
    return this.#cluster.world;
  }

  go(): GrayResult {
    for (let key = 0; key < keyCount; key += 1) {
      this.#load.put(key);
      this.#world.runFor(everyUs);
    }
    this.#run(1_000_000);
    this.#load.take();
    this.#run(this.#measuredUs);
    const before = this.#load.take();
    const began = this.#world.now;
    this.#begin();
    this.#run(findWithinUs);
    const finding = this.#load.take();
    this.#wronged.clear();
    this.#run(this.#measuredUs);
    const foundAfterUs = this.#foundAt === undefined ? -1 : this.#foundAt - began;
    const after = this.#load.take();
    const { hedges } = this.#place.core;
    return { before, finding, after, foundAfterUs, wronged: [...this.#wronged], hedges, gets: this.#load.gets };
  }

  #run(us: DurationUs): void {
    const until = this.#world.now + us;
    for (let look = this.#world.now + lookUs; this.#world.now < until; ) {
      this.#load.step();
      this.#world.runFor(everyUs);
      if (this.#world.now < look) continue;
      look += lookUs;
      this.#look();
    }
  }

  /** How a node thinks of another one. */
  #stateOf(observer: number, seat: number): RouteState {
    const number = this.#cluster.nodeAt(seat)?.shared.number as NodeNumber;
    return this.#cluster.nodeAt(observer)?.shared.routeState(number) ?? "ok";
  }

  #look(): void {
    const all = this.#cause === "all-slow";
    let found = true;
    for (let observer = 0; observer < nodeCount; observer += 1) {
      if (observer === slowSeat && !all) continue;
      for (let seat = 0; seat < nodeCount; seat += 1) {
        if (seat === observer) continue;
        const isOk = this.#stateOf(observer, seat) === "ok";
        if (seat === slowSeat && !all) found &&= !isOk;
        else if (!isOk) this.#wronged.add(`${observer}>${seat}`);
      }
    }
    if (found && !all) this.#foundAt ??= this.#world.now;
  }

  #begin(): void {
    const { nodes } = this.#world;
    if (this.#cause === "slow-link") this.#slowLinks([slowSeat]);
    else if (this.#cause === "bursts") this.#pause(nodes[slowSeat] as SimNode);
    else if (this.#cause === "slow-disk") this.#cluster.drives[slowSeat]?.slow(diskFactor);
    else {
      for (const drive of this.#cluster.drives) drive.slow(diskFactor);
      this.#slowLinks([...nodes.keys()]);
    }
  }

  #slowLinks(seats: readonly number[]): void {
    for (const from of seats) {
      for (let to = 0; to < nodeCount; to += 1) {
        if (from === to) continue;
        this.#world.network.slow(from, to, linkFactor);
        this.#world.network.slow(to, from, linkFactor);
      }
    }
  }

  /** SIGSTOP in bursts. */
  #pause(node: SimNode): void {
    node.pause(this.#world.now);
    this.#world.scheduler.in(burstUs, (now) => node.resume(now));
    this.#world.scheduler.in(burstEveryUs, () => this.#pause(node));
  }
}

/** One run: a cluster of four nodes of which the third one (or everybody) becomes slow; it is measured so long before and after. */
export function runGray(seed: number, cause: GrayCause, measuredUs: DurationUs): GrayResult {
  return new GrayRun(seed, cause, measuredUs).go();
}
