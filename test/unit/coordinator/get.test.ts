/** GetCoordinator: what it answers and when, what it merges, whom it repairs, and that nothing leaks. */
import { describe, expect, test } from "vitest";
import { codeOf, statusOk, wireOf } from "../../../src/base/errors.ts";
import { instant, never } from "../../../src/base/time.ts";
import { GetCoordinator } from "../../../src/coordinator/get.ts";
import { recordHeaderBytes } from "../../../src/version/record.ts";
import { dotsIn, GetRecorder, GetStory, newGet, policyOf, recordOf, slotsIn, timeoutUs } from "./stories.ts";

const a = recordOf([[1, 1]]);
const b = recordOf([[2, 1]]);
const both = recordOf([
  [1, 1],
  [2, 1],
]);

describe("the answer", () => {
  test("all targets are asked at once, and the R-th answer is the last that is waited for", () => {
    for (let n = 1; n <= 7; n += 1) {
      for (let r = 1; r <= n; r += 1) {
        const story = new GetStory({ policy: policyOf(n, r, 1) }).begin();
        expect(story.recorder.readRequests).toBe(n);
        for (let slot = 0; slot < n; slot += 1) {
          expect(story.replied, `n ${n} r ${r} answers ${slot}`).toBe(slot >= r);
          story.record(10, slot, a);
        }
        expect(story.replied && story.gone).toBe(true);
        expect(story.status).toBe(statusOk);
        expect(story.recorder.repaired).toEqual([]);
      }
    }
  });

  test("no such key is an answer", () => {
    const story = new GetStory().begin().record(10, 1, null).record(20, 2, null);
    expect(story.status).toBe(statusOk);
    expect(story.op.merged).toBe(null);
    expect(slotsIn(story.op.missing)).toEqual([1, 2]);
    story.record(30, 0, null);
    expect(story.gone).toBe(true);
    expect(story.recorder.repaired).toEqual([]);
  });

  test("no such key from a fallback is none: an owner may hold it", () => {
    const story = new GetStory({ fallbacks: 0b100 }).begin().record(10, 0, null).record(20, 2, null);
    expect(story.replied).toBe(false);
    expect(story.record(30, 1, a).status).toBe(statusOk);
    expect(dotsIn(story.op.merged)).toBe("1:1");
    expect(story.recorder.repaired).toEqual([0]);
  });

  test("the first to answer is remembered", () => {
    expect(new GetStory().begin().op.firstSlot).toBe(-1);
    expect(new GetStory().begin().fail(5, 0).record(10, 2, null).record(20, 1, a).op.firstSlot).toBe(2);
  });

  test("is QUORUM_NOT_MET as soon as too many have failed, with the counts", () => {
    const story = new GetStory()
      .begin()
      .record(10, 0, a)
      .fail(20, 1, "EXPIRED")
      .fail(30, 2, "STORAGE_FAILED", "bad disk");
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    const counts = "r is 2, but 1 of 3 replicas answered; 2 failed, last failure: STORAGE_FAILED (bad disk)";
    expect(story.op.message).toBe(counts);
    expect(story.gone).toBe(true);
  });

  test("names the shared cause when the client can act on it", () => {
    for (const code of ["OVERLOADED", "WRONG_OWNER"] as const) {
      expect(codeOf(new GetStory().begin().fail(10, 1, code).fail(20, 2, code).status)).toBe(code);
      expect(codeOf(new GetStory().begin().fail(10, 1, code).fail(20, 2, "NOT_SYNCED").status)).toBe("QUORUM_NOT_MET");
    }
  });

  test("a quorum that the targets cannot give is refused before anybody is asked", () => {
    const story = new GetStory({ targets: 1 }).begin();
    expect(story.recorder.readRequests).toBe(0);
    expect(story.op.message).toBe("r is 2; replicas that can be asked: 1");
    expect(story.gone).toBe(true);
  });

  test("pr and strict wait for owners", () => {
    const pr = new GetStory({ asked: { r: 1, pr: 2 }, fallbacks: 0b010 }).begin().record(10, 1, a).record(20, 0, a);
    expect(pr.replied).toBe(false);
    expect(pr.record(30, 2, a).status).toBe(statusOk);
    const strict = new GetStory({ asked: { r: 1, strict: true }, fallbacks: 0b010 }).begin().record(10, 1, a);
    expect(strict.replied).toBe(false);
    expect(strict.record(20, 0, a).status).toBe(statusOk);
  });

  test("answers by nobody, twice, or after the end change nothing", () => {
    const story = new GetStory().begin().record(10, 7, a).record(10, 1, a).record(11, 1, b).fail(12, 1).repaired(13, 1);
    expect(dotsIn(story.op.merged)).toBe("1:1");
    expect(story.op.failed).toBe(0);
    story.record(20, 0, a).record(30, 2, a);
    expect(story.gone).toBe(true);
    story.record(40, 2, b).fail(40, 2).repaired(40, 2).lost(40, 2).expire(timeoutUs);
    expect(dotsIn(story.op.merged)).toBe("1:1");
  });

  test("a record with a good checksum that is no record fails its slot, not the node", () => {
    const bad = a.slice();
    bad.fill(0xff, recordHeaderBytes);
    const story = new GetStory().begin().record(10, 0, a);
    story.core.onRecord(instant(20), story.op.id, 1, bad);
    expect(slotsIn(story.op.failed)).toEqual([1]);
    expect(story.op.lastStatus).toBe(wireOf("STORAGE_FAILED"));
    expect(story.record(30, 2, a).status).toBe(statusOk);
  });
});

