/** The invariants of rings on histories made by hand: each bad one is found, each good one is not. */
import { describe, expect, it } from "vitest";
import { Hash64 } from "../../../src/base/hash.ts";
import { instant } from "../../../src/base/time.ts";
import { OneRingPerEpoch } from "../../../src/sim/invariants/one-ring-per-epoch.ts";
import { OwnershipNeverGaps } from "../../../src/sim/invariants/ownership-never-gaps.ts";
import { compareRings, type RingView } from "../../../src/sim/invariants/ring-agrees.ts";
import type { Violation } from "../../../src/sim/violation.ts";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";

const now = instant(1);

function hash(low: number): Hash64 {
  const made = new Hash64();
  made.low = low;
  return made;
}

describe("one-ring-per-epoch", () => {
  /** Rings saved one after the other, each as "seat epoch hash", and " lost" where the save fails. */
  function judge(...saves: readonly string[]): string[] {
    const found: Violation[] = [];
    const watch = new OneRingPerEpoch((violation) => found.push(violation));
    for (const save of saves) {
      const [seat = 0, epoch = 0, low = 0] = save.split(" ").map(Number);
      const seen = { at: now, seat, ring: { epoch }, hash: hash(low) };
      watch.onSave(seen);
      if (!save.endsWith(" lost")) watch.onKept(seen);
    }
    return found.map((violation) => violation.text);
  }

  it("lets rings rise, skip epochs, and be saved again after a crash", () => {
    expect(judge("0 1 10", "1 1 10", "0 2 20", "1 3 30", "0 3 30", "1 3 30")).toEqual([]);
  });

  it("finds two rings of one epoch, also long after the first", () => {
    expect(judge("0 1 10", "1 1 11")).toEqual(["node 2 and node 1 obey different rings of epoch 1"]);
    expect(judge("0 1 10", "0 2 20", "2 1 11")).toEqual(["node 3 and node 1 obey different rings of epoch 1"]);
  });

  it("lets a first ring be made anew where its save has failed, since nobody has seen it", () => {
    expect(judge("0 1 10 lost", "0 1 11", "1 1 11")).toEqual([]);
    expect(judge("0 1 10 lost", "0 1 11", "1 1 10")).toHaveLength(1);
  });

  it("finds a node that goes back", () => {
    expect(judge("0 1 10", "0 2 20", "0 1 10")).toEqual(["node 1 went back from epoch 2 to 1"]);
  });
});

describe("ring-agrees", () => {
  const owners = Uint16Array.of(1, 2);
  const resting = { epoch: 3, owners, goal: owners, staged: [] };

  function judge(...views: readonly Partial<RingView>[]): string[] {
    const found: string[] = [];
    const whole = views.map((view, i): RingView => {
      return { name: `node ${i + 1}`, ring: resting, hash: hash(7), serves: true, isMember: true, ...view };
    });
    compareRings(whole, (text) => found.push(text));
    return found;
  }

  it("is content with members that agree, and with others that serve nobody", () => {
    expect(judge({}, {}, { isMember: false, serves: false, ring: undefined, hash: hash(0) })).toEqual([]);
  });

  it("finds a member that is behind, and one with another ring of that epoch", () => {
    expect(judge({}, { ring: { ...resting, epoch: 2 } })).toEqual([
      "node 2 obeys another ring (epoch 2) than node 1 (epoch 3)",
    ]);
    expect(judge({}, { hash: hash(8) })).toHaveLength(1);
    expect(judge({}, { ring: undefined })).toEqual(["node 2 is a member and has no ring"]);
  });

  it("finds a plan that is not done, and whoever serves after it has left", () => {
    expect(judge({ ring: { ...resting, goal: Uint16Array.of(2, 2) } })).toEqual(["node 1 is not done with epoch 3"]);
    expect(judge({}, { isMember: false })).toEqual(["node 2 serves although it is no member"]);
  });
});

