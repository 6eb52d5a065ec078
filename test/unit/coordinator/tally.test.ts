/** The pure decisions: every input to seven slots, against naive twins that try all possible futures. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { wireOf } from "../../../src/base/errors.ts";
import { type AskedQuorum, Quorum } from "../../../src/coordinator/quorum.ts";
import { countSlots, ownSlots, packedWith } from "../../../src/coordinator/slots.ts";
import {
  type AskedPut,
  causeOf,
  countHosts,
  countOwners,
  decide,
  decideGet,
  decidePut,
  mixedCauses,
  refusalOf,
  Verdict,
} from "../../../src/coordinator/tally.ts";
import { anyRequirements, maskOf, policyOf, slotsIn } from "./stories.ts";

/** Lets every silent slot say yes or no in all ways. */
function naiveDecide(asked: number, required: number, ok: number, failed: number): Verdict {
  if (ok >= required) return Verdict.met;
  for (let more = 0; more <= asked - ok - failed; more += 1) if (ok + more >= required) return Verdict.waiting;
  return Verdict.impossible;
}

describe("decide", () => {
  test("agrees with the naive twin on every input up to seven slots", () => {
    for (let asked = 0; asked <= 7; asked += 1) {
      for (let required = 0; required <= 8; required += 1) {
        for (let ok = 0; ok <= asked; ok += 1) {
          for (let failed = 0; ok + failed <= asked; failed += 1) {
            const what = `asked ${asked}, required ${required}, ok ${ok}, failed ${failed}`;
            expect(decide(asked, required, ok, failed), what).toBe(naiveDecide(asked, required, ok, failed));
          }
        }
      }
    }
  });

  test("more answers than questions is a bug", () => {
    expect(() => decide(3, 2, 2, 2)).toThrow("more answers than questions");
  });
});

describe("counting", () => {
  test("slots: every mask", () => {
    for (let mask = 0; mask < 256; mask += 1) expect(countSlots(mask)).toBe(slotsIn(mask).length);
  });

  test("hosts: every mask, any layout", () => {
    const layouts = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(layouts, (hosts) => {
        const packed = hosts.reduce((all, host, slot) => all | (host << (3 * slot)), 0);
        for (let mask = 0; mask < 256; mask += 1) {
          expect(countHosts(mask, packed)).toBe(new Set(slotsIn(mask).map((slot) => hosts[slot])).size);
        }
      }),
      { numRuns: 20 },
    );
  });

  test("by default every slot is on a host of its own", () => {
    for (let mask = 0; mask < 256; mask += 1) expect(countHosts(mask, ownSlots)).toBe(countSlots(mask));
  });
});

const ownHosts = [0, 1, 2, 3, 4, 5, 6, 7];

/** What one slot has done; `unsynced`: acked, was to sync, did not. */
type SlotState = "silent" | "acked" | "durable" | "unsynced" | "failed";
const slotStates: readonly SlotState[] = ["silent", "acked", "durable", "unsynced", "failed"];
const futures: Readonly<Record<SlotState, readonly SlotState[]>> = {
  silent: ["acked", "durable", "failed"],
  acked: ["acked", "durable"],
  durable: ["durable"],
  unsynced: ["unsynced"],
  failed: ["failed"],
};

interface Scene {
  readonly asked: AskedQuorum;
  readonly slots: readonly SlotState[];
  readonly hosts: readonly number[];
  readonly fallbacks: readonly number[];
  /** The owner of each slot; absent: its own. */
  readonly standsFor?: readonly number[];
  /** The slots of the pending member and of the owner it replaces. */
  readonly change?: { readonly pending: number; readonly replaced: number };
}

/** The most owners that can each be given a slot of their own on a host of their own: by trying everything. */
function naiveOwners(scene: Scene, slots: readonly number[]): number {
  const ownerOf = (slot: number): number => scene.standsFor?.[slot] ?? slot;
  const choose = (left: readonly number[], owners: readonly number[], hosts: readonly number[]): number => {
    const [slot, ...rest] = left;
    if (slot === undefined) return 0;
    const without = choose(rest, owners, hosts);
    const host = scene.hosts[slot] as number;
    if (owners.includes(ownerOf(slot)) || hosts.includes(host)) return without;
    return Math.max(without, 1 + choose(rest, [...owners, ownerOf(slot)], [...hosts, host]));
  };
  return choose(slots, [], []);
}

