/**
 * Rings in which something moves: what they refuse, and what is derived from them (the lists to come, pending members,
 * transfers, flip groups, fences), each against a second implementation that knows only sets and whole walks.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { type NodeNumber, noNode, type PartitionId } from "../../../src/base/ids.ts";
import { planClaim } from "../../../src/ring/claim.ts";
import { flipFault, nextRing } from "../../../src/ring/next-ring.ts";
import { type BucketPolicy, type Member, Ring, type RingFields, type StagedChange } from "../../../src/ring/ring.ts";
import { ringHash } from "../../../src/ring/ring-digest.ts";
import { defaultPolicy, fieldsOf, memberOf, membersOn, naiveList } from "./support.ts";

const policies: readonly BucketPolicy[] = [
  defaultPolicy,
  { name: "pairs", n: 2, r: 1, w: 1, durability: Durability.memory, resolver: 0, version: 1 },
];
const sizes = [2, 3];

/** A random table over random members, and a goal that differs in a few places, all of them active. */
const movingFields: fc.Arbitrary<RingFields> = fc
  .record({
    hosts: fc.integer({ min: 2, max: 6 }),
    zones: fc.integer({ min: 1, max: 3 }),
    nodesPerHost: fc.integer({ min: 1, max: 2 }),
    seats: fc.array(fc.nat(), { minLength: 16, maxLength: 16 }),
    moves: fc.uniqueArray(fc.record({ at: fc.integer({ min: 0, max: 15 }), to: fc.nat() }), {
      selector: (move) => move.at,
      minLength: 1,
      maxLength: 4,
    }),
  })
  .map(({ hosts, zones, nodesPerHost, seats, moves }) => {
    const members = membersOn(hosts, zones, nodesPerHost);
    const owners = seats.map((seat) => (members[seat % members.length] as Member).number);
    const goal = Uint16Array.from(owners);
    for (const { at, to } of moves) goal[at] = (members[to % members.length] as Member).number;
    const active = Uint16Array.from(moves.map((move) => move.at).filter((at) => goal[at] !== owners[at])).sort();
    return { ...fieldsOf(members, owners), epoch: 9, buckets: policies, goal, active };
  });

/** A planned table of six hosts, and a newcomer that takes a few entries; as many of them active as may be at once. */
const plannedRing: fc.Arbitrary<Ring> = fc
  .record({
    planSeed: fc.nat(),
    moves: fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { minLength: 1, maxLength: 8 }),
  })
  .map(({ planSeed, moves }) => {
    const members = [...membersOn(6), memberOf(7)];
    const { owners } = planClaim({ members: membersOn(6), partitions: 64, replicasMax: 3, planSeed });
    const goal = owners.slice();
    for (const at of moves) goal[at] = 7;
    let ring = new Ring({ ...fieldsOf(members, owners), epoch: 9, buckets: policies, goal });
    for (const at of moves) {
      try {
        ring = new Ring({
          ...ring,
          active: Uint16Array.of(...ring.active, at).sort(),
          activeSince: new Uint32Array(ring.active.length + 1).fill(9),
        });
      } catch {
        // Two entries that meet in one list: not both at once.
      }
    }
    return ring;
  });

function naiveNext(fields: RingFields): number[] {
  const active = new Set(fields.active);
  return [...fields.owners].map((owner, p) => (active.has(p) ? (fields.goal?.[p] as number) : owner));
}

function headOf(owners: ArrayLike<number>, fields: RingFields, p: number, n: number): number[] {
  return naiveList(owners, fields.members, p, n).slice(0, n);
}

function without(a: readonly number[], b: readonly number[]): number[] {
  return a.filter((number) => !b.includes(number));
}

interface NaiveChange {
  readonly partition: number;
  readonly n: number;
  readonly joining: number[];
  readonly replaced: number[];
}

function naiveChanges(fields: RingFields): NaiveChange[] {
  const next = naiveNext(fields);
  return sizes.flatMap((n) =>
    [...fields.owners].map((_, p) => {
      const before = headOf(fields.owners, fields, p, n);
      const after = headOf(next, fields, p, n);
      return { partition: p, n, joining: without(after, before), replaced: without(before, after) };
    }),
  );
}

function valid(fields: RingFields): Ring | null {
  try {
    return new Ring(fields);
  } catch {
    return null;
  }
}

