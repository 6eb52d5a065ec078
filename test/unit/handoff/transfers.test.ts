/** The core by itself: what it says of a transfer, what it refuses, and what it makes of a replica that may have a gap. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wireOf } from "../../../src/base/errors.ts";
import type { NodeNumber, PartitionId } from "../../../src/base/ids.ts";
import { Synced } from "../../../src/handoff/synced.ts";
import { ReadRule, Transfer, transferStates, transferWaits, WriteRule } from "../../../src/handoff/transfer.ts";
import type { TransferConfig } from "../../../src/handoff/transfer-effects.ts";
import { fileOf, transferOf } from "../../../src/handoff/transfer-file.ts";
import { nextRing } from "../../../src/ring/next-ring.ts";
import { decode } from "../../../src/wire/codec.ts";
import { type TransferRow, TransfersFile } from "../../../src/wire/gen/codecs.ts";
import { staleRule } from "../../support/naive-rules.ts";
import type { TransferNode } from "../../support/transfer-node.ts";
import { TransferWorld, type WorldOptions } from "../../support/transfer-world.ts";
import { defaultPolicy } from "../ring/support.ts";

const three = 3 as PartitionId;

function worldOf(config: WorldOptions["config"] = {}): TransferWorld {
  const world = new TransferWorld({ seed: 7, config });
  for (let i = 0; i < 60; i += 1) world.put(world.keyNamed(`key-${i}`, i % 5 === 0));
  world.run(100_000);
  return world;
}

function rowsOf(node: TransferNode): TransferRow[] {
  return node.core?.report(node.world.now) ?? [];
}

function waitsOf(node: TransferNode): string[] {
  return rowsOf(node).map((row) => `${transferStates[row.state]}: ${transferWaits[row.wait]}`);
}

function rest(world: TransferWorld): void {
  const quiet = world.runUntil(() => {
    world.flip();
    world.check();
    return world.quiet;
  }, 10_000_000);
  expect(quiet).toBe(true);
  expect(world.faultAtRest()).toBe(null);
}

describe("what the report says", () => {
  it("names the pause, and the end of it lets everything go on", () => {
    const world = worldOf();
    const node = world.node(5);
    node.core?.setRate(world.now, 0);
    world.move(3, 5);
    world.run(200_000);
    expect(waitsOf(node)).toContain("copying: paused");
    expect(rowsOf(node).every((row) => row.bytes === 0)).toBe(true);
    node.core?.setRate(world.now, 100_000);
    rest(world);
  });

  it("shows that no more than two copies run, while all take writes", () => {
    const world = worldOf({ bytesPerSecond: 0 });
    const node = world.node(5);
    world.move(3, 5);
    world.run(200_000);
    const waits = waitsOf(node);
    expect(waits.length).toBe(5);
    expect(waits.filter((wait) => wait === "copying: queued").length).toBe(3);
    for (const { partition, n } of rowsOf(node)) {
      expect(node.core?.writeRule(partition as PartitionId, n)).toBe(WriteRule.accept);
      expect(node.core?.readRule(partition as PartitionId, n)).toBe(ReadRule.notSynced);
    }
  });

  it("keeps the rate, and estimates what remains", () => {
    const world = worldOf({ bytesPerSecond: 200, copiesMax: 1 });
    const node = world.node(5);
    const start = world.now;
    world.move(3, 5);
    const seen: TransferRow[] = [];
    world.runUntil(() => {
      seen.push(...rowsOf(node).filter(({ bytes, perMille }) => bytes > 0 && perMille > 300 && perMille < 1000));
      return seen.length > 0;
    }, 10_000_000);
    const row = seen[0] as TransferRow;
    expect(row.bytesPerSecond).toBeGreaterThan(0);
    expect(row.remainingMs).toBeGreaterThan(0);
    const bytes = rowsOf(node).reduce((sum, one) => sum + one.bytes, 0);
    const seconds = (world.now - start) / 1e6;
    // A page of up to 40 bytes may be ahead of the rate.
    expect(bytes).toBeLessThanOrEqual(200 * seconds + 40);
    expect(bytes).toBeGreaterThan(100 * seconds - 60);
  });
});

describe("what a transfer costs", () => {
  /** The microseconds that moving a position takes. */
  function timeOf(config: Partial<TransferConfig>): number {
    const world = worldOf({ copiesMax: 1, ...config });
    const start = world.now;
    world.move(3, 5);
    rest(world);
    return world.now - start;
  }

  it("is more than its bytes: each copy is charged for itself, at both ends", () => {
    const free = timeOf({});
    // Five copies, each 200 ms of the rate; only the first begins without a debt.
    expect(timeOf({ copyCostBytes: 20_000 })).toBeGreaterThan(free + 800_000);
  });

  it("is not a word to everybody for each transfer again and again: all are told at once", () => {
    const world = worldOf();
    const node = world.node(5);
    const toldAt: number[] = [];
    const report = node.reportConfirmed.bind(node);
    node.reportConfirmed = (now, transfer): void => {
      toldAt.push(now);
      report(now, transfer);
    };
    world.move(3, 5);
    const confirmed = (): number => rowsOf(node).filter(({ state }) => transferStates[state] === "confirmed").length;
    expect(world.runUntil(() => confirmed() === 5, 10_000_000)).toBe(true);
    const from = world.now + 2 * world.config.retryMostUs;
    world.run(10 * world.config.retryMostUs);
    const later = toldAt.filter((at) => at >= from);
    // Each of the five is told some eight times more, in some eight turns.
    expect(later.length).toBeGreaterThanOrEqual(5 * 7);
    expect(new Set(later).size).toBeLessThanOrEqual(9);
  });

  it("is not a save for each step of each transfer", () => {
    const savesOf = (config: Partial<TransferConfig>): number => {
      const world = worldOf(config);
      const node = world.node(5);
      const persist = node.persist.bind(node);
      let saves = 0;
      node.persist = (...save): void => {
        saves += 1;
        persist(...save);
      };
      world.move(3, 5);
      rest(world);
      return saves;
    };
    const each = savesOf({ saveWaitMostUs: 0, saveLaterUs: 0 });
    expect(savesOf({ saveWaitMostUs: 0, saveLaterUs: 1_000_000 })).toBeLessThan(each / 2);
    // The two rings, and the confirmations in one.
    expect(savesOf({ saveWaitMostUs: 100_000, saveLaterUs: 1_000_000 })).toBeLessThanOrEqual(4);
  });
});

