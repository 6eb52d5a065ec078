/** Golden stories of the replica: what it asks of store and node, line by line, in the situations that have bitten others. */

import { afterEach, describe, expect, it } from "vitest";
import { hexOf } from "../../../src/base/bytes.ts";
import { enableCanaries } from "../../../src/base/canary.ts";
import { Durability } from "../../../src/base/durability.ts";
import { after as later } from "../../../src/base/time.ts";
import { storeDamaged } from "../../../src/storage/store.ts";
import { openRecord } from "../../../src/version/record.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";
import { expectGolden } from "../../support/golden.ts";
import { keyNamed, ReplicaStory, recordNamed, versionNamed } from "../../support/replica-story.ts";

/** What it costs to write again is worth a wait. */
const dear = "B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16";

/** The context of what a story's replica A has minted up to `counter`. */
function contextOfA(counter: number): VersionVector {
  return VersionVector.empty.with({ actorHigh: 0x1aaaa, actorLow: 1, counter });
}

afterEach(() => enableCanaries([]));

describe("replica stories", () => {
  it("same-key serialisation", () => {
    const story = new ReplicaStory();
    story.put("k", "apple");
    story.put("k", "bear");
    story.merge("k", recordNamed("B1"));
    story.put("other", "fig");
    story.say("    the other key does not wait");
    story.answer(1);
    story.answer(1);
    story.say("    the merge starts from what the puts have written");
    while (story.store.owed.length > 0) story.answer();
    expectGolden(
      "replica-same-key",
      story.text(
        "Two blind puts and a merge of one key: the puts share a write, the merge comes after; another key passes.",
      ),
    );
  });

  it("puts of one turn", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed(dear));
    story.put("k", "apple");
    story.put("k", "bear", { context: versionNamed("B10") });
    story.merge("k", recordNamed("C1"));
    story.put("k", "cat");
    story.put("other", "fig");
    story.say("    another key does not wait");
    story.answer();
    story.endTurn();
    story.say("    cat came after a merge, and waits for that and for the end of another turn");
    story.answer(1);
    story.answer();
    story.answer();
    story.endTurn();
    story.answer();
    expectGolden(
      "replica-puts-of-one-turn",
      story.text("Where the record is dear, puts that come in one turn are sealed, written and sent as one."),
    );
  });

  it("retry", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.put("k", "apple");
    story.answer();
    story.answer();
    story.say("    the ack was lost; the client asks again, and now for a synced copy");
    story.put("k", "apple", { durability: Durability.durable });
    story.answer();
    story.answer();
    story.say("    the value is replaced; a late retry must not bring it back");
    story.put("k", "bear", { context: contextOfA(1) });
    story.answer();
    story.put("k", "apple");
    story.answer();
    story.say("    five puts later the record has forgotten the id, but the node has not");
    for (let i = 2; i < 7; i += 1) {
      story.put("k", `v${i}`, { context: contextOfA(i) });
      story.answer();
    }
    story.put("k", "apple");
    story.answer();
    story.say("    after twice the longest deadline nobody knows it any more: it is a write like any other");
    story.seconds += 61;
    story.put("k", "apple");
    story.answer();
    expectGolden(
      "replica-retry",
      story.text("A put that is tried again is one write: it gets no second dot, however late it comes."),
    );
  });

  it("put over hints", () => {
    const story = new ReplicaStory();
    story.put("k", "apple");
    story.answer();
    story.answer();
    story.say("    the record becomes a hint for another node, as it does at a fallback");
    const key = hexOf(keyNamed("k"));
    story.store.hints.set(key, [
      { target: 2, second: 100, sealed: story.store.records.get(key) as Uint8Array },
      { target: 3, second: 100, sealed: recordNamed("C4") },
    ]);
    story.store.records.delete(key);
    story.put("k", "bear");
    for (let i = 0; i < 3; i += 1) story.answer();
    story.say("    a record with our own dot, which only the hint holds, is no amnesia");
    story.store.records.delete(key);
    story.merge("k", (story.store.hints.get(key) ?? [])[0]?.sealed as Uint8Array);
    for (let i = 0; i < 3; i += 1) story.answer();
    expectGolden(
      "replica-hints",
      story.text("A put mints from the record and all hints, or its dot would seem to cover what only a hint holds."),
    );
  });

  it("amnesia", () => {
    const story = new ReplicaStory();
    story.put("k", "apple");
    story.answer();
    story.answer();
    const record = story.store.records.get(hexOf(keyNamed("k"))) as Uint8Array;
    story.say("    the disk forgets k; then a peer shows us our own dot");
    story.store.records.delete(hexOf(keyNamed("k")));
    story.merge("k", record);
    story.answer();
    story.answer();
    story.put("k", "bear");
    story.answer();
    story.answer();
    story.say("    the disk forgets k once more; a client's context shows it before a new dot is minted");
    story.store.records.delete(hexOf(keyNamed("k")));
    story.put("k", "cat", { context: story.recorder.finished.at(-1)?.version as VersionVector });
    story.answer();
    story.answer();
    story.say("    an old incarnation's dot is no news about the present one");
    story.store.records.delete(hexOf(keyNamed("k")));
    story.merge("k", record);
    story.answer();
    story.answer();
    expectGolden(
      "replica-amnesia",
      story.text("Whoever shows us a dot of ours that we do not hold makes us a new actor before we mint again."),
    );
  });

  it("would lose a write if it minted on after it had forgotten some, which the planted bug does", () => {
    const siblingsAfter = (): number => {
      const story = new ReplicaStory();
      story.put("j", "apple");
      story.put("k", "bear");
      story.store.answerAll(story.now);
      const [lost, shown] = ["j", "k"].map((name) => story.store.records.get(hexOf(keyNamed(name))) as Uint8Array);
      story.store.records.clear();
      story.merge("k", shown as Uint8Array);
      story.store.answerAll(story.now);
      story.put("j", "cat");
      story.store.answerAll(story.now);
      story.merge("j", lost as Uint8Array);
      story.store.answerAll(story.now);
      return openRecord(story.store.records.get(hexOf(keyNamed("j"))) as Uint8Array).siblings.length;
    };
    expect(siblingsAfter()).toBe(2);
    enableCanaries(["ignore-amnesia"]);
    expect(siblingsAfter()).toBe(1);
  });

  it("too many siblings", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed("B1 C1 D1"));
    story.put("k", "apple", { siblingsMax: 3 });
    story.say("    a merge is never refused");
    story.merge("k", recordNamed("E1"));
    story.answer();
    story.put("k", "apple", { siblingsMax: 3 });
    story.say("    a put that has read them all passes");
    story.put("k", "bear", { siblingsMax: 3, context: versionNamed("B1 C1 D1 E1") });
    story.answer();
    expectGolden(
      "replica-too-many-siblings",
      story.text("TOO_MANY_SIBLINGS is answered on puts only, and the way out is open."),
    );
  });

  it("expired waiter", () => {
    const story = new ReplicaStory();
    story.put("k", "apple");
    story.put("k", "bear", { deadline: later(story.now, 1_000_000) });
    story.put("k", "cat", { deadline: later(story.now, 9_000_000), durability: Durability.durable });
    story.seconds += 2;
    story.answer();
    story.answer();
    story.seconds += 9;
    story.say("    a put whose time ends while its record is read mints nothing either");
    story.answer();
    story.merge("k", recordNamed("B1"), { deadline: story.now });
    story.read("k", { deadline: story.now });
    expectGolden("replica-expired", story.text("An op whose deadline has passed when its turn comes does no work."));
  });

  it("unreadable record", () => {
    const story = new ReplicaStory();
    story.put("k", "apple");
    story.put("k", "bear");
    story.answer(0, "the record's checksum does not match its bytes");
    story.say("    the one behind gets its turn; nothing was minted in between");
    story.answer();
    story.answer();
    story.read("k");
    story.answer(0, "the record's checksum does not match its bytes");
    expectGolden("replica-unreadable", story.text("What cannot be read is never overwritten by a put."));
  });

  it("damaged record", () => {
    const story = new ReplicaStory();
    const others = recordNamed("B1");
    story.merge("k", others);
    story.answer(0, storeDamaged);
    story.merge("k", others, { mends: true, durability: Durability.durable });
    story.answer(0, "simulated read error");
    story.say("    a read that has failed says nothing about the record");
    story.merge("k", others, { mends: true, durability: Durability.durable });
    story.answer(0, storeDamaged);
    story.answer();
    story.answer();
    story.put("k", "fig");
    story.answer();
    story.say("    the lost record may have held dots of the actor before");
    story.answer();
    story.merge("k", recordNamed("C1"), { mends: true, durability: Durability.durable });
    story.answer();
    story.say("    what can be read is merged with, as ever");
    expectGolden(
      "replica-mended",
      story.text("A damaged record gives way to what the other owners hold, and to nothing else."),
    );
  });

  it("a damaged record that gives way leaves a new actor, unless that is forgotten", () => {
    for (const planted of [[], ["mend-keeps-actor"]]) {
      enableCanaries(planted);
      const story = new ReplicaStory();
      story.merge("k", recordNamed("B1"), { mends: true, durability: Durability.durable });
      story.answer(0, storeDamaged);
      expect(story.actors.actorLow(5) === 1).toBe(planted.length > 0);
    }
  });

  it("unchanged merges", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    const record = recordNamed("B1");
    story.merge("k", record, { durability: Durability.memory });
    story.store.dirtyBytes = 100;
    story.answer();
    story.answer();
    story.say("    in memory is where it is already");
    story.merge("k", record, { durability: Durability.memory });
    story.say("    while something is only in memory, buffered means another write");
    story.merge("k", record, { durability: Durability.buffered });
    story.answer();
    story.store.dirtyBytes = 0;
    story.merge("k", record, { durability: Durability.buffered });
    story.say("    and synced means another one always");
    story.merge("k", record, { durability: Durability.oneDurable });
    story.answer();
    story.answer();
    story.merge("k", record, { durability: Durability.durable });
    story.answer();
    story.answer();
    expectGolden(
      "replica-unchanged",
      story.text("A merge that changes nothing is acknowledged only when the disk has what was asked for."),
    );
  });
});
