/**
 * Workload: what the clients of a run do: puts with the context last seen, blind puts,
 * deletes, gets, multi-gets and read-modify-writes on a few keys, one of them hot. Every put submits a value of its
 * own. Each client keeps the last context it saw of each key, so contexts are often old: that is the point.
 */
import type { Rng } from "../base/rng.ts";
import type { Instant } from "../base/time.ts";
import type { SimClient } from "./client.ts";
import { type HeldContext, noContext } from "./client-call.ts";
import { isLastWriteKey, type Operation } from "./history.ts";
import type { OperationClass, RunPlan } from "./plan.ts";
import type { World } from "./world.ts";

/** Per mille of operations on the one hot key. */
const hotPerMille = 300;
const hotKey = "key-0";
/** Few: each puts beside what it has not seen, and a key has only so many siblings. */
const burstPutsPerMille = 50;

/** Per mille of operations in the bucket where the last write wins, if there is one. */
const lastWritePerMille = 500;

class Driver {
  readonly client: SimClient;
  readonly rng: Rng;
  readonly contexts = new Map<string, HeldContext>();
  /** Loops of an earlier life of the client end when they see this has moved. */
  life = 0;

  constructor(client: SimClient, rng: Rng) {
    this.client = client;
    this.rng = rng;
  }
}

export class Workload {
  readonly #plan: RunPlan;
  readonly #world: World;
  readonly #drivers: Driver[];
  readonly #bursts: Rng;
  #stopped = false;
  #values = 0;
  #busy = 0;

  constructor(plan: RunPlan, world: World, clients: readonly SimClient[]) {
    this.#plan = plan;
    this.#world = world;
    const rng = world.rng.fork("workload");
    this.#bursts = world.rng.fork("bursts");
    this.#drivers = clients.map((client, index) => new Driver(client, rng.fork(`client/${index}`)));
  }

  /** Starts every client's loops. */
  start(): void {
    for (const driver of this.#drivers) this.#startLoops(driver);
  }

  #startLoops(driver: Driver): void {
    for (let i = 0; i < this.#plan.loops; i += 1) this.#next(driver, driver.life);
  }

  /** A client's process died and started anew: it has forgotten its contexts. */
  onClientCrash(client: SimClient): void {
    const driver = this.#drivers.find((one) => one.client === client) as Driver;
    driver.life += 1;
    driver.contexts.clear();
    this.#startLoops(driver);
  }

  /** One client asks for the hot key so often at once: mostly gets. */
  burst(operations: number): void {
    if (this.#stopped) return;
    const driver = this.#bursts.pick(this.#drivers);
    const ended = (): void => {
      this.#busy += 1;
    };
    for (let i = 0; i < operations; i += 1) {
      if (!this.#bursts.chance(burstPutsPerMille)) driver.client.read({ keys: [hotKey] }, ended);
      else driver.client.write(this.#wish(driver.rng, "put", hotKey, driver.contexts.get(hotKey) ?? noContext), ended);
    }
  }

  /** No operation begins any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Whether every operation has ended. */
  get idle(): boolean {
    return this.#stopped && this.#drivers.every((driver) => driver.client.open === 0);
  }

  /** Operations that ended. */
  get done(): number {
    return this.#busy;
  }

  #next(driver: Driver, life: number): void {
    const pause = driver.rng.below(2 * this.#plan.thinkUs + 1);
    this.#world.scheduler.in(pause, () => {
      if (!this.#stopped && life === driver.life) this.#act(driver, life);
    });
  }

  #act(driver: Driver, life: number): void {
    const { rng } = driver;
    const kind = rng.pick(this.#plan.operations);
    const key = this.#pickKey(rng, this.#plan.lastWrites && rng.chance(lastWritePerMille));
    const again = (_now: Instant, operation: Operation, context: HeldContext): void => {
      this.#busy += 1;
      if (operation.outcome === "ok") driver.contexts.set(operation.key, context);
      this.#next(driver, life);
    };
    this.#perform(driver, kind, key, again);
  }

  #perform(
    driver: Driver,
    kind: OperationClass,
    key: string,
    again: (now: Instant, operation: Operation, context: HeldContext) => void,
  ): void {
    const { client, rng, contexts } = driver;
    const held = contexts.get(key) ?? noContext;
    switch (kind) {
      case "get":
        client.read({ keys: [key], r: this.#raise(rng, this.#plan.r) }, again);
        return;
      case "multi-get":
        this.#multiGet(driver, key, again);
        return;
      case "delete":
        client.write(this.#wish(rng, "delete", key, rng.chance(800) ? held : noContext), again);
        return;
      case "read-modify-write":
        client.read({ keys: [key] }, (now, operation, context) => {
          if (operation.outcome === "ok" && !this.#stopped) client.write(this.#wish(rng, "put", key, context), again);
          else again(now, operation, context);
        });
        return;
      default:
        client.write(this.#wish(rng, "put", key, kind === "blind-put" ? noContext : held), again);
    }
  }

  #multiGet(driver: Driver, key: string, again: (now: Instant, one: Operation, context: HeldContext) => void): void {
    const keys = new Set([key]);
    for (let i = driver.rng.below(4); i >= 0; i -= 1) keys.add(this.#pickKey(driver.rng, isLastWriteKey(key)));
    let left = keys.size;
    driver.client.read({ keys: [...keys] }, (now, operation, context) => {
      left -= 1;
      if (operation.outcome === "ok") driver.contexts.set(operation.key, context);
      if (left === 0) again(now, operation, context);
    });
  }

  #wish(rng: Rng, kind: "put" | "delete", key: string, context: HeldContext): Parameters<SimClient["write"]>[0] {
    this.#values += 1;
    const { w, durability, valuePadding } = this.#plan;
    return {
      kind,
      key,
      value: this.#values,
      padding: valuePadding === 0 ? 0 : rng.below(valuePadding),
      context,
      w: this.#raise(rng, w),
      durability: rng.chance(50) ? rng.between(durability, 4) : 0,
    };
  }

  /** Now and then a quorum larger than the bucket's; never a smaller one, or the rules would not hold. */
  #raise(rng: Rng, quorum: number): number {
    return rng.chance(50) ? rng.between(quorum, this.#plan.n) : 0;
  }

  #pickKey(rng: Rng, ofLastWrites: boolean): string {
    const number = rng.chance(hotPerMille) ? 0 : rng.below(this.#plan.keys);
    return ofLastWrites ? `lww-${number}` : `key-${number}`;
  }
}