describe("until it is on stable storage", () => {
  /** A world in which a closing or a confirmation waits long for its save, while partition 3 moves from node 4 to 5. */
  function slowWorld(): TransferWorld {
    const world = worldOf({ saveWaitMostUs: 90_000 });
    world.move(3, 5);
    return world;
  }

  function runUntil(world: TransferWorld, done: () => boolean): void {
    const ok = world.runUntil(() => {
      world.check();
      return done();
    }, 10_000_000);
    expect(ok).toBe(true);
  }

  const readRuleOf = (world: TransferWorld, number: number): ReadRule | undefined =>
    world.node(number).core?.readRule(three, 3);
  const stateAt = (world: TransferWorld, number: number): string =>
    rowsOf(world.node(number))
      .filter(({ partition, n }) => partition === three && n === 3)
      .map(({ state }) => transferStates[state])
      .join();

  it("a closing is none: the replaced member goes on answering reads, also when it starts again", () => {
    const world = slowWorld();
    runUntil(world, () => stateAt(world, 4) === "confirming");
    expect(readRuleOf(world, 4)).toBe(ReadRule.serve);
    world.crash(4);
    world.restart(4);
    expect(readRuleOf(world, 4)).toBe(ReadRule.serve);
    runUntil(world, () => stateAt(world, 4) === "confirmed");
    expect(readRuleOf(world, 4)).toBe(ReadRule.wrongOwner);
    world.crash(4);
    world.restart(4);
    expect(readRuleOf(world, 4)).toBe(ReadRule.wrongOwner);
    rest(world);
  });

  it("a confirmation is told to nobody, but reads are answered; who starts again without it compares once more", () => {
    const world = slowWorld();
    const told: number[] = [];
    const node = world.node(5);
    const report = node.reportConfirmed.bind(node);
    node.reportConfirmed = (now, transfer): void => {
      told.push(transfer.partition);
      report(now, transfer);
    };
    runUntil(world, () => readRuleOf(world, 5) === ReadRule.serve);
    expect(readRuleOf(world, 4)).toBe(ReadRule.wrongOwner);
    expect(told).not.toContain(three);
    world.crash(5);
    world.restart(5);
    expect(readRuleOf(world, 5)).toBe(ReadRule.notSynced);
    runUntil(world, () => told.includes(three));
    world.crash(5);
    world.restart(5);
    expect(readRuleOf(world, 5)).toBe(ReadRule.serve);
    rest(world);
  });
});

