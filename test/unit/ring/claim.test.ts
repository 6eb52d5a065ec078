/**
 * Plans of new clusters over every (Q, S, N, zones) of interest, judged on the preference lists of a real `Ring` and on
 * windows counted here in the plainest way; the planner's own report is held to these counts.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PartitionId } from "../../../src/base/ids.ts";
import { Rng } from "../../../src/base/rng.ts";
import { type Claim, planClaim, type Violation, type ViolationKind } from "../../../src/ring/claim.ts";
import { reportClaim } from "../../../src/ring/claim-report.ts";
import { type Member, Ring } from "../../../src/ring/ring.ts";
import { expectGolden } from "../../support/golden.ts";
import { fieldsOf, memberOf, membersOn, naiveList } from "./support.ts";

function plan(members: readonly Member[], partitions: number, replicasMax: number, planSeed = 1): Claim {
  return planClaim({ members, partitions, replicasMax, planSeed });
}

function violation(claim: Claim, kind: ViolationKind): Violation | undefined {
  return claim.violations.find((one) => one.kind === kind);
}

/** The partitions among whose first `length` positions, wrapping, fewer than `needed` labels occur. */
function poorWindows(labels: readonly string[], length: number, needed: number): number[] {
  const poor: number[] = [];
  for (let p = 0; p < labels.length; p += 1) {
    const seen: string[] = [];
    for (let k = 0; k < length; k += 1) {
      const label = labels[(p + k) % labels.length] as string;
      if (!seen.includes(label)) seen.push(label);
    }
    if (seen.length < needed) poor.push(p);
  }
  return poor;
}

function labelsOf(claim: Claim, members: readonly Member[], field: "host" | "zone"): string[] {
  const labels = new Map(members.map((member) => [member.number as number, member[field]]));
  return Array.from(claim.owners, (owner) => labels.get(owner) as string);
}

function listsOf(claim: Claim, members: readonly Member[], n: number): Uint16Array[] {
  const ring = new Ring({ ...fieldsOf(members, claim.owners), replicasMax: Math.max(3, n) });
  return Array.from(claim.owners, (_, p) => ring.preferenceList(p as PartitionId, n));
}

/** What every plan must keep, whatever was asked for: balance, distinct hosts, and a report that tells the truth. */
function expectSound(claim: Claim, members: readonly Member[], n: number): void {
  const hosts = new Set(members.map((member) => member.host)).size;
  const owning = new Set(labelsOf(claim, members, "host")).size;
  const lists = listsOf(claim, members, n);
  const replicas = new Map<number, number>();
  const hostOf = new Map(members.map((member) => [member.number as number, member.host]));
  // The owners and the first fallback, all on hosts of their own.
  const wanted = Math.min(n + 1, owning);
  for (const list of lists) {
    const names: string[] = [];
    for (let i = 0; i < wanted; i += 1) {
      const node = list[i] as number;
      if (i < n) replicas.set(node, (replicas.get(node) ?? 0) + 1);
      const name = hostOf.get(node) as string;
      if (names.includes(name)) expect.fail(`${wanted} distinct hosts were expected: ${list.join(" ")}`);
      names.push(name);
    }
  }
  expect(owning).toBe(Math.min(hosts, claim.owners.length));
  const spaced = owning > n ? poorWindows(labelsOf(claim, members, "host"), n + 1, n + 1) : [];
  expect(violation(claim, "spacing")?.partitions ?? []).toEqual(spaced);
  const zones = labelsOf(claim, members, "zone");
  const poor = owning > n ? poorWindows(zones, n, Math.min(n, new Set(zones).size)) : [];
  expect(violation(claim, "zones")?.partitions ?? []).toEqual(poor);
  expect(violation(claim, "hosts")?.partitions.length ?? 0).toBe(owning < n ? claim.owners.length : 0);
  const owned = new Map<number, number>();
  for (const owner of claim.owners) owned.set(owner, (owned.get(owner) ?? 0) + 1);
  expect(claim.loads).toEqual(
    members.map(({ number }) => ({ number, owned: owned.get(number) ?? 0, replicas: replicas.get(number) ?? 0 })),
  );
}