function satisfied(scene: Scene, slots: readonly SlotState[], answersOnly: boolean): boolean {
  const { asked, hosts, fallbacks, change } = scene;
  const acked: number[] = [];
  const durable: number[] = [];
  slots.forEach((state, slot) => {
    if (state === "acked" || state === "durable" || state === "unsynced") acked.push(slot);
    if (state === "durable") durable.push(slot);
  });
  const confirms = new Set(acked.map((slot) => hosts[slot]));
  const lists = change === undefined || answersOnly ? [-1] : [change.pending, change.replaced];
  const listsMet = lists.every((absent) => {
    const counted = acked.filter((slot) => (scene.standsFor?.[slot] ?? slot) !== absent);
    const owners = counted.filter((slot) => !fallbacks.includes(slot));
    const enough = naiveOwners(scene, asked.strict ? owners : counted) >= (asked.w ?? 1);
    return enough && naiveOwners(scene, owners) >= (asked.pw ?? 0);
  });
  const synced = answersOnly || naiveOwners(scene, durable) >= (asked.dw ?? 0);
  return listsMet && synced && confirms.size >= (asked.hostConfirms ?? 0);
}

function someFuture(scene: Scene, done: readonly SlotState[], answersOnly: boolean): boolean {
  const state = scene.slots[done.length];
  if (state === undefined) return satisfied(scene, done, answersOnly);
  return futures[state].some((next) => someFuture(scene, [...done, next], answersOnly));
}

function naiveVerdict(scene: Scene, answersOnly: boolean): Verdict {
  if (satisfied(scene, scene.slots, answersOnly)) return Verdict.met;
  return someFuture(scene, [], answersOnly) ? Verdict.waiting : Verdict.impossible;
}

function packed(list: readonly number[]): number {
  return list.reduce((all, each, slot) => packedWith(all, slot, each), ownSlots);
}

function askedPut(scene: Scene): AskedPut {
  const slots = (...states: SlotState[]) =>
    maskOf(scene.slots.flatMap((state, slot) => (states.includes(state) ? [slot] : [])));
  const n = scene.slots.length;
  return {
    quorum: new Quorum(policyOf(n, 1, 1), scene.asked),
    targets: n,
    hostOf: packed(scene.hosts),
    standsFor: packed(ownHosts.map((slot) => scene.standsFor?.[slot] ?? slot)),
    fallbacks: maskOf(scene.fallbacks),
    pendingSlot: scene.change?.pending ?? -1,
    replacedSlot: scene.change?.replaced ?? -1,
    acked: slots("acked", "durable", "unsynced"),
    durable: slots("durable"),
    unsynced: slots("unsynced"),
    failed: slots("failed"),
  };
}

function check(scene: Scene): void {
  const put = askedPut(scene);
  const what = JSON.stringify(scene);
  expect(decidePut(put), what).toBe(naiveVerdict(scene, false));
  const { w = 0, pw = 0, hostConfirms = 0, strict = false } = scene.asked;
  const quorum = new Quorum(policyOf(scene.slots.length, 1, 1), { r: w, pr: pw, hostConfirms, strict });
  expect(decideGet({ ...put, quorum, answered: put.acked }), `as a get: ${what}`).toBe(naiveVerdict(scene, true));
}

function* listsOf<T>(values: readonly T[], length: number): Generator<T[]> {
  if (length === 0) yield [];
  else for (const rest of listsOf(values, length - 1)) for (const value of values) yield [...rest, value];
}

