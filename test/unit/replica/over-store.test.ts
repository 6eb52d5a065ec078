/**
 * The replica over the real store on a simulated disk: the fake store of the other tests is only worth what it has in
 * common with this one. Random puts and merges in all four durability modes, then an end of the process; whatever was
 * acknowledged must have survived what its mode promises, and the Merkle leaves must be those of the records.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalBytes, hexOf, utf8 } from "../../../src/base/bytes.ts";
import { Durability } from "../../../src/base/durability.ts";
import { statusOk } from "../../../src/base/errors.ts";
import { Hash64 } from "../../../src/base/hash.ts";
import { nodeNumber } from "../../../src/base/ids.ts";
import { Rng } from "../../../src/base/rng.ts";
import { type Instant, instant } from "../../../src/base/time.ts";
import { type ActorEffects, Actors, type Incarnation } from "../../../src/replica/actors.ts";
import { HybridClock } from "../../../src/replica/hybrid-clock.ts";
import { Replica, type ReplicaEffects, ReplicaKind, type ReplicaOp } from "../../../src/replica/replica.ts";
import { SimDrive } from "../../../src/sim/drive.ts";
import { Scheduler } from "../../../src/sim/scheduler.ts";
import { leafOfHash, partitionBitsOf, partitionOfHash } from "../../../src/storage/keys.ts";
import { Store, type StoredHint, type StoreEvents } from "../../../src/storage/store.ts";
import { openRecord } from "../../../src/version/record.ts";
import { causalHash } from "../../../src/version/sibling-set.ts";
import { idNamed, opOn, recordNamed, recordText } from "../../support/replica-story.ts";

const partitions = 8;
const far = instant(60_000_000);

/** One life of a node's process: store, actors and replica on a disk that outlives it. */
class Life implements StoreEvents, ReplicaEffects<string>, ActorEffects {
  readonly #scheduler: Scheduler;
  readonly store: Store;
  readonly replica: Replica<string>;
  readonly wantTurnEnd: () => void;
  readonly finished: ReplicaOp<string>[] = [];
  started = false;
  dead = false;

  constructor(scheduler: Scheduler, drive: SimDrive, boot: number) {
    this.#scheduler = scheduler;
    const { engine } = drive.boot((delay, run) => scheduler.in(delay, run));
    const wantTurnEnd = () => scheduler.in(1, (now) => this.dead || this.store.endTurn(now));
    this.store = new Store({ engine, events: this, partitions, bufferBytes: 16 * 1024, wantTurnEnd });
    const incarnation = { high16: 0, low: boot };
    const leaseTop = boot * 10_000;
    const node = nodeNumber(1);
    const actors = new Actors({ effects: this, node, partitions, incarnation, leaseTop, leaseStep: 10_000 });
    const limits = { waitersMax: 1000, busyMax: 2000, keepRecentForSeconds: 100 };
    const clock = new HybridClock(() => 0);
    this.wantTurnEnd = () => scheduler.in(1, (now) => this.dead || this.replica.endTurn(now));
    this.replica = new Replica({ effects: this, store: this.store, actors, clock, ...limits });
    this.store.start(scheduler.now);
    this.run(() => this.started);
  }