describe("merging and repair", () => {
  test("whoever lacks something of the final merge is behind, whatever the order", () => {
    const cases: [records: (Uint8Array | null)[], merged: string, behind: number[]][] = [
      [[a, a, a], "1:1", []],
      [[a, a, null], "1:1", [2]],
      [[null, null, a], "1:1", [0, 1]],
      [[a, both, a], "1:1 2:1", [0, 2]],
      [[a, b, a], "1:1 2:1", [0, 1, 2]],
      [[a, b, both], "1:1 2:1", [0, 1]],
      [[both, null, b], "1:1 2:1", [1, 2]],
    ];
    for (const [records, merged, behind] of cases) {
      for (const order of [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
      ]) {
        const story = new GetStory().begin();
        for (const slot of order) story.record(10, slot, records[slot] as Uint8Array | null);
        expect(dotsIn(story.op.merged)).toBe(merged);
        expect(slotsIn(story.op.behind), `${merged} in order ${order}`).toEqual(behind);
        expect(story.recorder.repaired).toEqual(behind);
        for (const slot of behind) story.repaired(20, slot);
        expect(story.gone).toBe(true);
      }
    }
  });

  test("only slots that answered are repaired", () => {
    const story = new GetStory({ policy: policyOf(5, 1, 1) }).begin().record(10, 0, a).fail(20, 1).record(30, 2, null);
    story.expire(timeoutUs);
    expect(story.recorder.repaired).toEqual([2]);
  });

  test("a get that was refused still repairs", () => {
    const story = new GetStory({ policy: policyOf(3, 3, 1) }).begin().record(10, 0, a).fail(20, 1).record(30, 2, null);
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    expect(story.recorder.repaired).toEqual([2]);
  });

  test("repairs are bounded: what is too many is skipped and counted", () => {
    const recorder = new GetRecorder();
    const core = new GetCoordinator<string>(recorder, {
      opsMax: 8,
      replicaMarginUs: 0,
      silenceUs: 200_000,
      repairsMax: 3,
    });
    const ops = [0, 1].map(() => newGet(policyOf(3, 1, 1)));
    for (const [key, op] of ops.entries()) {
      op.hashLow = key;
      core.begin(instant(0), op);
      for (const [slot, sealed] of [a, null, null].entries()) core.onRecord(instant(10), op.id, slot, sealed);
    }
    expect(recorder.repaired).toEqual([1, 2, 1]);
    expect([core.repairsInFlight, core.repairsSkipped, core.inFlight]).toEqual([3, 1, 2]);
    const [first, second] = ops as [(typeof ops)[0], (typeof ops)[0]];
    core.onRepaired(instant(20), second.id, 2);
    expect(core.repairsInFlight, "the skipped slot was not under way").toBe(3);
    core.onRepaired(instant(20), second.id, 1);
    core.onTargetLost(instant(20), 102, wireOf("CONNECTION_LOST"), "");
    expect(core.repairsInFlight).toBe(1);
    core.onRepaired(instant(20), first.id, 2);
    expect([core.repairsInFlight, core.inFlight]).toEqual([0, 0]);
  });

  test("repairs that nobody answers are given up", () => {
    const story = new GetStory({ repairsMax: 1 }).begin().record(10, 0, a).record(20, 1, null).record(30, 2, null);
    expect([story.core.repairsInFlight, story.core.repairsSkipped]).toEqual([1, 1]);
    expect(story.gone).toBe(false);
    while (story.core.nextDeadline() !== never) story.expire(story.core.nextDeadline());
    expect(story.gone).toBe(true);
    expect([story.core.repairsInFlight, story.core.inFlight]).toEqual([0, 0]);
  });
});