describe("decidePut and decideGet", () => {
  test("w and r: every state of up to seven slots", () => {
    for (let n = 1; n <= 7; n += 1) {
      for (const slots of listsOf<SlotState>(["silent", "acked", "failed"], n)) {
        for (let w = 1; w <= n; w += 1) {
          const put = askedPut({ asked: { w, r: w }, slots, hosts: ownHosts.slice(0, n), fallbacks: [] });
          const failed = slots.filter((state) => state === "failed").length;
          const acked = slots.filter((state) => state === "acked").length;
          const verdict = naiveDecide(n, w, acked, failed);
          if (decidePut(put) !== verdict || decideGet({ ...put, answered: put.acked }) !== verdict) {
            expect.fail(`${slots} w ${w}`);
          }
        }
      }
    }
  });

  test("all requirements together: every state of up to three slots", () => {
    for (let n = 1; n <= 3; n += 1) {
      const counts = Array.from({ length: n + 1 }, (_, count) => count);
      for (const slots of listsOf(slotStates, n)) {
        for (const [w, pw, dw] of listsOf(counts, 3) as Iterable<[number, number, number]>) {
          if (w === 0) continue;
          const hostConfirms = (w + pw + dw) % (n + 1);
          const strict = (pw + dw) % 2 === 1;
          check({
            asked: { w, pw, dw, hostConfirms, strict },
            slots,
            hosts: [0, 1, 0].slice(0, n),
            fallbacks: [n - 1],
          });
          check({ asked: { w, pw, dw }, slots, hosts: ownHosts.slice(0, n), fallbacks: [] });
        }
      }
    }
  });

  test("all requirements together: any state of up to six slots", () => {
    const scenes = fc.integer({ min: 1, max: 6 }).chain((n) => {
      return fc.record({
        asked: anyRequirements(n),
        slots: fc.array(fc.constantFrom(...slotStates), { minLength: n, maxLength: n }),
        hosts: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: n, maxLength: n }),
        fallbacks: fc.subarray(ownHosts.slice(0, n)),
      });
    });
    fc.assert(fc.property(scenes, check), { numRuns: 1000 });
  });
});