describe("lists to come", () => {
  it("agree with the naive ones; a ring is refused exactly when a list changes by more than one", () => {
    const law = fc.property(movingFields, (fields) => {
      const changes = naiveChanges(fields);
      const ring = valid(fields);
      const tooMuch = changes.some(({ joining, replaced }) => joining.length > 1 || replaced.length > 1);
      expect(ring === null).toBe(tooMuch);
      if (ring === null) return;
      expect([...ring.nextOwners]).toEqual(naiveNext(fields));
      for (const { partition, n, joining, replaced } of changes) {
        const p = partition as PartitionId;
        expect([...ring.nextList(p, n)]).toEqual(naiveList(ring.nextOwners, fields.members, p, n));
        const pending = joining.length === 0 ? undefined : { joining: joining[0], replaced: replaced[0] ?? noNode };
        expect(ring.pendingOf(p, n)).toEqual(pending);
      }
    });
    fc.assert(law, { numRuns: 400 });
  });

  it("are today's very arrays where nothing changes", () => {
    fc.assert(
      fc.property(plannedRing, (ring) => {
        for (let p = 0; p < 64; p += 1) {
          const same = ring.nextList(p as PartitionId, 3) === ring.preferenceList(p as PartitionId, 3);
          const equal = ring.nextList(p as PartitionId, 3).join() === ring.preferenceList(p as PartitionId, 3).join();
          expect(same).toBe(equal);
        }
      }),
      { numRuns: 30 },
    );
    const stable = new Ring(fieldsOf(membersOn(3), [1, 2, 3, 1, 2, 3, 1, 2]));
    expect(stable.nextOwners).toBe(stable.owners);
    expect(stable.goal).toBe(stable.owners);
    expect(stable.nextList(0 as PartitionId, 3)).toBe(stable.preferenceList(0 as PartitionId, 3));
    expect(stable.pendingOf(0 as PartitionId, 3)).toBeUndefined();
    expect(stable.transfers()).toEqual([]);
  });
});

