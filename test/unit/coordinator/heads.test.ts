/**
 * Gets of large records: who sends the whole and who its head, when heads count, whose record is fetched, and what is done
 * about a record that is late. The property holds them against a naive fold of what the replicas hold.
 */
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { codeOf, statusOk } from "../../../src/base/errors.ts";
import { never } from "../../../src/base/time.ts";
import { compareHead, headIfLarger, openRecord, sealRecord } from "../../../src/version/record.ts";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { expectGolden } from "../../support/golden.ts";
import { dotsIn, GetStory, policyOf, recordOf, silenceUs, slotsIn, timeoutUs } from "./stories.ts";

const a = recordOf([[1, 1]]);
const b = recordOf([[2, 1]]);
const both = recordOf([
  [1, 1],
  [2, 1],
]);

function storyOf(setting: ConstructorParameters<typeof GetStory>[0] = {}): GetStory {
  return new GetStory({ bodySlot: 0, ...setting });
}

/** Slots that were asked, in order, whole or for a head. */
function askedOf(story: GetStory): string[] {
  return story.recorder.lines.filter((line) => line.includes("readReplica")).map((line) => line.trim());
}

afterEach(() => enableCanaries([]));

describe("replicas agree", () => {
  test("one round trip: the record of one, the heads of the others", () => {
    const story = storyOf().begin();
    const head = ", the head if it is large";
    expect(askedOf(story)).toEqual(["readReplica 0", `readReplica 1${head}`, `readReplica 2${head}`]);
    story.record(10, 0, a).head(20, 1, a);
    expect([story.status, dotsIn(story.op.merged), slotsIn(story.op.answered)]).toEqual([statusOk, "1:1", [0, 1]]);
    story.head(30, 2, a);
    expect([story.gone, story.recorder.repaired, story.recorder.readRequests]).toEqual([true, [], 3]);
  });

  test("heads do not count before the record is there, and the first to answer is remembered", () => {
    const story = storyOf().begin().head(10, 2, a).head(20, 1, a);
    expect([story.replied, slotsIn(story.op.answered), story.op.firstSlot]).toEqual([false, [], 2]);
    story.record(30, 0, a);
    expect([story.status, story.gone, slotsIn(story.op.answered)]).toEqual([statusOk, true, [0, 1, 2]]);
  });

  test("R=1 is answered by the record alone", () => {
    const story = storyOf({ policy: policyOf(3, 1, 1) })
      .begin()
      .head(10, 1, both);
    expect(story.replied).toBe(false);
    story.record(20, 0, a);
    expect([story.replied, dotsIn(story.op.merged)]).toEqual([true, "1:1"]);
  });
});

