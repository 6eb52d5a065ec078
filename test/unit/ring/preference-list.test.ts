/** Preference lists of arbitrary owner tables, however badly laid out, against the naive twin (Dynamo 4.3, 4.6). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PartitionId } from "../../../src/base/ids.ts";
import { type Member, Ring } from "../../../src/ring/ring.ts";
import { fieldsOf, memberOf, membersOn, naiveList } from "./support.ts";

/** Any owner table over nodes that share hosts, which share zones. */
const anyTable = fc
  .record({
    bits: fc.integer({ min: 3, max: 6 }),
    hosts: fc.integer({ min: 1, max: 20 }),
    zones: fc.integer({ min: 1, max: 6 }),
  })
  .chain(({ bits, hosts, zones }) => {
    const members = membersOn(hosts, zones, 3);
    const owner = fc.integer({ min: 1, max: members.length });
    return fc.record({
      members: fc.constant(members),
      owners: fc.array(owner, { minLength: 2 ** bits, maxLength: 2 ** bits }),
      n: fc.integer({ min: 1, max: 7 }),
    });
  });

function listsOf(members: readonly Member[], owners: readonly number[], n: number): number[][] {
  const ring = new Ring(fieldsOf(members, owners));
  return owners.map((_, p) => [...ring.preferenceList(p as PartitionId, n)]);
}

describe("any owner table", () => {
  it("gives the lists of the naive twin, for every n of one ring in any order", () => {
    fc.assert(
      fc.property(anyTable, fc.shuffledSubarray([1, 2, 3, 4, 5, 6, 7], { minLength: 2 }), ({ members, owners }, ns) => {
        const ring = new Ring(fieldsOf(members, owners));
        for (const p of [owners.length - 1, 0, 3]) {
          for (const n of ns) {
            expect([...ring.preferenceList(p as PartitionId, n)]).toEqual(naiveList(owners, members, p, n));
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("gives distinct hosts, the partition's owner first, and all zones within reach, up to n, among the first n", () => {
    fc.assert(
      fc.property(anyTable, ({ members, owners, n }) => {
        const owning = members.filter((member) => owners.includes(member.number));
        const hosts = new Set(owning.map((member) => member.host)).size;
        for (const [p, list] of listsOf(members, owners, n).entries()) {
          const near = Array.from({ length: 2 * n + 2 }, (_, k) => owners[(p + k) % owners.length] as number);
          const zones = new Set(near.map((number) => (members[number - 1] as Member).zone)).size;
          const nodes = list.map((number) => members[number - 1] as Member);
          expect(list[0]).toBe(owners[p]);
          expect(list.length).toBe(Math.min(hosts, 16));
          expect(new Set(nodes.map((node) => node.host)).size).toBe(list.length);
          expect(new Set(nodes.slice(0, n).map((node) => node.zone)).size).toBeGreaterThanOrEqual(Math.min(n, zones));
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("the rule for zones by example", () => {
  const zoned = [
    memberOf(1, { zone: "a" }),
    memberOf(2, { zone: "a" }),
    memberOf(3, { zone: "b" }),
    memberOf(4, { zone: "a" }),
    memberOf(5, { zone: "c" }),
  ];
  const owners = [1, 2, 3, 4, 5, 1, 2, 3];

  it("skips used zones until min(n, Z) are used, then fills with what it skipped", () => {
    expect(listsOf(zoned, owners, 2)[0]).toEqual([1, 3, 2, 4, 5]);
    expect(listsOf(zoned, owners, 3)[0]).toEqual([1, 3, 5, 2, 4]);
    expect(listsOf(zoned, owners, 4)[0]).toEqual([1, 3, 5, 2, 4]);
  });

  it("does not skip for one copy, and wraps at the end", () => {
    expect(listsOf(zoned, owners, 1)[6]).toEqual([2, 3, 1, 4, 5]);
    expect(listsOf(zoned, owners, 3)[7]).toEqual([3, 1, 5, 2, 4]);
  });

  it("skips the second node of a host", () => {
    const twins = [memberOf(1), memberOf(2, { host: "host-1" }), memberOf(3)];
    expect(listsOf(twins, [1, 2, 3, 2, 1, 1, 3, 3], 2)[0]).toEqual([1, 3]);
    expect(listsOf(twins, [1, 2, 3, 2, 1, 1, 3, 3], 2)[1]).toEqual([2, 3]);
  });

  it("does not wait for the zone of a member that owns nothing", () => {
    const idle = [
      ...zoned.slice(0, 3),
      memberOf(6, { zone: "idle" }),
      memberOf(7, { zone: "away", status: "joining" }),
    ];
    expect(listsOf(idle, [1, 2, 3, 1, 2, 3, 1, 2], 3)[0]).toEqual([1, 3, 2]);
  });
});
