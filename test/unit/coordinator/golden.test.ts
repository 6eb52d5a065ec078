/** Golden stories of the coordinators: one per file in `test/golden`. */
import { test } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { expectGolden } from "../../support/golden.ts";
import { GetStory, PutStory, policyOf, recordOf } from "./stories.ts";

test("put: happy path", () => {
  const story = new PutStory({ durability: Durability.oneDurable });
  story.begin(0).prepared(200).ack(450, 0).ack(700, 2).ack(5_400, 1, true);
  const title =
    "A put of three replicas is answered at its second ack; the designated replica's sync (slot 1) holds up nobody.";
  expectGolden("put-happy-path", story.text(title));
});

test("put: one replica fails", () => {
  const story = new PutStory({ localSlot: 1 });
  story.begin(0).prepared(200).ack(450, 1).fail(600, 0, "OVERLOADED").ack(900, 2);
  expectGolden("put-one-failure", story.text("One of three replicas refuses: W = 2 is met by the others."));
});

test("put: the designated replica fails", () => {
  const story = new PutStory({ durability: Durability.oneDurable, partition: 1 });
  story.begin(0).prepared(200).ack(450, 0).lost(600, 2).ack(900, 1).ack(5_900, 1, true);
  const title =
    "The link to the designated replica (slot 2) breaks: slot 1, never the coordinator, is sent the write again, to sync it.";
  expectGolden("put-designated-fails-over", story.text(title));
});

test("put: deadline", () => {
  const story = new PutStory({ policy: policyOf(3, 2, 3) });
  story.begin(0).prepared(200).ack(450, 0).ack(700, 1).expire(99_999).expire(100_000).ack(250_000, 2);
  const title = "W = 3 and one replica is silent: the deadline answers, and the late ack finds nothing.";
  expectGolden("put-deadline", story.text(title));
});

test("put: an owner is down from the start", () => {
  const story = new PutStory({ owners: [101, 190, 103], fallbacks: 0b010, candidates: 1 });
  story.begin(0).prepared(200).ack(450, 0).ack(700, 1).ack(900, 2);
  const title = "Node 190 is down: its fallback has slot 1, keeps the record as a hint for it, and counts towards W.";
  expectGolden("put-owner-down", story.text(title));
});

test("put: an owner fails, and every fallback is full", () => {
  const story = new PutStory({ candidates: 2 });
  story.begin(0).prepared(200).ack(450, 0).fail(600, 1, "STORAGE_FAILED").lost(700, 2);
  story.fail(900, 3, "OVERLOADED", "node 104: its hints for node 102 are full");
  story.fail(950, 4, "OVERLOADED", "node 105: its hints for node 103 are full");
  const title =
    "Two owners fail, and both fallbacks keep as many hints as they may: the put is refused as OVERLOADED, not dropped.";
  expectGolden("put-fallbacks-full", story.text(title));
});

test("put: an owner times out while W is not met", () => {
  const story = new PutStory({ policy: policyOf(3, 2, 3), candidates: 2 });
  story.begin(0).prepared(200).ack(450, 0).ack(700, 1).expire(25_000).expire(50_000).ack(50_600, 4).ack(60_000, 2);
  story.expire(100_000);
  const title =
    "W = 3 and slot 2 is silent: the next fallback is asked at once, and when that is silent, too, the one after it. The owner's late ack is welcome.";
  expectGolden("put-owner-silent", story.text(title));
});

test("put: an owner times out after W is met", () => {
  const story = new PutStory({ candidates: 2 });
  story
    .begin(0)
    .prepared(200)
    .ack(450, 0)
    .ack(700, 1)
    .expire(25_000)
    .head(26_000, 2, recordOf([[2, 1]]));
  story.ack(26_500, 3).expire(100_000);
  const title =
    "W is met without slot 2, which stays silent: it is asked for its version first. The write is missing there, so a fallback keeps a hint.";
  expectGolden("put-owner-silent-missing", story.text(title));
});

test("put: an owner times out after W is met, and has the write", () => {
  const story = new PutStory({ candidates: 2 });
  story.begin(0).prepared(200).ack(450, 0).ack(700, 1).expire(25_000).head(26_000, 2, story.sealed).expire(100_000);
  const title =
    "W is met without slot 2, whose ack was lost: its version shows that it holds the write, and no hint is kept.";
  expectGolden("put-owner-silent-held", story.text(title));
});