/** Each node, host and zone owns its exact share by weight, rounded down or up. */
function expectBalanced(claim: Claim, members: readonly Member[]): void {
  const total = members.reduce((sum, member) => sum + member.weight, 0);
  for (const field of ["number", "host", "zone"] as const) {
    const owned = new Map<number | string, number>();
    const weight = new Map<number | string, number>();
    for (const [i, member] of members.entries()) {
      owned.set(member[field], (owned.get(member[field]) ?? 0) + (claim.loads[i]?.owned ?? 0));
      weight.set(member[field], (weight.get(member[field]) ?? 0) + member.weight);
    }
    for (const [label, count] of owned) {
      const exact = (claim.owners.length * (weight.get(label) as number)) / total;
      if (Math.abs(count - exact) >= 1) expect.fail(`${field} ${label} owns ${count}, its exact share is ${exact}`);
    }
  }
}

/** Where a failed host's load goes, counted by taking each host away in turn. */
function naiveSpread(claim: Claim, members: readonly Member[], n: number): number {
  const hosts = [...new Set(members.map((member) => member.host))];
  const hostOf = new Map(members.map((member) => [member.number as number, member.host]));
  let worst = 0;
  for (const failed of hosts) {
    const taken = new Map<string, number>();
    let lost = 0;
    for (const list of listsOf(claim, members, n)) {
      const names = Array.from(list, (node) => hostOf.get(node) as string);
      if (!names.slice(0, n).includes(failed)) continue;
      lost += 1;
      const survivors = names.filter((name) => name !== failed).slice(0, n);
      const fallback = survivors.find((name) => !names.slice(0, n).includes(name)) as string;
      taken.set(fallback, (taken.get(fallback) ?? 0) + 1);
    }
    for (const count of taken.values()) worst = Math.max(worst, (count / lost) * (hosts.length - 1));
  }
  return worst;
}

const sizes = [8, 16, 32, 64, 128, 256, 512, 1024];
const clusterSizes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 17, 29, 40];

describe("one node per host, no zones, Q 8..1024, S 1..12 and up to 40", () => {
  for (const n of [1, 2, 3, 4, 5]) {
    it(`keeps spacing N+1 wherever the numbers allow it, N=${n}`, () => {
      for (const partitions of sizes) {
        for (const hosts of clusterSizes) {
          const members = membersOn(hosts);
          const claim = plan(members, partitions, n, 1000 * hosts + partitions);
          expectSound(claim, members, n);
          expectBalanced(claim, members);
          const largest = Math.ceil(partitions / hosts);
          if (hosts <= n || largest * (n + 1) > partitions) continue;
          expect(claim.violations).toEqual([]);
          for (const load of claim.loads) expect(load.replicas).toBe(n * load.owned);
        }
      }
    });
  }

  it("keeps it for many seeds of small rings, as the simulator makes them", () => {
    for (let seed = 0; seed < 40; seed += 1) {
      for (const partitions of [8, 16, 32, 64]) {
        for (let hosts = 4; hosts <= 9; hosts += 1) {
          const claim = plan(membersOn(hosts), partitions, 3, seed);
          if (Math.ceil(partitions / hosts) * 4 <= partitions) expect(claim.violations).toEqual([]);
        }
      }
    }
  });

  it("keeps it for large rings", () => {
    for (const [partitions, hosts, n] of [
      [2048, 5, 3],
      [4096, 30, 3],
      [8192, 9, 5],
      [16_384, 40, 3],
    ] as const) {
      const members = membersOn(hosts);
      const claim = plan(members, partitions, n);
      expect(claim.violations).toEqual([]);
      for (const load of claim.loads) expect(load.replicas).toBe(n * load.owned);
    }
  });

  it("breaks it in one place only if N+1 hosts cannot share Q evenly", () => {
    for (const [partitions, n] of [
      [64, 2],
      [1024, 4],
      [256, 5],
    ] as const) {
      const claim = plan(membersOn(n + 1), partitions, n);
      expect(violation(claim, "spacing")?.partitions.length).toBe(n);
      expect(violation(claim, "spacing")?.text).toMatch(/at most \d+ of \d+ partitions can lie \d+ apart.*add a host/);
    }
  });
});