describe("questions of peers", () => {
  it("about a transfer that the ring does not list are refused", () => {
    const world = worldOf();
    const { core } = world.node(4);
    const answers: number[] = [];
    world.node(4).answerPull = (_now, _replyTo, status) => answers.push(status);
    world.node(4).answerClose = (_now, _replyTo, status) => answers.push(status);
    const request = { id: 1, since: 1, epoch: 1, partition: 3, n: 3 };
    const pull = { ...request, cursor: new Uint8Array(0), creditBytes: 100 };
    core?.onPull(world.now, 5 as NodeNumber, pull, 1);
    core?.onClose(world.now, 5 as NodeNumber, request, 2);
    core?.onPull(world.now, 5 as NodeNumber, { ...pull, partition: 4_000_000, n: 99 }, 3);
    world.run(50_000);
    expect(answers).toEqual([wireOf("WRONG_OWNER"), wireOf("WRONG_OWNER"), wireOf("WRONG_OWNER")]);
    expect(core?.readRule(three, 3)).toBe(ReadRule.serve);
  });

  it("get one record that is larger than the credit, and never two", () => {
    const world = worldOf({ pageBytesMax: 1 });
    world.move(3, 5);
    rest(world);
  });

  it("whose answer is no page are repeated, and nothing of it is kept", () => {
    const world = worldOf();
    const node = world.node(4);
    const answer = node.answerPull.bind(node);
    let spoilt = 0;
    node.answerPull = (now, replyTo, status, reply) => {
      const bad = spoilt < 2 && reply !== null && reply.records.length > 0;
      if (bad) spoilt += 1;
      answer(now, replyTo, status, bad ? { ...reply, records: reply.records.slice(1) } : reply);
    };
    world.move(3, 5);
    rest(world);
    expect(spoilt).toBe(2);
  });

  it("with a newer epoch make the node look for the ring", () => {
    const world = worldOf();
    let asked = 0;
    world.node(4).newerRing = () => {
      asked += 1;
    };
    const request = { id: 1, since: 1, epoch: 9, partition: 3, n: 3 };
    world.node(4).core?.onClose(world.now, 5 as NodeNumber, request, 2);
    expect(asked).toBe(1);
  });
});