describe("two lists, fallbacks and shared hosts", () => {
  const scenes = fc
    .record({ n: fc.integer({ min: 1, max: 4 }), pending: fc.boolean(), added: fc.integer({ min: 0, max: 2 }) })
    .chain(({ n, pending, added }) => {
      const first = pending ? n + 1 : n;
      const count = first + added;
      const upToN = fc.integer({ min: 0, max: n });
      const change = fc.record({ pending: fc.constant(n), replaced: fc.integer({ min: 0, max: n - 1 }) });
      const stand = fc.array(fc.integer({ min: 0, max: first - 1 }), { minLength: added, maxLength: added });
      return fc.record({
        asked: fc.record({
          w: fc.integer({ min: 1, max: n }),
          pw: upToN,
          dw: upToN,
          hostConfirms: fc.constant(0),
          strict: fc.boolean(),
        }),
        slots: fc.array(fc.constantFrom(...slotStates), { minLength: count, maxLength: count }),
        // Mostly hosts of their own, as in a list; sometimes a few share one.
        hosts: fc.oneof(
          fc.constant(ownHosts.slice(0, count)),
          fc.array(fc.integer({ min: 0, max: 5 }), { minLength: count, maxLength: count }),
        ),
        fallbacks: fc.subarray(ownHosts.slice(0, n)).map((some) => [...some, ...ownHosts.slice(first, count)]),
        standsFor: stand.map((owners) => [...ownHosts.slice(0, first), ...owners]),
        ...(pending ? { change } : {}),
      });
    });

  test("agree with the naive twin", () => {
    const seen = new Set<Verdict>();
    fc.assert(
      fc.property(scenes, (scene) => {
        const verdict = decidePut(askedPut(scene));
        seen.add(verdict);
        expect(verdict, JSON.stringify(scene)).toBe(naiveVerdict(scene, false));
      }),
      { numRuns: 3000 },
    );
    expect(seen.size).toBe(3);
  });

  test("the bug of forgetting the new list would be seen here", () => {
    const put = {
      ...askedPut({
        asked: { w: 2 },
        hosts: ownHosts.slice(0, 4),
        fallbacks: [],
        standsFor: [0, 1, 2, 3],
        slots: ["acked", "acked", "silent", "silent"],
      }),
      pendingSlot: 3,
      replacedSlot: 1,
    };
    expect(decidePut(put)).toBe(Verdict.waiting);
    enableCanaries(["ignore-new-list"]);
    expect(decidePut(put)).toBe(Verdict.met);
    enableCanaries([]);
  });

  test("an owner and its fallback are one, whoever acked first", () => {
    const scene = { asked: { w: 2 }, hosts: ownHosts.slice(0, 4), fallbacks: [3], standsFor: [0, 1, 2, 0] };
    expect(decidePut(askedPut({ ...scene, slots: ["acked", "silent", "silent", "acked"] }))).toBe(Verdict.waiting);
    expect(decidePut(askedPut({ ...scene, slots: ["failed", "silent", "acked", "acked"] }))).toBe(Verdict.met);
  });

  test("a host with an owner's and a fallback's copy acks once", () => {
    const scene = { asked: { w: 2 }, fallbacks: [3], standsFor: [0, 1, 2, 1] };
    const slots: SlotState[] = ["acked", "failed", "failed", "acked"];
    expect(decidePut(askedPut({ ...scene, hosts: [0, 1, 2, 0], slots }))).toBe(Verdict.impossible);
    expect(decidePut(askedPut({ ...scene, hosts: [0, 1, 2, 3], slots }))).toBe(Verdict.met);
  });

  test("a node in both lists counts in both, the replaced one and the pending one in theirs", () => {
    const scene = { hosts: ownHosts.slice(0, 4), fallbacks: [], change: { pending: 3, replaced: 0 } };
    const verdict = (slots: SlotState[]) => decidePut(askedPut({ ...scene, asked: { w: 2 }, slots }));
    expect(verdict(["silent", "acked", "acked", "silent"]), "two in both").toBe(Verdict.met);
    expect(verdict(["acked", "acked", "silent", "silent"]), "one is only in the old list").toBe(Verdict.waiting);
    expect(verdict(["acked", "acked", "silent", "acked"])).toBe(Verdict.met);
    expect(verdict(["silent", "acked", "silent", "acked"]), "one is only in the new list").toBe(Verdict.waiting);
    expect(verdict(["acked", "acked", "failed", "failed"]), "the new list cannot").toBe(Verdict.impossible);
  });

  test("a fallback's ack counts in the lists of the owner that it stands for", () => {
    const change = { pending: 3, replaced: 0 };
    const of = (owner: number, slots: SlotState[]) =>
      decidePut(
        askedPut({
          asked: { w: 2 },
          hosts: ownHosts.slice(0, 5),
          fallbacks: [4],
          standsFor: [0, 1, 2, 3, owner],
          change,
          slots,
        }),
      );
    expect(of(1, ["silent", "failed", "acked", "silent", "acked"]), "for an owner in both").toBe(Verdict.met);
    expect(of(0, ["failed", "silent", "acked", "silent", "acked"]), "for the replaced one").toBe(Verdict.waiting);
    expect(of(3, ["silent", "silent", "acked", "failed", "acked"]), "for the pending one").toBe(Verdict.waiting);
  });

  test("owners counted on hosts of their own: every mask agrees with trying everything", () => {
    const layouts = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(layouts, fc.integer({ min: 0, max: 255 }), (list, mask) => {
        const scene = { asked: {}, slots: [], fallbacks: [], hosts: list.slice(0, 8), standsFor: list.slice(8) };
        const naive = naiveOwners(scene, slotsIn(mask));
        expect(countOwners(mask, packed(scene.standsFor), packed(scene.hosts))).toBe(naive);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the reason of a refusal", () => {
  const overloaded = wireOf("OVERLOADED");
  const wrongOwner = wireOf("WRONG_OWNER");
  const failed = wireOf("STORAGE_FAILED");

  test("is the shared one if the client can act on it", () => {
    expect(refusalOf(causeOf(causeOf(0, overloaded), overloaded))).toBe(overloaded);
    expect(refusalOf(causeOf(causeOf(0, wrongOwner), wrongOwner))).toBe(wrongOwner);
  });

  test("is the quorum otherwise", () => {
    const mixed = causeOf(causeOf(0, overloaded), failed);
    expect(mixed).toBe(mixedCauses);
    expect(causeOf(mixed, overloaded)).toBe(mixedCauses);
    for (const cause of [0, failed, mixed]) expect(refusalOf(cause)).toBe(wireOf("QUORUM_NOT_MET"));
  });
});