describe("fallback spread", () => {
  const cells: readonly [number, number, number, number][] = [
    // S, Q, the mean over seeds, the worst of them: at most
    [5, 64, 1.23, 1.34],
    [8, 1024, 1.05, 1.1],
    [12, 1024, 1.12, 1.2],
    [30, 4096, 1.2, 1.3],
  ];
  for (const [hosts, partitions, mean, most] of cells) {
    it(`S=${hosts}, Q=${partitions}: ${mean} on average`, () => {
      const seeds = partitions > 1024 ? 3 : 12;
      let sum = 0;
      for (let seed = 0; seed < seeds; seed += 1) {
        const members = membersOn(hosts);
        const claim = plan(members, partitions, 3, seed);
        if (seed === 0) expect(claim.spread).toBeCloseTo(naiveSpread(claim, members, 3), 3);
        expect(claim.spread).toBeLessThanOrEqual(most);
        sum += claim.spread;
      }
      expect(sum / seeds).toBeLessThanOrEqual(mean);
    });
  }

  it("is (S-1)/N for a round-robin layout, as the report sees it", () => {
    for (const [hosts, spread] of [
      [4, 1],
      [8, 2.333],
      [16, 5],
    ] as const) {
      const members = membersOn(hosts);
      const roundRobin = Uint16Array.from({ length: 1024 }, (_, p) => 1 + (p % hosts));
      expect(reportClaim(roundRobin, members, 3).spread).toBe(spread);
    }
  });

  it("counts slots per pair of hosts, and is 0 where nobody can take over", () => {
    expect(plan(membersOn(8), 1024, 3).slotsPerPair).toBeCloseTo((3 * 1024) / (8 * 7), 9);
    expect(plan(membersOn(8, 1, 4), 1024, 3).slotsPerPair).toBeCloseTo((3 * 1024) / (8 * 7), 9);
    expect(plan(membersOn(3), 64, 3).spread).toBe(0);
    expect(plan(membersOn(1), 64, 3).slotsPerPair).toBe(0);
  });
});