  /** Lets time pass until the condition holds. */
  run(until: () => boolean): void {
    for (let i = 0; !until(); i += 1) {
      if (i > 100_000 || this.#scheduler.now >= far) throw new Error("it never came to that");
      this.store.tick(this.#scheduler.now);
      this.#scheduler.step(instant(this.#scheduler.now + 500));
    }
  }

  settle(): void {
    this.run(() => this.replica.inFlight === 0 && this.store.queuedBytes === 0);
  }

  read(op: ReplicaOp<string>): string[] {
    let ids: string[] = [];
    this.replica.read(this.#scheduler.now, op);
    this.run(() => this.finished.includes(op));
    if (op.sealed !== null) ids = openRecord(op.sealed).siblings.map((sibling) => hexOf(sibling.requestId));
    return ids;
  }

  onStoreStarted(): void {
    this.started = true;
  }

  onStoreRead(now: Instant, token: number, sealed: Uint8Array | null, error: string | null): void {
    this.replica.onStoreRead(now, token, sealed, error);
  }

  onStoreDamaged(): void {}

  onStoreHints(now: Instant, token: number, hints: readonly StoredHint[], error: string | null): void {
    this.replica.onStoreHints(now, token, hints, error);
  }

  onStoreWritten(now: Instant, token: number): void {
    this.replica.onStoreWritten(now, token);
  }

  onStoreSynced(now: Instant, token: number): void {
    this.replica.onStoreSynced(now, token);
  }

  onStoreScanned(): void {}
  onStoreHintPage(): void {}
  onStoreDeleted(): void {}

  onStoreFailed(_now: Instant, reason: string): void {
    throw new Error(reason);
  }

  onStoreClosed(): void {}

  prepared(_now: Instant, op: ReplicaOp<string>): void {
    // What the reply says was read is in the record, and covers nobody else's sibling.
    const { version, siblings } = openRecord(op.sealed as Uint8Array);
    expect(version.coversAll(op.version)).toBe(true);
    const others = siblings.filter(({ requestId }) => !equalBytes(requestId, op.requestId));
    expect(others.filter(({ dots }) => op.version.coversAny(dots))).toEqual([]);
  }

  done(_now: Instant, op: ReplicaOp<string>): void {
    expect(op.message).toBe("");
    const reads = op.kind === ReplicaKind.read || op.kind === ReplicaKind.readHints;
    expect(op.durable).toBe(!reads && op.durability >= Durability.oneDurable);
    if (reads && op.sealed !== null) op.sealed = op.sealed.slice();
    this.finished.push(op);
  }

  amnesia(): void {
    throw new Error("nothing was forgotten");
  }

  saveLease(): void {
    throw new Error("no test mints that much");
  }

  drawIncarnation(): Incarnation {
    throw new Error("no test loses history");
  }
}

/** The op with its hash's own partition, as the node makes it. */
function placed(op: ReplicaOp<string>): ReplicaOp<string> {
  op.partition = partitionOfHash(op.hashHigh, partitionBitsOf(partitions));
  op.siblingsMax = 1000;
  return op;
}

interface Asked {
  readonly key: number;
  readonly put: boolean;
  readonly durability: 1 | 2 | 3 | 4;
  /** Events of the world between this and the next. */
  readonly pause: number;
}

/** What the write at this place in a list is called; the dot of a merge is the first of an actor of its own. */
function nameOfWrite({ put }: Asked, index: number): string {
  return put ? `put ${index}` : `id ${dotNameAt(index)}`;
}

function dotNameAt(index: number): string {
  return `${String.fromCharCode(66 + index)}1`;
}

/** The ids of all writes to a key. */
function idsUnder(key: number, asked: readonly Asked[]): string[] {
  const names = asked.map((one, index) => (one.key === key ? nameOfWrite(one, index) : ""));
  return names.filter((name) => name !== "").map((name) => hexOf(idNamed(name)));
}

/** Asks for everything, with pauses; `origin` of each op is the id of the write it carries. */
function ask(life: Life, scheduler: Scheduler, asked: readonly Asked[]): void {
  asked.forEach((one, index) => {
    const { key, put, durability, pause } = one;
    const requestId = idNamed(nameOfWrite(one, index));
    const value = utf8("v".repeat(key * 100));
    const fields = put ? { requestId, value, durability } : { sealed: recordNamed(dotNameAt(index)), durability };
    const op = placed(opOn(put ? ReplicaKind.put : ReplicaKind.write, hexOf(requestId), `key ${key}`, fields));
    if (put) life.replica.put(scheduler.now, op);
    else life.replica.write(scheduler.now, op);
    for (let i = 0; i < pause; i += 1) scheduler.step(instant(scheduler.now + 500));
    life.store.tick(scheduler.now);
  });
}

const arbitraryAsked: fc.Arbitrary<Asked[]> = fc.array(
  fc.record({
    key: fc.nat(5),
    put: fc.boolean(),
    durability: fc.constantFrom(1 as const, 2 as const, 3 as const, 4 as const),
    pause: fc.nat(6),
  }),
  { minLength: 1, maxLength: 40, size: "max" },
);

function leavesOf(
  records: Iterable<readonly [Uint8Array, Uint8Array]>,
  hashes: Map<string, Hash64>,
): Map<string, string> {
  const sums = new Map<string, { high: number; low: number }>();
  const out = new Hash64();
  const bits = partitionBitsOf(partitions);
  for (const [fullKey, sealed] of records) {
    const hash = hashes.get(hexOf(fullKey)) as Hash64;
    causalHash(openRecord(sealed), fullKey, out);
    const name = `${partitionOfHash(hash.high, bits)}/${leafOfHash(hash.high, bits)}`;
    const sum = sums.get(name) ?? { high: 0, low: 0 };
    sums.set(name, { high: (sum.high ^ out.high) >>> 0, low: (sum.low ^ out.low) >>> 0 });
  }
  return new Map([...sums].map(([name, { high, low }]) => [name, `${high}.${low}`]));
}

function storedLeaves(store: Store): Map<string, string> {
  const found = new Map<string, string>();
  store.leaves.forEach((_n, partition, words) => {
    for (let leaf = 0; leaf * 2 < words.length; leaf += 1) {
      const high = words[2 * leaf] as number;
      const low = words[2 * leaf + 1] as number;
      if ((high | low) !== 0) found.set(`${partition}/${leaf}`, `${high}.${low}`);
    }
  });
  return found;
}

function keyHashes(): Map<string, Hash64> {
  const hashes = new Map<string, Hash64>();
  for (let key = 0; key <= 5; key += 1) {
    const op = opOn(ReplicaKind.read, "", `key ${key}`);
    const hash = new Hash64();
    hash.high = op.hashHigh;
    hash.low = op.hashLow;
    hashes.set(hexOf(op.fullKey), hash);
  }
  return hashes;
}

describe("replica over the store", () => {
  it("holds every write of every mode, once, and the leaves of exactly these records", () => {
    fc.assert(
      fc.property(arbitraryAsked, fc.nat(1_000_000), (asked, seed) => {
        const scheduler = new Scheduler(new Rng(seed));
        const drive = new SimDrive(new Rng(seed + 1));
        const life = new Life(scheduler, drive, 1);
        ask(life, scheduler, asked);
        life.settle();
        for (let key = 0; key <= 5; key += 1) {
          const found = life.read(placed(opOn(ReplicaKind.read, "", `key ${key}`)));
          expect(found.sort()).toEqual(idsUnder(key, asked).sort());
        }
        expect(storedLeaves(life.store)).toEqual(leavesOf(drive.records(), keyHashes()));
      }),
      { numRuns: 30 },
    );
  });

  it("keeps what each mode promises through the end of the process and of the power", () => {
    const end = fc.record({ power: fc.boolean(), events: fc.nat(30), seed: fc.nat(1_000_000) });
    fc.assert(
      fc.property(arbitraryAsked, end, (asked, { power, events, seed }) => {
        const puts = asked.map((one) => ({ ...one, put: true }));
        const scheduler = new Scheduler(new Rng(seed));
        const drive = new SimDrive(new Rng(seed + 1));
        const first = new Life(scheduler, drive, 1);
        ask(first, scheduler, puts);
        for (let i = 0; i < events; i += 1) scheduler.step(instant(scheduler.now + 500));
        first.dead = true;
        if (power) drive.powerCut();
        else drive.kill();
        const least = power ? Durability.oneDurable : Durability.buffered;
        const promised = first.finished.filter((op) => op.status === statusOk && op.durability >= least);
        const second = new Life(scheduler, drive, 2);
        for (let key = 0; key <= 5; key += 1) {
          const op = placed(opOn(ReplicaKind.read, "", `key ${key}`));
          const wanted = promised.filter((one) => hexOf(one.fullKey) === hexOf(op.fullKey)).map((one) => one.origin);
          expect(second.read(op)).toEqual(expect.arrayContaining(wanted));
        }
        ask(second, scheduler, puts.slice(0, 3));
        second.settle();
        expect(storedLeaves(second.store)).toEqual(leavesOf(drive.records(), keyHashes()));
      }),
      { numRuns: 30 },
    );
  });

  it("keeps hints through the end of the power, reads them, and drops them as they were sent", () => {
    const scheduler = new Scheduler(new Rng(1));
    const drive = new SimDrive(new Rng(2));
    const run = (life: Life, kind: ReplicaKind, fields: Partial<ReplicaOp<string>>): ReplicaOp<string> => {
      const op = placed(opOn(kind, "", "key 1", fields));
      if (kind === ReplicaKind.readHints) life.replica.read(scheduler.now, op);
      else life.replica.changeHint(scheduler.now, op);
      life.run(() => life.finished.includes(op));
      return op;
    };
    const first = new Life(scheduler, drive, 1);
    const { durable } = Durability;
    run(first, ReplicaKind.keepHint, { target: 7, second: 50, sealed: recordNamed("B1"), durability: durable });
    run(first, ReplicaKind.keepHint, { target: 7, second: 60, sealed: recordNamed("C1"), durability: durable });
    run(first, ReplicaKind.keepHint, { target: 9, second: 70, sealed: recordNamed("C1"), durability: durable });
    first.dead = true;
    drive.powerCut();
    const life = new Life(scheduler, drive, 2);
    const { hints } = life.store;
    expect([hints.targets(), hints.oldestOf(7), hints.oldestOf(9)]).toEqual([[7, 9], 50, 70]);
    expect(recordText(run(life, ReplicaKind.readHints, { target: 7 }).sealed)).toBe(recordText(recordNamed("B1 C1")));
    const hash = new Hash64();
    const { fullKey } = opOn(ReplicaKind.read, "", "key 1");
    causalHash(openRecord(recordNamed("B1")), fullKey, hash);
    const late = run(life, ReplicaKind.dropHint, { target: 7, causalHigh: hash.high, causalLow: hash.low });
    expect([late.removed, hints.countOf(7)]).toEqual([false, 1]);
    causalHash(openRecord(recordNamed("B1 C1")), fullKey, hash);
    const sent = run(life, ReplicaKind.dropHint, { target: 7, causalHigh: hash.high, causalLow: hash.low });
    expect([sent.removed, hints.countOf(7), hints.total]).toEqual([true, 0, 1]);
    expect(storedLeaves(life.store).size).toBe(0);
  });
});
