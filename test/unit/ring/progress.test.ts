/**
 * Carrying out plans: transfers confirmed in any order, some or all at a time, in every kind of cluster; at each ring on
 * the way the lists are whole, and nobody owns what it was not sent. Also the table that the planner works on, against the
 * ring's own lists.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RingtailError } from "../../../src/base/errors.ts";
import type { PartitionId } from "../../../src/base/ids.ts";
import { Rng } from "../../../src/base/rng.ts";
import type { PendingTransfer } from "../../../src/ring/pending.ts";
import { planChange } from "../../../src/ring/plan.ts";
import { Copies } from "../../../src/ring/plan-copies.ts";
import { Places, PlanTable } from "../../../src/ring/plan-table.ts";
import { progressRing } from "../../../src/ring/progress.ts";
import { type Member, Ring } from "../../../src/ring/ring.ts";
import { carryOut, claimedRing, commit, go, join, newcomer, ownersOf } from "./plan-support.ts";
import { fieldsOf, memberOf, membersOn, naiveList } from "./support.ts";

const anyCluster = fc.record({
  bits: fc.integer({ min: 3, max: 6 }),
  hosts: fc.integer({ min: 1, max: 9 }),
  zones: fc.integer({ min: 1, max: 4 }),
  nodesPerHost: fc.integer({ min: 1, max: 2 }),
  n: fc.integer({ min: 1, max: 5 }),
  joins: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
  leaves: fc.integer({ min: 0, max: 2 }),
  spread: fc.boolean(),
  seed: fc.nat(),
  most: fc.constantFrom(1, 4, 64),
});

type Cluster = typeof anyCluster extends fc.Arbitrary<infer T> ? T : never;

/** With `spread: false` the owners are drawn: a table that keeps no rule at all. */
function stagedRing(cluster: Cluster): Ring {
  const { bits, hosts, zones, nodesPerHost, n, joins, leaves, spread, seed } = cluster;
  const members = membersOn(hosts, zones, nodesPerHost);
  let ring = claimedRing(members, 2 ** bits, n, n > 2 ? [1, n - 1] : []);
  const rng = new Rng(seed);
  if (!spread) ring = new Ring({ ...ring, ...wild(ring, members, rng) });
  for (const [i, host] of joins.entries()) {
    const zone = zones === 1 ? "" : `zone-${((host - 1) % zones) + 1}`;
    ring = join(ring, newcomer(100 + i, { host: `host-${host}`, zone }));
  }
  const going = Math.min(leaves, members.length - 1);
  const gone = rng.shuffle(members.map((member) => member.number)).slice(0, going);
  ring = go(ring, "leave", ...gone);
  return ring.staged.length === 0 ? join(ring, newcomer(100)) : ring;
}

function wild(ring: Ring, members: readonly Member[], rng: Rng): { owners: Uint16Array; goal: Uint16Array } {
  const owners = ring.owners.map(() => rng.pick(members).number);
  return { owners, goal: owners };
}

/** Transfers to nodes that go: one that is removed is dead, and would never confirm. */
function sentToGoers(ring: Ring): readonly PendingTransfer[] {
  return ring.transfers().filter(({ joining }) => ring.member(joining)?.status === "leaving");
}

/** The ring in which the plan is under way; null: several are to go, and no order of moves was found. */
function begun(staged: Ring): Ring | null {
  try {
    return commit(staged);
  } catch (error) {
    if (!(error instanceof RingtailError) || !error.message.includes("stage fewer changes")) throw error;
    expect(staged.staged.filter(({ kind }) => kind === "leave").length).toBeGreaterThan(1);
    return null;
  }
}

/** Checks every ring of one plan's way. */
class Witness {
  readonly #plan: Ring;
  readonly #confirmed = new Set<number>();
  #before: Ring;

  constructor(committed: Ring) {
    this.#plan = committed;
    this.#before = committed;
  }