describe("an old copy", () => {
  it("is deleted before writes are taken", () => {
    const world = worldOf();
    const node = world.node(5);
    for (let i = 0; i < 60; i += 1) node.merge(world.keyNamed(`old-${i}`), [900 + i]);
    const seen = new Set<string>();
    world.move(3, 5);
    world.runUntil(() => {
      for (const row of rowsOf(node)) {
        const rule = node.core?.writeRule(row.partition as PartitionId, row.n);
        const state = transferStates[row.state];
        if (state === "clearing") expect(rule).toBe(WriteRule.notReady);
        if (rule === WriteRule.accept && !seen.has(`${row.partition} ${row.n}`)) {
          seen.add(`${row.partition} ${row.n}`);
          expect(node.of(row.partition, row.n).some((held) => [...held.ids].some((id) => id >= 900))).toBe(false);
        }
      }
      return seen.size === 5;
    }, 5_000_000);
    expect(seen.size).toBe(5);
    expect(node.gaveUps).toContain(3);
    rest(world);
  });

  it("is kept when its partition is given back before it was deleted", () => {
    const world = worldOf();
    world.move(3, 5);
    const left = world.runUntil(() => {
      world.flip();
      return world.node(4).core?.isGivenUp(three, 3) === true;
    }, 10_000_000);
    expect(left).toBe(true);
    const { newest } = world;
    const owners = newest.owners.slice();
    owners[3] = 4;
    world.choose(nextRing(newest, { owners, goal: owners }));
    rest(world);
    expect(world.node(4).core?.readRule(three, 3)).toBe(ReadRule.serve);
    expect(world.node(4).gaveUps).toContain(3);
  });

  it("that no list names is found at a boot and cleaned up", () => {
    const world = worldOf();
    for (const held of world.node(4).of(three, 3)) world.node(6).merge(held.fullKey, held.ids);
    world.crash(6);
    world.restart(6);
    expect(world.node(6).core?.isGivenUp(three, 3)).toBe(true);
    rest(world);
    expect(world.node(6).holds(three, 3)).toBe(false);
  });
});

describe("a replica that may have a gap", () => {
  it("is compared with every other owner before it serves again", () => {
    const world = worldOf();
    const node = world.node(4);
    node.core?.loseAllSynced(world.now);
    expect(node.core?.readRule(three, 3)).toBe(ReadRule.notSynced);
    expect(node.core?.isSynced(three, 3)).toBe(false);
    expect(node.core?.regaining).toBeGreaterThan(0);
    rest(world);
    expect(node.core?.readRule(three, 3)).toBe(ReadRule.serve);
  });

  it("is compared anew when it is doubted again while it is being compared", () => {
    const world = worldOf();
    const node = world.node(4);
    node.core?.loseSynced(world.now, three, 3);
    node.core?.loseSynced(world.now, three, 3);
    expect(node.core?.regaining).toBeGreaterThan(0);
    rest(world);
    expect(node.core?.readRule(three, 3)).toBe(ReadRule.serve);
  });

  it("waits for a dead owner, but not for ever, and tells", () => {
    const world = worldOf();
    world.crash(1);
    world.run(60_000);
    const node = world.node(4);
    const left: number[][] = [];
    node.leftOut = (_now, _partition, _n, owners) => left.push([...owners]);
    node.core?.loseSynced(world.now, three, 3);
    world.run(300_000);
    expect(node.core?.readRule(three, 3)).toBe(ReadRule.notSynced);
    world.run(700_000);
    expect(node.core?.readRule(three, 3)).toBe(ReadRule.serve);
    expect(left).toEqual([[1]]);
  });

  it("is every replica of a directory without a history", () => {
    const world = worldOf();
    const node = world.node(4);
    world.crash(4);
    node.file = null;
    node.boot(false);
    expect(node.core?.readRule(three, 3)).toBe(ReadRule.notSynced);
    world.restart(4);
    rest(world);
  });

  it("is none when a bucket with a new n is created", () => {
    const world = worldOf();
    const ring = world.newest;
    world.choose(nextRing(ring, { buckets: [...ring.buckets, { ...defaultPolicy, name: "one", n: 1, r: 1, w: 1 }] }));
    world.run(100_000);
    expect(world.node(4).core?.readRule(three, 1)).toBe(ReadRule.serve);
    expect(world.node(1).core?.readRule(three, 1)).toBe(ReadRule.wrongOwner);
  });
});

