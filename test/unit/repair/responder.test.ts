/** The responder: what it refuses, and that it answers each question once. The rest is in the exchange's tests. */
import { describe, expect, it } from "vitest";
import { noBytes } from "../../../src/base/bytes.ts";
import { wireOf } from "../../../src/base/errors.ts";
import { instant } from "../../../src/base/time.ts";
import { noLeaves, treeIdOf } from "../../../src/repair/merkle-tree.ts";
import type { Asked, Reply } from "../../../src/repair/questions.ts";
import { Relation } from "../../../src/repair/relation.ts";
import { Responder, type ResponderEffects } from "../../../src/repair/responder.ts";
import { storeDamaged } from "../../../src/storage/store-events.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { keyNamed, RepairWorld, treeOf } from "../../support/repair-world.ts";

const now = instant(0);
const tree = treeIdOf(3, 0);

class Rig implements ResponderEffects<string> {
  readonly answers: [string, Reply][] = [];
  readonly refusals: [string, number][] = [];
  readonly asked: [string, number, Uint8Array | null][] = [];
  readonly responder: Responder<string>;

  constructor() {
    this.responder = new Responder({
      effects: this,
      leaves: { wordsOf: () => noLeaves, hurry: () => {} },
      treeOf,
      partitions: 1,
      mayCompare: (one) => one === tree,
      jobsMax: 2,
    });
  }

  answer(_now: number, ticket: string, reply: Reply): void {
    this.answers.push([ticket, reply]);
  }

  refuse(_now: number, ticket: string, _type: number, status: number): void {
    this.refusals.push([ticket, status]);
  }

  scanLeaf(_now: number, id: number, _partition: number, _leaf: number, cursor: Uint8Array | null): void {
    this.asked.push(["scan", id, cursor]);
  }

  readRecord(_now: number, id: number, fullKey: Uint8Array): void {
    this.asked.push(["read", id, fullKey]);
  }
}

function held(name: string, version: number[] = []): object {
  return { fullKey: keyNamed(name), version, hashHigh: version.length, hashLow: 0 };
}

describe("responder", () => {
  it("refuses what makes no sense, and trees that are not to be compared", () => {
    const cases: [Asked, number][] = [
      [{ type: FrameType.TREE_BRANCH, body: { epoch: 1, tree: treeIdOf(3, 1) } }, wireOf("INVALID_ARGUMENT")],
      [{ type: FrameType.TREE_BRANCH, body: { epoch: 1, tree: 5 } }, wireOf("INVALID_ARGUMENT")],
      [{ type: FrameType.TREE_BRANCH, body: { epoch: 1, tree: treeIdOf(2, 0) } }, wireOf("NOT_SYNCED")],
      [
        { type: FrameType.TREE_LEAVES, body: { epoch: 1, tree, branches: Uint8Array.of(1, 1) } },
        wireOf("INVALID_ARGUMENT"),
      ],
      [
        { type: FrameType.TREE_LEAVES, body: { epoch: 1, tree, branches: Uint8Array.of(64) } },
        wireOf("INVALID_ARGUMENT"),
      ],
      [
        { type: FrameType.LEAF_KEYS, body: { epoch: 1, tree, leaf: 4096, cursor: noBytes } },
        wireOf("INVALID_ARGUMENT"),
      ],
      [
        { type: FrameType.LEAF_KEYS, body: { epoch: 1, tree, leaf: 1, cursor: Uint8Array.of(5, 0, 0) } },
        wireOf("INVALID_ARGUMENT"),
      ],
      [
        { type: FrameType.RECORD_FETCH, body: { epoch: 1, tree, held: [], preview: false } },
        wireOf("INVALID_ARGUMENT"),
      ],
      [
        {
          type: FrameType.RECORD_FETCH,
          body: { epoch: 1, tree, held: [held("k", [0, 1, 1])] as never, preview: false },
        },
        wireOf("INVALID_ARGUMENT"),
      ],
      [
        { type: FrameType.RECORD_FETCH, body: { epoch: 1, tree, held: [held("two:1")] as never, preview: false } },
        wireOf("INVALID_ARGUMENT"),
      ],
    ];
    for (const [question, status] of cases) {
      const rig = new Rig();
      rig.responder.onQuestion(now, "t", question);
      expect(rig.refusals).toEqual([["t", status]]);
      expect(rig.asked).toEqual([]);
    }
  });

  it("marks in an answer about roots which trees it refuses", () => {
    const rig = new Rig();
    const trees = [tree, treeIdOf(2, 0), treeIdOf(3, 9)];
    rig.responder.onQuestion(now, "t", { type: FrameType.TREE_ROOTS, body: { epoch: 1, trees } });
    const body = rig.answers[0]?.[1].body as { roots: Uint32Array; refused: Uint8Array };
    expect([...body.refused]).toEqual([0, 1, 1]);
    expect(body.roots.length).toBe(6);
  });

  it("does so many things at once, and no more", () => {
    const rig = new Rig();
    for (const ticket of ["a", "b", "c"]) {
      rig.responder.onQuestion(now, ticket, {
        type: FrameType.LEAF_KEYS,
        body: { epoch: 1, tree, leaf: 1, cursor: noBytes },
      });
    }
    expect(rig.refusals).toEqual([["c", wireOf("OVERLOADED")]]);
    expect(rig.responder.inFlight).toBe(2);
    const [, id] = rig.asked[0] as [string, number, null];
    rig.responder.onScanned(now, id, null, "no");
    expect(rig.refusals[1]).toEqual(["a", wireOf("STORAGE_FAILED")]);
    expect(rig.responder.inFlight).toBe(1);
  });

  it("answers for as many records as fit, in order, and says whose is behind", () => {
    const world = new RepairWorld();
    const sealed = world.b.put("k1", "x".repeat(700_000));
    const rig = new Rig();
    const names = ["k0", "k1", "k2", "k3", "k4", "k5"];
    const body = { epoch: 1, tree, held: names.map((name) => held(name)) as never, preview: false };
    rig.responder.onQuestion(now, "t", { type: FrameType.RECORD_FETCH, body });
    // k0 is not here; k1 is, k2 cannot be read, k3 never again; with k1 again the reply is full.
    const answers: [Uint8Array | null, string | null][] = [
      [null, null],
      [sealed, null],
      [null, "a read error"],
      [null, storeDamaged],
      [sealed, null],
    ];
    for (const [record, error] of answers) {
      const [, id] = rig.asked.at(-1) as [string, number, Uint8Array];
      rig.responder.onRecord(now, id, record, error);
    }
    const [, reply] = rig.answers[0] as [string, Reply];
    const { records } = reply.body as { records: { relation: number; record: Uint8Array }[] };
    expect(records.map(({ relation }) => relation)).toEqual([
      Relation.same,
      Relation.askerBehind,
      Relation.unreadable,
      Relation.damaged,
      Relation.askerBehind,
    ]);
    expect(records.map(({ record }) => record.length)).toEqual([0, sealed.length, 0, 0, sealed.length]);
    expect(rig.responder.inFlight).toBe(0);
  });
});