describe("replicas differ", () => {
  test("an older head counts, and its slot is repaired", () => {
    const story = storyOf().begin().record(10, 0, both).head(20, 1, a);
    expect([story.replied, dotsIn(story.op.merged)]).toEqual([true, "1:1 2:1"]);
    story.head(30, 2, both);
    expect([story.recorder.repaired, story.recorder.readRequests]).toEqual([[1], 3]);
  });

  test("a newer one is fetched and does not count before", () => {
    const story = storyOf().begin().record(10, 0, a).head(20, 1, both);
    expect([story.replied, askedOf(story).at(-1)]).toEqual([false, "readReplica 1"]);
    story.record(30, 1, both);
    expect([story.replied, dotsIn(story.op.merged)]).toEqual([true, "1:1 2:1"]);
    story.head(40, 2, both);
    expect([story.recorder.repaired, story.recorder.readRequests]).toEqual([[0], 4]);
  });

  test("a concurrent one too: both records are needed", () => {
    const story = storyOf().begin().record(10, 0, a).head(20, 1, b).record(30, 1, b);
    expect([story.replied, dotsIn(story.op.merged), slotsIn(story.op.behind)]).toEqual([true, "1:1 2:1", []]);
    story.head(40, 2, b);
    expect(story.recorder.repaired).toEqual([0, 1, 2]);
  });

  test("the other's record, if it comes after the answer, is fetched for the repair's sake", () => {
    const story = storyOf().begin().record(10, 0, a).head(20, 1, a).head(30, 2, both);
    expect([story.replied, story.gone, dotsIn(story.op.merged)]).toEqual([true, false, "1:1"]);
    story.record(40, 2, both);
    expect(story.recorder.repaired).toEqual([0, 1]);
  });

  test("of equal heads one is fetched, of a newer and an older one the newer", () => {
    const equal = storyOf().begin().head(10, 1, both).head(20, 2, both).record(30, 0, a);
    expect([equal.recorder.readRequests, askedOf(equal).at(-1)]).toEqual([4, "readReplica 1"]);
    equal.record(40, 1, both);
    expect([equal.replied, slotsIn(equal.op.answered), equal.recorder.repaired]).toEqual([true, [0, 1, 2], [0]]);
    const newer = storyOf().begin().head(10, 1, a).head(20, 2, both).record(30, 0, null);
    expect([newer.recorder.readRequests, askedOf(newer).at(-1)]).toEqual([4, "readReplica 2"]);
  });

  test("no such key at the slot that was to send the record: another sends it", () => {
    const story = storyOf().begin().head(10, 1, a).record(20, 0, null);
    expect(story.replied).toBe(false);
    story.record(30, 1, a);
    expect([story.replied, dotsIn(story.op.merged)]).toEqual([true, "1:1"]);
  });

  test("what is fetched is gone, or fails: the next one is fetched", () => {
    const gone = storyOf().begin().head(10, 1, a).head(20, 2, a).record(30, 0, null).record(40, 1, null);
    expect([gone.replied, gone.status]).toEqual([true, statusOk]);
    const failed = storyOf().begin().head(10, 1, a).head(20, 2, a).fail(30, 0).fail(40, 1);
    expect([failed.replied, codeOf(failed.status)]).toEqual([true, "QUORUM_NOT_MET"]);
    failed.record(50, 2, a);
    expect(failed.gone).toBe(true);
  });

  test("two records of one version that differ are both looked at", () => {
    const other = sealRecord(
      openRecord(both).put({
        context: openRecord(both).version,
        dot: { actorHigh: 1 << 16, actorLow: 7, counter: 2 },
        requestId: new Uint8Array(16).fill(9),
        value: new Uint8Array([9]),
        tombstone: false,
        second: 1,
        keepRecentFor: 60,
      }),
    );
    const twin = other.slice();
    twin[4] = (twin[4] as number) ^ 1;
    expect(compareHead(other, headIfLarger(twin, 0), twin.length)).toBe("news");
    enableCanaries(["digest-without-siblings"]);
    expect(compareHead(other, headIfLarger(twin, 0), twin.length)).toBe("same");
  });
});

describe("the record is late", () => {
  function lateStory(hedges: number): GetStory {
    const story = storyOf();
    story.recorder.hedgeDelayUs = 2_000;
    story.recorder.hedgesLeft = hedges;
    return story.begin().head(500, 1, a).head(600, 2, a);
  }

  test("another slot is asked within the budget, and whoever comes first counts", () => {
    const story = lateStory(1);
    story.expire(1_999);
    expect(story.recorder.readRequests).toBe(3);
    story.expire(story.core.nextDeadline());
    expect([story.recorder.readRequests, askedOf(story).at(-1), story.op.hedged]).toEqual([4, "readReplica 1", true]);
    story.record(3_000, 1, a);
    expect([story.replied, slotsIn(story.op.answered)]).toEqual([true, [1, 2]]);
    story.record(9_000, 0, a);
    expect([story.gone, story.recorder.repaired]).toEqual([true, []]);
  });

  test("beyond the budget it is waited for, until the slot has been silent", () => {
    const story = lateStory(0);
    story.expire(3_000);
    expect([story.recorder.readRequests, story.op.hedged]).toEqual([3, false]);
    story.expire(silenceUs);
    expect([story.recorder.readRequests, story.op.hedged]).toEqual([4, false]);
    story.record(silenceUs + 500, 1, a);
    expect(story.replied).toBe(true);
  });

  test("the late one may be the newer one", () => {
    const story = lateStory(1);
    story.expire(3_000).record(3_500, 1, a).record(4_000, 0, both);
    expect([story.gone, dotsIn(story.op.merged), story.recorder.repaired]).toEqual([false, "1:1 2:1", [1, 2]]);
  });

  test("nobody is asked twice when the answer is there", () => {
    const story = lateStory(5).record(1_000, 0, a);
    story.expire(5_000);
    expect([story.gone, story.recorder.readRequests, story.core.nextDeadline()]).toEqual([true, 3, never]);
  });

  test("the link to the slot breaks: at once", () => {
    const story = lateStory(0).lost(700, 0);
    expect([story.recorder.readRequests, askedOf(story).at(-1)]).toEqual([4, "readReplica 1"]);
  });
});