describe("transfers", () => {
  it("are the pending members of all partitions and every n in use, with ids of their own", () => {
    const law = fc.property(movingFields, (fields) => {
      const ring = valid(fields);
      if (ring === null) return;
      const expected = naiveChanges(fields).filter((change) => change.joining.length > 0);
      const transfers = [...ring.transfers()].sort((a, b) => a.n - b.n || a.partition - b.partition);
      expect(transfers.map(({ partition, n, joining, replaced }) => ({ partition, n, joining, replaced }))).toEqual(
        expected.map(({ partition, n, joining, replaced }) => {
          return { partition, n, joining: joining[0], replaced: replaced[0] ?? noNode };
        }),
      );
      expect(new Set(transfers.map((transfer) => transfer.id)).size).toBe(transfers.length);
      for (const { id, position } of transfers) {
        expect(Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff).toBe(true);
        expect(ring.active).toContain(position);
      }
    });
    fc.assert(law, { numRuns: 300 });
  });

  it("keep their ids while they are under way, and get new ones when they begin anew", () => {
    fc.assert(
      fc.property(plannedRing, (ring) => {
        const later = nextRing(ring, { members: ring.members.map((one) => ({ ...one, weight: 5 })) });
        expect(later.transfers()).toEqual(ring.transfers());
        const anew = nextRing(nextRing(ring, { active: new Uint16Array(0) }), { active: ring.active });
        expect(anew.transfers().length).toBe(ring.transfers().length);
        const old = new Set(ring.transfers().map((transfer) => transfer.id));
        expect(anew.transfers().some((transfer) => old.has(transfer.id))).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  it("copy to a list that grows, and to nobody where one shrinks", () => {
    const members = [...membersOn(2), memberOf(3)];
    const grows = new Ring({
      ...fieldsOf(members, [1, 2, 1, 2, 1, 2, 1, 2]),
      goal: Uint16Array.of(1, 2, 1, 3, 1, 2, 1, 3),
      active: Uint16Array.of(3, 7),
    });
    expect(grows.transfers().length).toBe(8);
    expect(grows.pendingOf(0 as PartitionId, 3)).toEqual({ joining: 3, replaced: noNode });
    expect(grows.flipGroups().map((group) => group.positions)).toEqual([[3, 7]]);
    const shrinks = new Ring({
      ...fieldsOf(members, [1, 2, 1, 3, 1, 2, 1, 2]),
      goal: Uint16Array.of(1, 2, 1, 2, 1, 2, 1, 2),
      active: Uint16Array.of(3),
    });
    expect(shrinks.transfers()).toEqual([]);
    expect(shrinks.flipGroups()).toEqual([{ positions: [3], transfers: [] }]);
  });
});

describe("flips", () => {
  it("of whole groups whose transfers are confirmed are safe, and without a confirmation they are not", () => {
    const law = fc.property(plannedRing, fc.infiniteStream(fc.boolean()), (ring, chosen) => {
      const groups = ring.flipGroups();
      expect(groups.flatMap((group) => group.positions).sort((a, b) => a - b)).toEqual([...ring.active]);
      const flipped = groups.filter(() => chosen.next().value);
      const owners = ring.owners.slice();
      for (const { positions } of flipped) for (const p of positions) owners[p] = ring.goal[p] as number;
      const active = ring.active.filter((p) => owners[p] !== ring.goal[p]);
      const next = nextRing(ring, { owners, active });
      const ids = flipped.flatMap((group) => group.transfers.map((transfer) => transfer.id));
      expect(flipFault(ring, next, new Set(ids))).toBeNull();
      const left = groups.filter((group) => !flipped.includes(group)).flatMap((group) => group.transfers);
      expect(
        next
          .transfers()
          .map((one) => one.id)
          .sort(),
      ).toEqual(left.map((one) => one.id).sort());
      for (const id of ids) expect(flipFault(ring, next, new Set(ids.filter((one) => one !== id)))).not.toBeNull();
    });
    fc.assert(law, { numRuns: 60 });
  });
});

describe("the next ring", () => {
  it("fences the partitions whose owners or pending member change, and no other", () => {
    const law = fc.property(plannedRing, fc.boolean(), (ring, flip) => {
      const stable = nextRing(ring, { goal: ring.owners, active: new Uint16Array(0) });
      const next = flip
        ? nextRing(stable, { owners: ring.goal, goal: ring.goal })
        : nextRing(stable, { goal: ring.goal, active: ring.active });
      expect(next.epoch).toBe(stable.epoch + 1);
      for (let p = 0; p < 64; p += 1) {
        const changed = sizes.some((n) => {
          const before = headOf(stable.owners, stable, p, n).toSorted();
          const pending = next.pendingOf(p as PartitionId, n);
          return pending !== undefined || headOf(next.owners, next, p, n).toSorted().join() !== before.join();
        });
        expect(next.fences[p]).toBe(changed ? next.epoch : stable.fences[p]);
      }
    });
    fc.assert(law, { numRuns: 60 });
  });

  it("is the same ring again where nothing was changed, but for its epoch", () => {
    const ring = new Ring(fieldsOf(membersOn(4), [1, 2, 3, 4, 1, 2, 3, 4]));
    const next = nextRing(ring, {});
    expect(next.epoch).toBe(2);
    expect([...next.fences]).toEqual(new Array(8).fill(1));
    expect(nextRing(ring, { epoch: 77 }).epoch).toBe(77);
  });
});

describe("what a ring refuses, saying why", () => {
  const members = [...membersOn(4), memberOf(5, { status: "joining" }), memberOf(6, { status: "left" })];
  const owners = [1, 2, 3, 4, 1, 2, 3, 4];
  const goal = Uint16Array.of(5, 2, 3, 4, 1, 2, 3, 4);
  const staged = (kind: string, member: number, by = 0): { staged: StagedChange[] } => {
    return { staged: [{ kind: kind as "join", member: member as NodeNumber, by: by as NodeNumber }] };
  };
  const invalid: readonly [string, Partial<RingFields>, RegExp][] = [
    ["a short goal", { goal: Uint16Array.of(1) }, /goals for 1 partitions of 8/],
    [
      "a goal that is nobody",
      { goal: Uint16Array.from([9, ...owners.slice(1)]) },
      /partition 0 is to go to 9, who is no/,
    ],
    ["a goal that left", { goal: Uint16Array.from([6, ...owners.slice(1)]) }, /is to go to 6, who is left/],
    [
      "an active position that does not move",
      { goal, active: Uint16Array.of(1) },
      /position 1 is active, but its goal/,
    ],
    ["an active position that is none", { goal, active: Uint16Array.of(8) }, /position 8 is active, but there are 8/],
    ["one position twice", { goal, active: Uint16Array.of(0, 0) }, /not in ascending order/],
    [
      "too many epochs",
      { goal, active: Uint16Array.of(0), activeSince: Uint32Array.of(1, 1) },
      /2 epochs for 1 active/,
    ],
    ["an epoch to come", { goal, active: Uint16Array.of(0), activeSince: Uint32Array.of(2) }, /since epoch 2 of 1/],
    ["too few fences", { fences: Uint32Array.of(1) }, /1 fences for 8 partitions/],
    ["a fence to come", { fences: new Uint32Array(8).fill(2) }, /fence is epoch 2 of 1/],
    ["a join of a member", staged("join", 1), /staged join names 1, who is member \(must be joining\)/],
    ["a leave of a newcomer", staged("leave", 5), /staged leave names 5, who is joining \(must be member\)/],
    ["a change of nobody", staged("remove", 9), /staged remove names 9, who is no member/],
    ["a replace by a member", staged("replace", 1, 2), /staged replace names 2, who is member/],
    ["a leave with a newcomer", staged("leave", 1, 5), /staged leave has no newcomer, but names 5/],
    ["an unknown change", staged("grow", 1), /unknown kind of staged change: grow/],
    [
      "two changes of one member",
      { staged: [...staged("join", 5).staged, ...staged("replace", 1, 5).staged] },
      /two staged changes name member 5/,
    ],
  ];
  it.each(invalid)("%s", (_, change, message) => {
    expect(() => new Ring({ ...fieldsOf(members, owners), ...change })).toThrow(message);
  });

  it("but takes each kind of staged change", () => {
    for (const good of [staged("join", 5), staged("leave", 1), staged("remove", 2), staged("replace", 3, 5)]) {
      expect(new Ring({ ...fieldsOf(members, owners), ...good }).staged).toEqual(good.staged);
    }
  });
});

describe("the hash of a ring's bytes", () => {
  it("is fixed, and another for other bytes", () => {
    expect(ringHash(Uint8Array.of(1, 2, 3))).toEqual(ringHash(Uint8Array.of(1, 2, 3)));
    expect(ringHash(Uint8Array.of(1, 2, 3))).not.toEqual(ringHash(Uint8Array.of(1, 2, 4)));
  });
});