describe("a confirmation", () => {
  it("counts for the transfer of the present ring only", () => {
    const world = worldOf();
    world.move(3, 5);
    const node = world.node(5);
    world.runUntil(() => (node.core?.confirmed().length ?? 0) > 0, 5_000_000);
    const row = rowsOf(node).find((one) => transferStates[one.state] === "confirmed") as TransferRow;
    expect(node.core?.confirmed()).toContain(row.id);
    expect(node.core?.isListed(row.id, row.since)).toBe(true);
    expect(node.core?.isListed(row.id, row.since - 1)).toBe(false);
    world.cancel(3);
    world.run(200_000);
    expect(node.core?.isListed(row.id, row.since)).toBe(false);
    expect(node.core?.confirmed()).toEqual([]);
  });

  it("is repeated after a restart, which serves at once", () => {
    const world = worldOf();
    world.move(3, 5);
    const node = world.node(5);
    world.runUntil(() => node.core?.confirmed().length === 5, 5_000_000);
    world.crash(5);
    world.restart(5);
    expect(node.core?.confirmed().length).toBe(5);
    expect(node.core?.readRule(three, 3)).toBe(ReadRule.serve);
    rest(world);
  });
});

describe("the state file", () => {
  const someTransfer = fc.record({
    id: fc.nat(),
    since: fc.nat(),
    partition: fc.nat(7).map((p) => p as PartitionId),
    n: fc.constantFrom(2, 3),
    joining: fc.nat(65_535).map((number) => number as NodeNumber),
    replaced: fc.nat(65_535).map((number) => number as NodeNumber),
    position: fc.nat(7),
    sending: fc.boolean(),
    state: fc.constantFrom(...transferStates),
    cursor: fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 })),
    copied: fc.array(fc.nat(65_535), { maxLength: 3 }),
    distrusted: fc.boolean(),
    bytes: fc.nat(),
    flipEpoch: fc.nat(),
  });

  it("brings every transfer back, with what must be found out again undone", () => {
    fc.assert(
      fc.property(someTransfer, (some) => {
        const transfer = Object.assign(new Transfer(some, some.sending, some.state), {
          cursor: some.cursor,
          copied: some.copied,
          distrusted: some.distrusted,
          bytes: some.bytes,
          flipEpoch: some.flipEpoch,
        });
        const file = fileOf([transfer], new Synced(64, []));
        const saved = decode(TransfersFile, file, 0, file.length).transfers[0];
        const back = transferOf(saved as NonNullable<typeof saved>);
        const again: Record<string, string> = some.sending
          ? { confirming: "confirmed" }
          : { clearing: "pending", confirming: "catching-up" };
        const { id, since, partition, n, joining, replaced, sending, cursor, copied, distrusted, bytes, flipEpoch } =
          back;
        expect({
          id,
          since,
          partition,
          n,
          joining,
          replaced,
          sending,
          cursor,
          copied,
          distrusted,
          bytes,
          flipEpoch,
        }).toEqual({
          id: some.id,
          since: some.since,
          partition: some.partition,
          n: some.n,
          joining: some.joining,
          replaced: some.replaced,
          sending: some.sending,
          cursor: some.cursor,
          copied: some.copied,
          distrusted: some.distrusted,
          bytes: some.bytes,
          flipEpoch: some.flipEpoch,
        });
        expect(back.state).toBe(again[some.state] ?? some.state);
      }),
    );
  });
});

describe("rules", () => {
  it("are those of the newest ring after any rings, also where nothing is transferred, and where one was missed", () => {
    const change = fc.record({
      owners: fc.array(fc.tuple(fc.nat(15), fc.integer({ min: 1, max: 5 })), { maxLength: 4 }),
      missed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const world = new TransferWorld({ seed: 7 });
        world.run(1_000);
        let ring = world.newest;
        for (const { owners: given, missed } of changes) {
          const owners = ring.owners.slice();
          for (const [position, owner] of given) owners[position % owners.length] = owner;
          ring = nextRing(ring, { owners, goal: owners });
          if (missed) continue;
          for (const { core, number } of world.nodes) {
            core?.onRing(world.now, ring);
            expect(core && staleRule(core, ring, number)).toBe(null);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