test("bytes that are no head fail their slot, and nothing else", () => {
  const story = storyOf().begin();
  story.core.onHead(10 as never, story.op.id, 1, new Uint8Array([1, 0, 0]), 9_000);
  expect(slotsIn(story.op.failed)).toEqual([1]);
  expect(story.record(20, 0, a).head(30, 2, a).status).toBe(statusOk);
});

/** Of an actor each: what covers a dot of an actor covers the earlier ones, and then somebody has replaced them. */
const dots = [
  [1, 1],
  [2, 1],
  [3, 1],
  [4, 1],
] as const;

const gets = fc.integer({ min: 1, max: 5 }).chain((n) =>
  fc.record({
    n: fc.constant(n),
    r: fc.integer({ min: 1, max: n }),
    bodySlot: fc.integer({ min: 0, max: n - 1 }),
    held: fc.array(fc.option(fc.subarray([...dots], { minLength: 1 }).map((chosen) => recordOf(chosen))), {
      minLength: n,
      maxLength: n,
    }),
    hedges: fc.nat({ max: 2 }),
    steps: fc.array(
      fc.record({ pick: fc.nat({ max: 99 }), event: fc.constantFrom("answer", "answer", "fail", "wait") }),
      {
        maxLength: 30,
      },
    ),
  }),
);

test("any replicas, any order: an answer merges R of them at least, and in the end all that were heard", () => {
  fc.assert(
    fc.property(gets, ({ n, r, bodySlot, held, hedges, steps }) => {
      const story = new GetStory({ policy: policyOf(n, r, 1), bodySlot, localSlot: -1 });
      story.recorder.hedgeDelayUs = 1_000;
      story.recorder.hedgesLeft = hedges;
      const out: { slot: number; whole: boolean }[] = [];
      const ask = story.recorder.readReplica.bind(story.recorder);
      story.recorder.readReplica = (now, op, slot) => {
        ask(now, op, slot);
        out.push({ slot, whole: !story.recorder.lines.at(-1)?.includes("head") });
      };
      const heard = new Set<number>();
      const reply = story.recorder.reply.bind(story.recorder);
      story.recorder.reply = (now, op) => {
        reply(now, op);
        if (op.status !== statusOk) return;
        const counted = slotsIn(op.answered);
        expect(counted.length).toBeGreaterThanOrEqual(r);
        const merged = op.merged === null ? SiblingSet.empty : openRecord(op.merged);
        for (const slot of counted) {
          const own = held[slot] as Uint8Array | null;
          if (own !== null) expect(merged.merge(openRecord(own)).sameCausally(merged)).toBe(true);
        }
      };
      story.begin(0);
      let now = 0;
      const step = (pick: number, event: string): void => {
        if (event === "wait") {
          now = Math.min(now + 1_500, timeoutUs - 2_000);
          story.expire(now);
          return;
        }
        const [asked] = out.splice(pick % Math.max(1, out.length), 1);
        if (asked === undefined) return;
        const own = held[asked.slot] as Uint8Array | null;
        if (event === "fail") story.fail(now, asked.slot);
        else if (own === null || asked.whole) story.record(now, asked.slot, own);
        else story.head(now, asked.slot, own);
        if (event !== "fail") heard.add(asked.slot);
        else heard.delete(asked.slot);
      };
      for (const { pick, event } of steps) step(pick, event);
      while (out.length > 0) step(0, "answer");
      expect([story.replied, story.core.inFlight === 0 || story.core.repairsInFlight > 0]).toEqual([true, true]);
      let naive = SiblingSet.empty;
      for (const slot of heard) if (held[slot] !== null) naive = naive.merge(openRecord(held[slot] as Uint8Array));
      expect(dotsIn(story.op.merged)).toBe(naive.isEmpty ? "nothing" : dotsIn(sealRecord(naive)));
    }),
    { numRuns: 1_000 },
  );
});

test("golden: a record that is late and a head that is news", () => {
  const story = storyOf();
  story.recorder.hedgeDelayUs = 2_000;
  story.recorder.hedgesLeft = 1;
  story.begin().head(500, 1, a).head(700, 2, both).expire(3_000).record(3_400, 2, both).record(20_000, 0, a);
  const title =
    "A large record: one slot sends it and is late, so the newest of those that the others told of is fetched; the late one is repaired.";
  expectGolden("get-heads", story.text(title));
});
