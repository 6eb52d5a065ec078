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
