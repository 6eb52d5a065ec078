/** Fallbacks, the pending member and silence: whom a put and a get ask beside the owners, and what then counts. */
import { describe, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { Durability } from "../../../src/base/durability.ts";
import { codeOf, statusOk, wireOf } from "../../../src/base/errors.ts";
import { instant } from "../../../src/base/time.ts";
import { getAgain, mayTryAgain, putAgain } from "../../../src/coordinator/again.ts";
import { packedAt } from "../../../src/coordinator/slots.ts";
import { dotsIn, GetStory, PutStory, policyOf, recordOf, silenceUs, slotsIn, timeoutUs } from "./stories.ts";

const a = recordOf([[1, 1]]);
const b = recordOf([[2, 1]]);

function effects(story: PutStory | GetStory): string[] {
  return story.recorder.lines.filter((line) => !line.includes("->")).map((line) => line.trim());
}

/** What was done since the last event. */
function last(story: PutStory | GetStory): string[] {
  const { lines } = story.recorder;
  return lines.slice(lines.findLastIndex((line) => line.includes("->")) + 1).map((line) => line.trim());
}

describe("an owner that fails", () => {
  test("is replaced by the next fallback at once, whose ack counts", () => {
    const story = new PutStory({ candidates: 2 }).begin().prepared().fail(10, 1, "CONNECTION_LOST");
    expect(last(story)).toEqual(["keepHint 3 for 102 buffered"]);
    story.ack(20, 3).ack(30, 0);
    expect(story.status).toBe(statusOk);
    expect([slotsIn(story.op.acked), slotsIn(story.op.fallbacks)]).toEqual([[0, 3], [3]]);
    expect(story.replied).toBe(true);
    expect(story.ack(40, 2).gone).toBe(true);
  });

  test.each(["OVERLOADED", "STORAGE_FAILED", "NODE_STOPPING", "EXPIRED", "NOT_SYNCED"] as const)(
    "with %s, too",
    (code) => {
      const story = new PutStory({ candidates: 1 }).begin().prepared().fail(10, 2, code);
      expect(last(story)).toEqual(["keepHint 3 for 103 buffered"]);
    },
  );

  test.each(["WRONG_OWNER", "INVALID_ARGUMENT"] as const)("is not when it says %s", (code) => {
    const story = new PutStory({ candidates: 1 }).begin().prepared().fail(10, 2, code);
    expect(last(story)).toEqual([]);
  });

  test("is replaced after the answer as well: the write is to be on N nodes", () => {
    const story = new PutStory({ candidates: 1 }).begin().prepared().ack(10, 0).ack(20, 1).lost(30, 2);
    expect(last(story)).toEqual(["keepHint 3 for 103 buffered"]);
    expect(story.gone).toBe(false);
    expect(story.ack(40, 3).gone).toBe(true);
  });

  test("a fallback that fails is followed by the next, and the last one's failure ends the put", () => {
    const story = new PutStory({ candidates: 2 }).begin().prepared().fail(10, 1).fail(20, 2).ack(30, 0);
    expect(effects(story).slice(-2)).toEqual(["keepHint 3 for 102 buffered", "keepHint 4 for 103 buffered"]);
    story.fail(40, 3, "CONNECTION_LOST");
    expect(story.replied, "slot 4 may still answer").toBe(false);
    story.fail(50, 4, "STORAGE_FAILED", "node 105: no space");
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    const counts =
      "w is 2, but 1 of 3 replicas acknowledged; 4 failed, last failure: STORAGE_FAILED (node 105: no space)";
    expect(story.op.message).toBe(counts);
    expect(story.gone).toBe(true);
  });

  test("no fallback can hold more hints: OVERLOADED, after every one was tried", () => {
    const story = new PutStory({ candidates: 2 })
      .begin()
      .prepared()
      .ack(5, 0)
      .fail(10, 1)
      .fail(20, 2, "CONNECTION_LOST");
    story.fail(30, 3, "OVERLOADED", "its hints are full");
    expect(story.replied).toBe(false);
    story.fail(40, 4, "OVERLOADED", "its hints are full");
    expect(codeOf(story.status)).toBe("OVERLOADED");
  });

  test("there are never more than eight slots", () => {
    const story = new PutStory({ policy: policyOf(7, 1, 7), candidates: 3 }).begin().prepared();
    story.fail(10, 1).fail(20, 2);
    expect(effects(story).filter((line) => line.startsWith("keepHint"))).toEqual(["keepHint 7 for 102 buffered"]);
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
  });

  test("an owner and its fallback count once", () => {
    const story = new PutStory({ candidates: 1 }).begin(0).prepared(0).expire(silenceUs);
    expect(last(story)).toEqual(["silent 1", "silent 2", "keepHint 3 for 101 buffered"]);
    story.ack(30_000, 3).ack(31_000, 0);
    expect(story.replied, "both hold it for one owner").toBe(false);
    expect(story.ack(32_000, 2).status).toBe(statusOk);
  });

  test("strict: fallbacks count for nothing, so they are not asked before the answer", () => {
    const story = new PutStory({ asked: { strict: true }, candidates: 1 }).begin().prepared().fail(10, 1);
    expect(last(story)).toEqual([]);
    story.ack(20, 0).ack(30, 2);
    expect(last(story)).toEqual(["reply ok; acked 0,2; durable none", "keepHint 3 for 102 buffered"]);
    const refused = new PutStory({ asked: { strict: true }, candidates: 1 }).begin().prepared().fail(10, 1).fail(20, 2);
    expect(codeOf(refused.status)).toBe("QUORUM_NOT_MET");
    expect(effects(refused).some((line) => line.startsWith("keepHint"))).toBe(false);
  });

  test("pw: a fallback helps w only", () => {
    const story = new PutStory({ asked: { pw: 2 }, candidates: 1 })
      .begin()
      .prepared()
      .fail(10, 1)
      .ack(20, 3)
      .ack(30, 0);
    expect(story.replied).toBe(false);
    expect(story.ack(40, 2).status).toBe(statusOk);
  });

  test("one-durable: the fallback of the designated owner syncs in its place", () => {
    const story = new PutStory({ durability: Durability.oneDurable, candidates: 1 }).begin().prepared();
    story.fail(10, 1, "CONNECTION_LOST");
    expect(last(story)).toEqual(["keepHint 3 for 102 one-durable"]);
    story.ack(20, 0).ack(30, 2).ack(40, 3, true);
    expect(story.gone).toBe(true);
    expect(slotsIn(story.op.durable)).toEqual([3]);
  });
});

describe("an owner that could not be reached from the start", () => {
  const setting = { owners: [101, 190, 103], fallbacks: 0b010, candidates: 1 };

  test("its fallback has its slot, and the hint is for the owner", () => {
    const story = new PutStory(setting).begin().prepared();
    expect(last(story)).toEqual(["keepHint 1 for 190 buffered", "writeReplica 2 buffered"]);
    expect(story.ack(10, 0).ack(20, 1).status).toBe(statusOk);
  });

  test("the next fallback keeps the hint for the same owner", () => {
    const story = new PutStory(setting).begin().prepared().fail(10, 1, "OVERLOADED");
    expect(last(story)).toEqual(["keepHint 3 for 190 buffered"]);
  });

  test("a fallback may coordinate", () => {
    const story = new PutStory({ ...setting, localSlot: 1 }).begin().prepared();
    expect(effects(story)).toEqual(["putLocal buffered", "writeReplica 0 buffered", "writeReplica 2 buffered"]);
    expect(story.ack(10, 1).ack(20, 2).status).toBe(statusOk);
  });
});

describe("an owner that is silent", () => {
  test("while W is not met: the next fallback, at once", () => {
    const story = new PutStory({ policy: policyOf(3, 2, 3), candidates: 2 }).begin(0).prepared(0).ack(10, 0).ack(20, 1);
    expect(story.core.nextDeadline()).toBe(silenceUs);
    story.expire(silenceUs - 1);
    expect(last(story)).toEqual([]);
    story.expire(silenceUs);
    expect(last(story)).toEqual(["silent 2", "keepHint 3 for 103 buffered"]);
    expect(story.ack(30_000, 3).status).toBe(statusOk);
    expect(story.expire(2 * silenceUs).recorder.lines.at(-1), "somebody holds it for the owner").toContain("->");
  });

  test("a fallback that is silent, too, is followed by the next; no owner is declared silent twice", () => {
    const story = new PutStory({ policy: policyOf(3, 2, 3), candidates: 2 }).begin(0).prepared(0).ack(10, 0).ack(20, 1);
    story.expire(silenceUs).expire(2 * silenceUs);
    expect(last(story), "asked at the first look: a whole silence ago").toEqual([
      "silent 3",
      "keepHint 4 for 103 buffered",
    ]);
  });

  test("once W is met: it is asked first, and a hint is kept only where the write is missing", () => {
    const begin = () => new PutStory({ candidates: 2 }).begin(0).prepared(0).ack(10, 0).ack(20, 1).expire(silenceUs);
    expect(last(begin())).toEqual(["silent 2", "askHead 2"]);
    const held = begin().head(30_000, 2, a);
    expect(last(held)).toEqual([]);
    expect(last(held.expire(2 * silenceUs))).toEqual([]);
    const missing = begin().head(30_000, 2, b);
    expect(last(missing)).toEqual(["keepHint 3 for 103 buffered"]);
    const refused = begin().head(30_000, 2, null);
    expect(last(refused)).toEqual(["keepHint 3 for 103 buffered"]);
    const unanswered = begin().expire(2 * silenceUs);
    expect(last(unanswered)).toEqual(["keepHint 3 for 103 buffered"]);
    const late = begin().ack(30_000, 2);
    expect(late.gone, "the write itself was acknowledged").toBe(true);
    const gone = begin().lost(30_000, 2);
    expect(last(gone)).toEqual(["keepHint 3 for 103 buffered"]);
  });

  test("what it holds is told by the dot of the put's own request id", () => {
    const story = new PutStory({ candidates: 1 });
    story.op.requestId = new Uint8Array(16).fill(17);
    story.begin(0).prepared(0).ack(10, 0).ack(20, 1).expire(silenceUs);
    story.head(
      30_000,
      2,
      recordOf([
        [1, 1],
        [3, 4],
      ]),
    );
    expect(last(story)).toEqual([]);
  });

  test("without a fallback left it is asked nothing", () => {
    const story = new PutStory().begin(0).prepared(0).ack(10, 0).ack(20, 1).expire(silenceUs);
    expect(last(story)).toEqual(["silent 2"]);
  });

  test("a silent fallback is left alone once W is met, and so is the own replica", () => {
    const story = new PutStory({ candidates: 3 }).begin(0).prepared(0).fail(10, 1).ack(15, 2).ack(20, 0);
    story.expire(silenceUs);
    expect(last(story), "asked just now, spared by the first look").toEqual([]);
    expect(last(story.expire(2 * silenceUs))).toEqual(["silent 3"]);
    const own = new PutStory({ candidates: 3 }).begin(0).prepared(0).ack(10, 1).ack(15, 2).expire(silenceUs);
    expect(last(own)).toEqual([]);
  });

  test("the others' time begins when they were asked, not when the own replica was", () => {
    const story = new PutStory({ policy: policyOf(3, 2, 3), candidates: 1 }).begin(0).prepared(20_000).ack(21_000, 0);
    expect(last(story.expire(silenceUs))).toEqual([]);
    expect(last(story.expire(2 * silenceUs))).toEqual(["silent 1", "silent 2", "keepHint 3 for 102 buffered"]);
  });

  test("a put that its own replica has not prepared asks nobody", () => {
    const story = new PutStory({ candidates: 1 })
      .begin(0)
      .expire(silenceUs)
      .expire(2 * silenceUs)
      .expire(timeoutUs);
    expect(codeOf(story.status)).toBe("DEADLINE_EXCEEDED");
    expect(effects(story).some((line) => line.startsWith("keepHint"))).toBe(false);
  });
});

describe("a list that changes", () => {
  test("a put asks the pending member with the owners, and W is needed in both lists", () => {
    const story = new PutStory({ replacedSlot: 0, localSlot: 1 }).begin().prepared();
    expect(last(story)).toEqual(["writeReplica 0 buffered", "writeReplica 2 buffered", "writeReplica 3 buffered"]);
    story.ack(10, 1).ack(20, 0);
    expect(story.replied, "one of two in the new list").toBe(false);
    expect(story.ack(30, 3).status).toBe(statusOk);
    expect(story.ack(40, 2).gone).toBe(true);
  });

  test("the refusal says which list", () => {
    const story = new PutStory({ replacedSlot: 0, localSlot: 0 }).begin().prepared().ack(10, 0).ack(20, 1);
    story.fail(30, 2).fail(40, 3);
    expect(story.op.message).toBe(
      "w in the new list is 2, but 1 of 3 replicas acknowledged; 2 failed, last failure: STORAGE_FAILED",
    );
  });

  test("a fallback for the pending member counts in the new list", () => {
    const story = new PutStory({ replacedSlot: 0, localSlot: 1, candidates: 1 }).begin().prepared();
    story.fail(10, 3, "CONNECTION_LOST");
    expect(last(story)).toEqual(["keepHint 4 for 104 buffered"]);
    story.ack(20, 1).ack(30, 0).ack(40, 4);
    expect(story.status).toBe(statusOk);
  });

  test("a get asks the pending member only in place of the replaced owner", () => {
    const story = new GetStory({ replacedSlot: 0, localSlot: 1 }).begin();
    expect(last(story)).toEqual(["readReplica 0", "readReplica 1", "readReplica 2"]);
    story.fail(10, 2, "WRONG_OWNER");
    expect(last(story), "not the replaced one").toEqual([]);
    story.fail(20, 0, "WRONG_OWNER");
    expect(last(story)).toEqual(["readReplica 3"]);
    story.record(30, 1, a).record(40, 3, b);
    expect(story.status).toBe(statusOk);
    expect([dotsIn(story.op.merged), packedAt(story.op.standsFor, 3)]).toEqual(["1:1 2:1", 0]);
    expect(story.recorder.repaired, "it was asked").toEqual([1, 3]);
    const other = new GetStory({ replacedSlot: 0 }).begin().fail(10, 0, "STORAGE_FAILED");
    expect(last(other)).toEqual([]);
  });
});

describe("a get", () => {
  test("hears from a fallback what its hints hold: a hit counts, and is never repaired", () => {
    const story = new GetStory({ fallbacks: 0b100, policy: policyOf(3, 2, 2) })
      .begin()
      .record(10, 2, a)
      .record(20, 0, b);
    expect(story.status).toBe(statusOk);
    story.record(30, 1, null);
    expect(story.recorder.repaired).toEqual([0, 1]);
  });

  test("merges what an unsynced owner has, without counting it, and repairs it", () => {
    const story = new GetStory().begin().unsynced(10, 0, a).record(20, 1, null);
    expect(story.replied).toBe(false);
    story.record(30, 2, b);
    expect(story.status).toBe(statusOk);
    expect(dotsIn(story.op.merged)).toBe("1:1 2:1");
    expect([slotsIn(story.op.answered), story.recorder.repaired]).toEqual([
      [1, 2],
      [0, 1, 2],
    ]);
  });

  test("that no such key is there counts from synced owners only", () => {
    const tell = (): GetStory => new GetStory().begin().unsynced(10, 0, null).unsynced(20, 1, null);
    enableCanaries(["unsynced-counts"]);
    expect(tell().status).toBe(statusOk);
    enableCanaries([]);
    const story = tell();
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    expect(slotsIn(story.op.missing)).toEqual([]);
  });

  test("tells the detector of silence, and asks nobody else", () => {
    const story = new GetStory().begin(0).record(10, 0, a).record(20, 1, a).expire(silenceUs);
    expect(last(story)).toEqual(["silent 2"]);
    expect(story.gone).toBe(false);
    expect(story.record(30_000, 2, a).gone).toBe(true);
  });
});

describe("what the detector hears", () => {
  test("answers of others with their time, but not of those that had to sync or came later", () => {
    const story = new PutStory({ durability: Durability.oneDurable, candidates: 1, policy: policyOf(4, 1, 4) });
    story.begin(0).prepared(100).ack(300, 0).ack(700, 1, true).ack(900, 2).fail(1_000, 3, "OVERLOADED").ack(1_200, 4);
    expect(story.recorder.answers).toEqual([
      { slot: 1, status: statusOk, latencyUs: -1 },
      { slot: 2, status: statusOk, latencyUs: 800 },
      { slot: 3, status: wireOf("OVERLOADED"), latencyUs: 900 },
      { slot: 4, status: statusOk, latencyUs: -1 },
    ]);
    const get = new GetStory({ localSlot: 1 }).begin(50).record(250, 0, a).record(260, 1, a).unsynced(300, 2, null);
    expect(get.recorder.answers).toEqual([
      { slot: 0, status: statusOk, latencyUs: 200 },
      { slot: 2, status: wireOf("NOT_SYNCED"), latencyUs: 250 },
    ]);
  });
});

describe("a newer ring elsewhere", () => {
  test("is told of once, and a refused put may try once more", () => {
    const story = new PutStory({ epoch: 7 }).begin().prepared().fail(10, 1, "WRONG_OWNER", "", 9);
    expect(last(story)).toEqual(["staleRing 9"]);
    expect(mayTryAgain(instant(15), story.op), "it is not refused").toBe(false);
    story.fail(20, 2, "WRONG_OWNER", "", 8);
    expect(codeOf(story.status)).toBe("WRONG_OWNER");
    expect(effects(story).filter((line) => line.startsWith("staleRing"))).toHaveLength(1);
    expect([story.op.staleEpoch, mayTryAgain(instant(25), story.op)]).toEqual([9, true]);
    expect(mayTryAgain(instant(timeoutUs), story.op), "no time is left").toBe(false);
  });

  test("an answer from an old ring, or of no known epoch, is a failure like any other", () => {
    const story = new PutStory({ epoch: 7 })
      .begin()
      .prepared()
      .fail(10, 1, "WRONG_OWNER", "", 7)
      .fail(20, 2, "WRONG_OWNER");
    expect(effects(story).some((line) => line.startsWith("staleRing"))).toBe(false);
    expect(mayTryAgain(instant(25), story.op)).toBe(false);
  });

  test("the second attempt sends the same record to the new list, whether this node is on it or not", () => {
    for (const localSlot of [-1, 1]) {
      const first = new PutStory({ epoch: 7, durability: Durability.oneDurable }).begin().prepared();
      first.fail(10, 1, "WRONG_OWNER", "", 9).fail(20, 2, "WRONG_OWNER", "", 9);
      const next = new PutStory({ epoch: 9, localSlot });
      const op = putAgain(instant(30), first.op);
      op.targetNumbers = Uint16Array.from([105, 106, 107]);
      op.localSlot = localSlot;
      op.epoch = 9;
      next.core.begin(instant(30), op);
      const sent = effects(next);
      expect(sent.filter((line) => line.startsWith("writeReplica"))).toHaveLength(3);
      expect(sent.filter((line) => line.endsWith("one-durable"))).toHaveLength(1);
      expect([op.sealed === first.sealed, op.timeoutUs, op.again]).toEqual([true, timeoutUs - 30, true]);
      for (const slot of [0, 2]) next.core.onAck(instant(40), op.id, slot, true);
      expect(op.status).toBe(statusOk);
      op.status = wireOf("WRONG_OWNER");
      op.staleEpoch = 12;
      expect(mayTryAgain(instant(50), op), "there is no third").toBe(false);
    }
  });

  test("a get may try once more, too", () => {
    const story = new GetStory({ epoch: 7 }).begin().fail(10, 1, "WRONG_OWNER", "", 9).fail(20, 2, "STORAGE_FAILED");
    expect(codeOf(story.status)).toBe("QUORUM_NOT_MET");
    expect(mayTryAgain(instant(30), story.op)).toBe(true);
    const next = getAgain(instant(30), story.op);
    expect([next.again, next.timeoutUs, next.fullKey === story.op.fullKey]).toEqual([true, timeoutUs - 30, true]);
  });
});

test.each(["keepHint", "askHead", "heard", "silent", "staleRing"] as const)(
  "an effect that calls its core back is caught: %s",
  (name) => {
    const story = new PutStory({ candidates: 2, epoch: 1, policy: policyOf(4, 2, 2) });
    Object.assign(story.recorder, { [name]: () => story.core.expire(instant(1)) });
    const run = () => {
      story.begin(0).prepared(0).ack(5, 0).fail(10, 1, "WRONG_OWNER", "", 4).ack(20, 2).expire(silenceUs);
      story.head(30_000, 3, null);
    };
    expect(run).toThrow("an effect called its core back");
  },
);