describe("ownership-never-gaps", () => {
  const dot = { actorHigh: 0x10000, actorLow: 1, counter: 1 };
  const older = written(SiblingSet.empty, 1);
  const newer = written(older, 2);

  function written(set: SiblingSet, counter: number): SiblingSet {
    const requestId = new Uint8Array(16).fill(counter);
    const common = { context: VersionVector.empty, value: requestId, tombstone: false, second: 0, keepRecentFor: 0 };
    return set.put({ ...common, dot: { ...dot, counter }, requestId });
  }

  /** A world of three seats in which seats 0 and 1 own the one key. */
  function begin(): {
    watch: OwnershipNeverGaps;
    owners: number[];
    lost: number[];
    found: Violation[];
    gone: VersionVector[];
    memory: Map<number, SiblingSet>;
  } {
    const owners = [0, 1];
    const lost: number[] = [];
    const found: Violation[] = [];
    const gone: VersionVector[] = [];
    const memory: Map<number, SiblingSet> = new Map();
    const view = {
      owners: () => [...owners],
      isLost: (seat: number) => lost.includes(seat),
      partitionOf: () => 5,
      seatOf: (number: number) => number - 1,
      forgotten: () => gone[0] ?? VersionVector.empty,
      inMemory: (seat: number) => memory.get(seat)?.version ?? VersionVector.empty,
    };
    const watch = new OwnershipNeverGaps(view, (violation) => found.push(violation));
    return { watch, owners, lost, found, gone, memory };
  }

  it("lets a copy go that an owner holds, and a newcomer come that has it all", () => {
    const { watch, owners, found } = begin();
    watch.onCopy(0, "k", older);
    watch.onCopy(1, "k", newer);
    watch.onCopy(2, "k", newer);
    owners.splice(0, 2, 0, 2);
    watch.onRing(now);
    watch.onCopyDropped(now, 1, "k");
    expect(found).toEqual([]);
  });

  it("asks a newcomer for nothing of a key that came to be while it copied", () => {
    for (const copies of [true, false]) {
      const { watch, owners, found } = begin();
      if (copies) watch.onCopying(2, 1, 5);
      watch.onCopy(0, "k", newer);
      watch.onCopy(1, "k", newer);
      owners.splice(0, 2, 0, 2);
      watch.onRing(now);
      expect(found).toHaveLength(copies ? 0 : 1);
    }
  });

  it("finds the deletion of what no owner holds", () => {
    const { watch, found } = begin();
    watch.onCopy(0, "k", older);
    watch.onCopy(2, "k", newer);
    watch.onCopyDropped(now, 2, "k");
    expect(found.map((violation) => violation.text)).toEqual([
      expect.stringMatching(/^node 3 deletes .*, which no owner holds$/),
    ]);
  });

  it("counts what an owner has in memory where that is all that was promised, and nobody else's", () => {
    const { watch, found, memory } = begin();
    memory.set(1, newer);
    watch.onCopy(2, "k", newer);
    watch.onCopyDropped(now, 2, "k");
    expect(found).toEqual([]);
    memory.set(2, newer).delete(1);
    watch.onCopy(2, "k", newer);
    watch.onCopyDropped(now, 2, "k");
    expect(found).toHaveLength(1);
  });

  it("misses nothing that was forgotten by certificate, and all that came after it", () => {
    const { watch, owners, found, gone } = begin();
    gone.push(older.version);
    watch.onCopy(1, "k", older);
    watch.onCopyDropped(now, 1, "k");
    watch.onCopy(1, "k", older);
    owners.splice(0, 2, 0, 2);
    watch.onRing(now);
    expect(found).toEqual([]);
    watch.onCopy(1, "k", newer);
    watch.onCopyDropped(now, 1, "k");
    expect(found).toHaveLength(1);
  });

  it("counts what a fallback keeps for the newcomer, as long as it does", () => {
    const { watch, owners, found } = begin();
    watch.onCopy(1, "k", newer);
    watch.onRecord(now, 0, "k", newer, 3);
    owners.splice(0, 2, 0, 2);
    watch.onRing(now);
    expect(found).toEqual([]);
    owners.splice(0, 2, 0, 1);
    watch.onRing(now);
    watch.onHintDropped(now, 0, "k", 3);
    owners.splice(0, 2, 0, 2);
    watch.onRing(now);
    expect(found).toHaveLength(1);
  });

  it("counts no copy that went with the power", () => {
    const { watch, found } = begin();
    watch.onCopy(0, "k", newer);
    watch.onCopy(2, "k", newer);
    watch.onRecount(0);
    watch.onCopyDropped(now, 2, "k");
    expect(found).toHaveLength(1);
  });

  it("asks for nothing that was damaged, until it has been written anew", () => {
    const { watch, found } = begin();
    watch.onCopy(2, "k", newer);
    watch.onCopyDamaged(2, "k");
    watch.onCopy(2, "k", older);
    watch.onCopy(0, "k", older);
    watch.onCopyDropped(now, 2, "k");
    expect(found).toEqual([]);
    watch.onCopy(2, "k", newer);
    watch.onCopyDropped(now, 2, "k");
    expect(found).toHaveLength(1);
  });

  it("finds a newcomer that lacks what the member held in whose place it comes, unless that one was given up", () => {
    for (const isLost of [false, true]) {
      const { watch, owners, lost, found } = begin();
      watch.onCopy(1, "k", newer);
      watch.onCopy(2, "k", older);
      owners.splice(0, 2, 0, 2);
      if (isLost) lost.push(1);
      watch.onRing(now);
      expect(found).toHaveLength(isLost ? 0 : 1);
    }
  });

  it.each([
    {
      lacking: "what the other one lost while it copied",
      first: newer,
      meanwhile: (watch: OwnershipNeverGaps) => {
        watch.onRecount(1);
        watch.onCopy(1, "k", older);
      },
    },
    {
      lacking: "what reached the other one after the copying had begun",
      first: older,
      meanwhile: (watch: OwnershipNeverGaps) => watch.onCopy(1, "k", newer),
    },
  ])("lets a newcomer lack $lacking, and nothing else", ({ first, meanwhile }) => {
    for (const [copied, count] of [
      [older, 0],
      [SiblingSet.empty, 1],
    ] as const) {
      const { watch, owners, found } = begin();
      watch.onCopy(1, "k", first);
      watch.onCopying(2, 1, 5);
      meanwhile(watch);
      watch.onCopy(2, "k", copied);
      owners.splice(0, 2, 0, 2);
      watch.onRing(now);
      expect(found).toHaveLength(count);
    }
  });
});