  readonly see = (ring: Ring): void => {
    for (const transfer of this.#before.transfers()) this.#confirmed.add(transfer.id);
    expect(sentToGoers(ring)).toEqual([]);
    for (const n of ring.listSizes) {
      const goalHosts = new Set([...this.#plan.goal].map((owner) => ring.member(owner as never)?.host)).size;
      const least = Math.min(n, this.#plan.hosts, goalHosts);
      for (const [p, list] of ownersOf(ring, n).entries()) {
        const hosts = new Set(list.map((node) => ring.member(node as never)?.host));
        if (list.length < least || hosts.size !== list.length) expect.fail(`a list is short: ${list.join(" ")}`);
        const pending = this.#before.pendingOf(p as PartitionId, n);
        const before = this.#before.preferenceList(p as PartitionId, n).subarray(0, n);
        const strangers = list.filter((node) => !before.includes(node) && node !== pending?.joining);
        if (strangers.length > 0) expect.fail(`node ${strangers[0]} owns partition ${p} and was not sent it`);
      }
    }
    this.#before = ring;
  };
}

describe("any plan, confirmed in any order", () => {
  it("comes to its end, lists whole on the way, nobody an owner of what it was not sent", () => {
    fc.assert(
      fc.property(anyCluster, (cluster) => {
        const staged = stagedRing(cluster);
        const ring = begun(staged);
        if (ring === null) return;
        const end = carryOut(ring, new Witness(ring).see, new Rng(cluster.seed), cluster.most);
        expect(end.goal).toBe(end.owners);
        expect(end.members.map((member) => member.status).filter((status) => status === "joining")).toEqual([]);
        if (cluster.spread) {
          const gone = new Set<number>(staged.staged.filter(({ kind }) => kind === "leave").map((one) => one.member));
          expect(end.owners.some((owner) => gone.has(owner))).toBe(false);
          for (const one of gone) expect(end.member(one as never)?.status).toBe("left");
        }
      }),
      { numRuns: 40 },
    );
  }, 30_000);

  it("reaches the very goal that was committed where the layout is spaced", () => {
    for (const [hosts, leaves] of [
      [5, [2]],
      [8, [2, 5]],
      [12, []],
    ] as const) {
      const staged = go(join(claimedRing(membersOn(hosts), 128, 3), newcomer(40), newcomer(41)), "leave", ...leaves);
      const { goal } = planChange(staged);
      const end = carryOut(commit(staged), undefined, new Rng(3), 6);
      expect([...end.owners]).toEqual([...goal]);
    }
  });
});

describe("those who go at once", () => {
  const twoOfFour = Uint16Array.from([3, 2, 1, 4, 3, 2, 1, 4]);

  it("are sent nothing on the way, whatever the first goal was", () => {
    for (let epoch = 1; epoch <= 16; epoch += 1) {
      // The epoch is part of the seed by which positions are given away.
      const ring = new Ring({ ...claimedRing(membersOn(4), 8, 2), epoch, owners: twoOfFour, goal: twoOfFour });
      const begun = commit(go(go(ring, "leave", 3), "remove", 1));
      const end = carryOut(begun, new Witness(begun).see);
      expect(end.members.map(({ status }) => status)).toEqual(["left", "member", "left", "member"]);
    }
  });

  it("take a whole zone with them in one move, for its lists reach from one of them to the next", () => {
    for (const hosts of [6, 9]) {
      const lost = membersOn(hosts, 3).filter(({ zone }) => zone === "zone-3");
      const ring = claimedRing(membersOn(hosts, 3), 64, 3);
      const begun = commit(go(ring, "remove", ...lost.map((member) => member.number)));
      const witness = new Witness(begun);
      let most = 0;
      const end = carryOut(begun, (now) => {
        witness.see(now);
        most = Math.max(most, now.active.length);
      });
      for (const { number } of lost) expect(end.member(number)?.status).toBe("left");
      expect(most).toBeGreaterThan(10);
    }
  });
});

describe("a batch", () => {
  const staged = join(claimedRing(membersOn(6), 256, 3), newcomer(7));

  it("keeps to the limit of transfers per node", () => {
    let most = 0;
    carryOut(commit(join(claimedRing(membersOn(5), 2_048, 3), newcomer(6))), (ring) => {
      const load = new Map<number, number>();
      for (const { joining, replaced } of ring.transfers()) {
        for (const node of [joining, replaced]) load.set(node, (load.get(node) ?? 0) + 1);
      }
      most = Math.max(most, ...load.values());
    });
    expect(most).toBeGreaterThan(184);
    expect(most).toBeLessThanOrEqual(192);
  });

  it("flips a position only when every transfer that it causes is confirmed", () => {
    const ring = commit(staged);
    const group = ring.flipGroups()[0];
    expect(group?.transfers).toHaveLength(3);
    const ids = (group?.transfers ?? []).map((transfer) => transfer.id);
    expect(progressRing(ring, new Set(ids.slice(0, 2)))).toBeNull();
    expect(progressRing(ring, new Set())).toBeNull();
    const next = progressRing(ring, new Set(ids)) as Ring;
    for (const position of group?.positions ?? []) expect(next.owners[position]).toBe(7);
    expect(next.member(7 as never)?.status).toBe("member");
    expect(next.epoch).toBe(ring.epoch + 1);
  });

  it("moves fences of the lists that change, and no others", () => {
    const ring = commit(staged);
    for (const p of ring.owners.keys()) {
      const changes = ring.pendingOf(p as PartitionId, 3) !== undefined;
      expect(ring.fences[p]).toBe(changes ? ring.epoch : staged.fences[p]);
    }
  });

  it("leaves a stable ring alone, and one whose newcomer waits for a plan", () => {
    expect(progressRing(claimedRing(membersOn(4), 64, 3), new Set([1, 2, 3]))).toBeNull();
    expect(progressRing(staged, new Set())).toBeNull();
  });

  it("makes a member of a newcomer for whom nothing was left", () => {
    const ring = commit(join(claimedRing(membersOn(12), 8, 1), newcomer(13)));
    expect(ring.goal).toBe(ring.owners);
    expect(ring.member(13 as never)?.status).toBe("member");
  });
});

describe("the planner's table", () => {
  const anyTable = fc
    .record({ hosts: fc.integer({ min: 1, max: 9 }), zones: fc.integer({ min: 1, max: 5 }) })
    .chain(({ hosts, zones }) => {
      const members = membersOn(hosts, zones, 2);
      const owner = fc.integer({ min: 1, max: members.length });
      return fc.record({
        members: fc.constant(members),
        owners: fc.array(owner, { minLength: 32, maxLength: 32 }),
        changes: fc.array(fc.tuple(fc.nat(31), owner), { maxLength: 12 }),
        n: fc.integer({ min: 1, max: 7 }),
      });
    });

  it("has the lists of the naive twin after every change", () => {
    fc.assert(
      fc.property(anyTable, ({ members, owners, changes, n }) => {
        const places = new Places(members);
        const base = new Copies(new PlanTable(Uint16Array.from(owners), places), n, 1);
        const copies = new Copies(new PlanTable(Uint16Array.from(owners), places), n, 2, base);
        const now = [...owners];
        for (const [position, owner] of changes) {
          copies.set(position, owner);
          now[position] = owner;
        }
        const lists = now.map((_, p) => naiveList(now, members, p, n).slice(0, n));
        const before = owners.map((_, p) => naiveList(owners, members, p, n).slice(0, n));
        let moved = 0;
        for (const [p, list] of lists.entries()) {
          expect(Array.from({ length: copies.lengthOf(p) }, (_, i) => copies.at(p, i))).toEqual(list);
          moved += list.filter((node) => !before[p]?.includes(node)).length;
        }
        expect(copies.moved).toBe(moved);
        for (const { number } of members) {
          expect(copies.held[number]).toBe(lists.filter((list) => list.includes(number)).length);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("says how far a list depends on the table", () => {
    fc.assert(
      fc.property(anyTable, ({ members, owners, changes, n }) => {
        const table = new PlanTable(Uint16Array.from(owners), new Places(members));
        const out = new Uint16Array(n);
        for (const [position, owner] of changes) {
          const length = table.list(0, n, out);
          const before = [...out.subarray(0, length)];
          const far = position >= table.reach;
          const was = table.ownerAt(position);
          table.set(position, owner);
          if (far && table.hosts >= n) {
            table.list(0, n, out);
            expect([...out.subarray(0, length)]).toEqual(before);
          }
          table.set(position, was);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("stands for a ring of those members", () => {
    const members = [memberOf(1), memberOf(2)];
    const ring = new Ring(fieldsOf(members, [1, 2, 1, 2, 1, 2, 1, 2]));
    const table = new PlanTable(ring.owners, new Places(members));
    expect([table.hosts, table.nodes, table.zones, table.uniform(2), table.uniform(1)]).toEqual([2, 2, 1, true, false]);
  });
});