describe("zones", () => {
  it("min(N, Z) of them in every list, and windows that need not skip, for even zones with room", () => {
    for (const partitions of [64, 256, 1024]) {
      for (const [n, zones, hostsPerZone] of [
        [2, 2, 2],
        [2, 3, 2],
        [2, 5, 2],
        [3, 2, 3],
        [3, 4, 2],
        [3, 4, 3],
        [3, 5, 2],
        [4, 2, 4],
        [4, 3, 4],
        [4, 5, 3],
        [5, 2, 5],
        [5, 3, 4],
        [5, 4, 4],
      ] as const) {
        const members = membersOn(zones * hostsPerZone, zones);
        const claim = plan(members, partitions, n, partitions + zones);
        expectSound(claim, members, n);
        expectBalanced(claim, members);
        expect(claim.violations).toEqual([]);
      }
    }
  });

  it("as many zones as copies: only where the ring closes must a few lists skip", () => {
    for (const partitions of [64, 1024]) {
      for (const hosts of [6, 9, 12]) {
        const members = membersOn(hosts, 3);
        const claim = plan(members, partitions, 3, hosts);
        expectSound(claim, members, 3);
        const skipping = claim.violations.reduce((sum, one) => sum + one.partitions.length, 0);
        expect(skipping).toBeGreaterThanOrEqual(2);
        expect(skipping).toBeLessThanOrEqual(5);
      }
    }
  });

  it("any members, zones and weights: sound, balanced, and the report is right", () => {
    const anyMembers = fc
      .record({
        hosts: fc.integer({ min: 1, max: 12 }),
        nodesPerHost: fc.integer({ min: 1, max: 3 }),
        zones: fc.integer({ min: 1, max: 5 }),
        heaviest: fc.constantFrom(1, 1, 2, 10),
        seed: fc.integer({ min: 0, max: 0xffff_ffff }),
      })
      .map(({ hosts, nodesPerHost, zones, heaviest, seed }) => {
        const rng = new Rng(seed);
        const all = membersOn(hosts, Math.min(zones, hosts), nodesPerHost);
        return all.map((member) => ({ ...member, weight: rng.between(1, heaviest) }));
      });
    fc.assert(
      fc.property(
        anyMembers,
        fc.constantFrom(64, 128, 256),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        (members, partitions, n, seed) => {
          const claim = plan(members, partitions, n, seed);
          expectSound(claim, members, n);
          // Below two partitions a share the smallest hosts are seated first.
          const total = members.reduce((sum, member) => sum + member.weight, 0);
          if (members.every((member) => member.weight * partitions >= 2 * total)) expectBalanced(claim, members);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("several nodes per host and unlike weights", () => {
  it("balance within one partition at node and host, and no copy on the host of another", () => {
    for (const [hosts, nodesPerHost, partitions] of [
      [5, 8, 64],
      [4, 2, 64],
      [7, 3, 256],
      [10, 4, 1024],
    ] as const) {
      const members = membersOn(hosts, 1, nodesPerHost);
      const claim = plan(members, partitions, 3);
      expectSound(claim, members, 3);
      expectBalanced(claim, members);
      expect(claim.violations).toEqual([]);
    }
  });

  it("shares follow weights, spaced as long as the heaviest host leaves room", () => {
    const members = membersOn(9).map((member, i) => ({ ...member, weight: [1, 2, 3][i % 3] as number }));
    for (const partitions of [64, 256, 1024]) {
      const claim = plan(members, partitions, 3);
      expectSound(claim, members, 3);
      expectBalanced(claim, members);
      expect(claim.violations).toEqual([]);
    }
  });

  it("says which host is too heavy for the spacing, and keeps all copies apart even so", () => {
    const members = membersOn(5).map((member, i) => ({ ...member, weight: i === 2 ? 6 : 1 }));
    const claim = plan(members, 64, 3);
    expectSound(claim, members, 3);
    expectBalanced(claim, members);
    expect(violation(claim, "spacing")?.text).toMatch(
      /^\d+ of 64 lists skip a host that comes twice within 4 positions: at most 16 of 64 partitions can lie 4 apart and host host-3 owns 3[89]; lower its weight or add hosts$/,
    );
  });

  it("gives every host a partition, however light, so that copies find distinct hosts", () => {
    const members = membersOn(4).map((member, i) => ({ ...member, weight: i === 0 ? 1000 : 1 }));
    const claim = plan(members, 64, 3);
    expectSound(claim, members, 3);
    expect(claim.loads.map((load) => load.owned)).toEqual([61, 1, 1, 1]);
  });
});

describe("few hosts", () => {
  it("with N hosts every list has them all, and nobody is left to take over", () => {
    const claim = plan(membersOn(3), 64, 3);
    expect(claim.violations).toEqual([]);
    expect(claim.warnings).toEqual([
      "no fallback: with 3 hosts and 3 copies nobody can stand in for a node that is down; 5 hosts are recommended",
    ]);
    for (const load of claim.loads) expect(load.replicas).toBe(64);
    expect(plan(membersOn(4), 64, 3).warnings).toEqual([]);
  });

  it("with fewer, every partition lacks copies", () => {
    const one = violation(plan(membersOn(1, 1, 3), 64, 3), "hosts");
    expect(one?.partitions.length).toBe(64);
    expect(one?.text).toBe("3 copies need 3 hosts and there is only 1: each record has one copy; add hosts");
    const two = violation(plan(membersOn(2), 64, 3), "hosts");
    expect(two?.text).toBe("3 copies need 3 hosts and there are only 2: each record has 2 copies; add hosts");
  });

  it("with more hosts than partitions, some own nothing, and that is said", () => {
    const members = membersOn(11);
    const claim = plan(members, 8, 3);
    expectSound(claim, members, 3);
    expect(claim.warnings).toEqual(["3 of 11 hosts own nothing: there are too few partitions"]);
  });
});

describe("a plan", () => {
  it("is the same for the same seed, in whatever order the members come, and another for another", () => {
    const members = membersOn(7, 3, 2);
    const first = plan(members, 256, 3, 42);
    expect(plan(members.toReversed(), 256, 3, 42)).toEqual(first);
    const others = new Set(Array.from({ length: 20 }, (_, seed) => plan(members, 256, 3, seed).owners.join()));
    expect(others.size).toBe(20);
  });

  it("gives partitions to those with status member only", () => {
    const statuses = ["joining", "member", "leaving", "left"] as const;
    const members = membersOn(12).map((member, i) => ({ ...member, status: statuses[i % 4] as Member["status"] }));
    const claim = plan(members, 64, 3);
    expect(new Set(claim.owners)).toEqual(new Set([2, 6, 10]));
    expect(claim.loads.map((load) => load.number)).toEqual([2, 6, 10]);
  });

  it("refuses what is no cluster", () => {
    expect(() => plan([], 64, 3)).toThrow("0 members to own partitions (1..1000 are allowed)");
    expect(() => plan([memberOf(1, { status: "joining" })], 64, 3)).toThrow("0 members to own partitions");
    expect(() => plan(membersOn(1001), 64, 3)).toThrow("1001 members to own partitions");
    expect(() => plan(membersOn(3), 60, 3)).toThrow("not a number of partitions: 60");
    expect(() => plan(membersOn(3), 64, 8)).toThrow("replicasMax is 8 (1..7 are allowed)");
    expect(() => plan([memberOf(1), memberOf(1)], 64, 3)).toThrow("two members have the number 1");
  });

  it("has lists that the naive twin agrees with", () => {
    for (const members of [membersOn(5), membersOn(9, 3), membersOn(6, 2, 3)]) {
      const claim = plan(members, 64, 3);
      for (const [p, list] of listsOf(claim, members, 3).entries()) {
        expect([...list]).toEqual(naiveList(claim.owners, members, p, 3));
      }
    }
  });

  it("reads as the golden story tells", () => {
    const heavy = membersOn(5).map((member, i) => ({ ...member, weight: i === 0 ? 4 : 1 }));
    const stories: readonly [string, readonly Member[], number][] = [
      ["five nodes, three copies", membersOn(5), 3],
      ["four nodes: no choice but turns", membersOn(4), 3],
      ["three nodes: no fallback", membersOn(3), 3],
      ["two nodes: too few hosts", membersOn(2), 3],
      ["six nodes in three zones (A D, B E, C F)", membersOn(6, 3), 3],
      ["four hosts with two nodes each (A E, B F, C G, D H)", membersOn(4, 1, 2), 3],
      ["five nodes, the first four times as heavy", heavy, 3],
    ];
    const lines = ["# Plans for 64 partitions, seed 7: the owner of each partition as a letter, then the report."];
    for (const [title, members, n] of stories) {
      const claim = plan(members, 64, n, 7);
      const letters = Array.from(claim.owners, (owner) => String.fromCharCode(64 + owner)).join("");
      lines.push("", title, `  ${letters}`, `  owned ${claim.loads.map((load) => load.owned).join(" ")}`);
      lines.push(`  replicas ${claim.loads.map((load) => load.replicas).join(" ")}`);
      lines.push(`  spread ${claim.spread}, slots per pair ${claim.slotsPerPair.toFixed(1)}`);
      for (const one of claim.violations) lines.push(`  violation: ${one.text}`);
      for (const warning of claim.warnings) lines.push(`  warning: ${warning}`);
    }
    expectGolden("ring-claim", lines.join("\n"));
  });
});