describe("time and room", () => {
  test("the deadline answers, repairs and forgets; nothing happens before", () => {
    const story = new GetStory({ policy: policyOf(3, 3, 1) }).begin(0).record(10, 0, a).record(20, 1, null);
    expect(story.expire(timeoutUs - 1).replied).toBe(false);
    story.expire(timeoutUs);
    expect(codeOf(story.status)).toBe("DEADLINE_EXCEEDED");
    expect(story.op.message).toBe("r is 3, but 2 of 3 replicas answered within 100 ms; 1 did not answer");
    expect(story.recorder.repaired).toEqual([1]);
    story.record(timeoutUs + 1, 2, b).repaired(timeoutUs + 2, 1);
    expect(dotsIn(story.op.merged)).toBe("1:1");
    expect(story.gone).toBe(true);
  });

  test("a full coordinator answers OVERLOADED and stays as it is", () => {
    const recorder = new GetRecorder();
    const core = new GetCoordinator<string>(recorder, {
      opsMax: 1,
      replicaMarginUs: 0,
      silenceUs: 200_000,
      repairsMax: 1,
    });
    const ops = [0, 1].map(() => newGet(policyOf(3, 2, 2)));
    for (const op of ops) core.begin(instant(0), op);
    expect(core.full && core.inFlight === 1).toBe(true);
    expect(ops.map((op) => op.status)).toEqual([statusOk, wireOf("OVERLOADED")]);
    expect(recorder.readRequests).toBe(3);
    core.expire(instant(timeoutUs));
    expect(core.inFlight).toBe(0);
  });

  test("a lost peer fails what it was asked and has not answered", () => {
    const story = new GetStory({ policy: policyOf(3, 3, 1) }).begin().record(10, 0, a).lost(20, 0);
    expect(story.replied).toBe(false);
    story.lost(30, 1);
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    expect(slotsIn(story.op.failed)).toEqual([1]);
  });
});

describe("an effect that calls its core back", () => {
  test.each(["readReplica", "repairReplica", "reply", "forget"] as const)("is caught: %s", (name) => {
    const recorder = new GetRecorder();
    const core = new GetCoordinator<string>(recorder, {
      opsMax: 8,
      replicaMarginUs: 0,
      silenceUs: 200_000,
      repairsMax: 8,
    });
    const op = newGet(policyOf(3, 2, 2));
    recorder[name] = () => core.onRecord(instant(1), op.id, 0, null);
    const run = () => {
      core.begin(instant(0), op);
      for (const [slot, sealed] of [a, a, null].entries()) core.onRecord(instant(0), op.id, slot, sealed);
      core.onRepaired(instant(0), op.id, 2);
    };
    expect(run).toThrow("an effect called its core back");
  });
});