test("put: a pending member", () => {
  const story = new PutStory({ replacedSlot: 0, localSlot: 1 });
  story.begin(0).prepared(200).ack(450, 1).ack(600, 0).ack(900, 3).ack(1_000, 2);
  const title =
    "Node 104 (slot 3) is to replace node 101 (slot 0). Two acks of the old list are one of the new: the answer waits for the second there.";
  expectGolden("put-pending-member", story.text(title));
});

test("put: strict", () => {
  const story = new PutStory({ asked: { strict: true }, candidates: 2 });
  story.begin(0).prepared(200).fail(300, 1, "CONNECTION_LOST").ack(450, 0).ack(700, 2).ack(900, 3);
  const title = "A strict put counts owners only. Once two have acknowledged, a fallback keeps what the third lacks.";
  expectGolden("put-strict", story.text(title));
});

test("put: a newer ring", () => {
  const story = new PutStory({ epoch: 7, candidates: 2 });
  story.begin(0).prepared(200).ack(450, 0).fail(600, 1, "WRONG_OWNER", "", 8).fail(700, 2, "WRONG_OWNER", "", 8);
  const title =
    "Both peers have a newer ring and refuse: no fallback can help. The node fetches the ring and tries once more.";
  expectGolden("put-stale-ring", story.text(title));
});

test("get: the replaced owner has closed", () => {
  const story = new GetStory({ replacedSlot: 1 });
  story
    .begin(0)
    .record(150, 0, recordOf([[1, 1]]))
    .fail(400, 1, "WRONG_OWNER");
  story
    .record(700, 3, recordOf([[1, 1]]))
    .record(900, 2, null)
    .repaired(1_300, 2);
  const title =
    "Node 104 replaces node 102 (slot 1), which has closed after the confirmation: node 104 is asked in its place, and counts for it.";
  expectGolden("get-confirm-hand-over", story.text(title));
});

test("get: a fallback and an unsynced owner", () => {
  const story = new GetStory({ policy: policyOf(4, 2, 2), fallbacks: 0b0010 });
  story
    .begin(0)
    .record(150, 0, null)
    .record(300, 1, null)
    .unsynced(400, 2, recordOf([[2, 2]]))
    .record(800, 3, recordOf([[1, 1]]));
  story.repaired(1_000, 0).repaired(1_100, 2).repaired(1_200, 3);
  const title =
    "Slot 1 is a fallback without a hint and slot 2 is still receiving: neither counts, but what slot 2 has is merged. The fallback is not repaired.";
  expectGolden("get-fallback-unsynced", story.text(title));
});

test("get: read repair", () => {
  const old = recordOf([[1, 1]]);
  const current = recordOf([
    [1, 1],
    [1, 2],
  ]);
  const story = new GetStory();
  story.begin(0).record(150, 0, current).record(500, 1, current).record(800, 2, old).repaired(1_200, 2);
  const title = "Two equal records answer the get; the third replica is behind and is sent the record afterwards.";
  expectGolden("get-read-repair", story.text(title));
});

test("get: siblings are merged", () => {
  const story = new GetStory({ policy: policyOf(3, 3, 2) });
  story.begin(0).record(150, 0, recordOf([[1, 1]]));
  story.record(500, 1, recordOf([[2, 1]])).record(800, 2, null);
  story.repaired(1_100, 0).repaired(1_200, 2).repaired(1_300, 1);
  const title =
    "Two blind puts on two replicas, nothing on the third: the answer has both siblings, and all three are repaired.";
  expectGolden("get-sibling-merge", story.text(title));
});

test("get: answers after the reply", () => {
  const story = new GetStory({ policy: policyOf(5, 2, 4), localSlot: -1 });
  story
    .begin(0)
    .record(300, 0, recordOf([[1, 1]]))
    .record(400, 1, recordOf([[1, 1]]));
  story
    .record(9_000, 2, recordOf([[2, 4]]))
    .fail(9_500, 3, "STORAGE_FAILED")
    .expire(100_000);
  story.record(100_500, 4, recordOf([[1, 1]])).expire(200_000);
  const title =
    "The get is answered with 1:1; a later answer holds more. At the deadline those who answered are repaired with the merge; slot 3, which failed, and slot 4, which came too late, are left to anti-entropy. Nobody reports the repairs' end, so they are given up.";
  expectGolden("get-late-answers", story.text(title));
});
