/** What a node keeps for others: one hint per key and target, merged, readable, within a budget, and gone only as sent. */
import { describe, expect, it } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { statusOk, wireOf } from "../../../src/base/errors.ts";
import { ReplicaKind } from "../../../src/replica/replica.ts";
import { storeBusy } from "../../../src/storage/store.ts";
import { expectGolden } from "../../support/golden.ts";
import { opOn, ReplicaStory, recordNamed, recordText, versionNamed } from "../../support/replica-story.ts";

/** Room for so many bytes, whoever they are for. */
function roomFor(bytes: number): { fits(target: number, growth: number): boolean } {
  return { fits: (_target, growth) => growth <= bytes };
}

describe("a hint", () => {
  it("is one per key and target: later writes are merged into it, and it keeps its age", () => {
    const story = new ReplicaStory();
    story.keep("k", 2, recordNamed("B1"));
    story.answer();
    story.seconds = 200;
    story.keep("k", 2, recordNamed("C1"));
    story.answer();
    story.answer();
    story.keep("k", 3, recordNamed("C1"));
    story.answer();
    story.answer();
    expect(recordText(story.hint("k", 2)?.sealed ?? null)).toBe(recordText(recordNamed("B1 C1")));
    expect([story.hint("k", 2)?.second, story.hint("k", 3)?.second]).toEqual([100, 200]);
  });

  it("that changes nothing is written again only if it is to be synced", () => {
    const story = new ReplicaStory();
    story.keep("k", 2, recordNamed("B1"));
    story.answer();
    story.keep("k", 2, recordNamed("B1"));
    story.answer();
    expect([story.last.status, story.last.durable, story.store.owed.length]).toEqual([statusOk, false, 0]);
    story.keep("k", 2, recordNamed("B1"), { durability: Durability.durable });
    for (let i = 0; i < 3; i += 1) story.answer();
    expect([story.last.status, story.last.durable, story.store.owed.length]).toEqual([statusOk, true, 0]);
  });

  it("past the budget is refused, and nothing is written; what makes it no larger is not", () => {
    const bytes = recordNamed("B1").length + 4;
    const story = new ReplicaStory({ hintRoom: roomFor(bytes) });
    story.keep("k", 2, recordNamed("B1"));
    story.answer();
    expect(story.last.status).toBe(statusOk);
    const full = new ReplicaStory({ hintRoom: roomFor(-1) });
    full.store.hints.set([...story.store.hints.keys()][0] as string, [...story.store.hints.values()][0] as never);
    full.keep("k", 2, recordNamed("C1"));
    full.answer();
    expect([full.last.status, full.store.owed.length]).toEqual([wireOf("OVERLOADED"), 0]);
    full.keep("k", 2, recordNamed("B1"), { durability: Durability.durable });
    for (let i = 0; i < 3; i += 1) full.answer();
    expect(full.last.status).toBe(statusOk);
  });

  it("is read merged with the key's others, or alone; where there is none, that is the answer", () => {
    const story = new ReplicaStory();
    expect(story.readHints("k").status).toBe(statusOk);
    expect([story.last.sealed, story.store.owed.length]).toEqual([null, 0]);
    story.keep("k", 2, recordNamed("B1"));
    story.answer();
    story.keep("k", 3, recordNamed("C1"));
    story.answer();
    story.answer();
    story.readHints("k");
    story.answer();
    expect(recordText(story.last.sealed)).toBe(recordText(recordNamed("B1 C1")));
    story.readHints("k", 3);
    story.answer();
    expect(recordText(story.last.sealed)).toBe(recordText(recordNamed("C1")));
    story.readHints("other");
    story.answer();
    expect(story.last.sealed).toBe(null);
  });

  it("goes only if it is what was acknowledged", () => {
    const story = new ReplicaStory();
    const sent = recordNamed("B1");
    story.keep("k", 2, sent);
    story.answer();
    story.keep("k", 2, recordNamed("C1"));
    story.answer();
    story.answer();
    story.drop("k", 2, sent);
    story.answer();
    expect([story.last.removed, story.hint("k", 2) !== undefined]).toEqual([false, true]);
    story.drop("k", 2, recordNamed("B1 C1"));
    story.answer();
    expect(story.hint("k", 2)).not.toBe(undefined);
    story.answer();
    expect([story.last.removed, story.hint("k", 2)]).toEqual([true, undefined]);
    story.drop("k", 2, sent);
    expect([story.last.removed, story.last.status]).toEqual([false, statusOk]);
  });

  it("is no record; a malformed one is refused, and so is one whose time is over", () => {
    const story = new ReplicaStory();
    story.keep("k", 2, recordNamed("B1"));
    story.answer();
    expect(story.stored("k")).toBe("nothing");
    const sealed = recordNamed("B1").fill(0xff, 8);
    const broken = opOn(ReplicaKind.keepHint, "broken", "k", { target: 2, sealed });
    story.replica.changeHint(story.now, broken);
    story.answer();
    expect(broken.status).toBe(wireOf("INVALID_ARGUMENT"));
    expect(story.keep("k", 2, recordNamed("C1"), { deadline: story.now }).status).toBe(wireOf("EXPIRED"));
    expect(story.store.owed).toEqual([]);
  });
});

describe("dots of its own that a node keeps for others", () => {
  it("are known at the next put, and in a put that stands in for an owner", () => {
    const story = new ReplicaStory();
    story.put("k", "apple", { target: 2 });
    story.answer();
    story.answer();
    expect([story.stored("k"), recordText(story.hint("k", 2)?.sealed ?? null)]).toEqual(["nothing", "{A1} [A1=apple]"]);
    story.put("k", "bear", { target: 3 });
    for (let i = 0; i < 3; i += 1) story.answer();
    expect(recordText(story.hint("k", 3)?.sealed ?? null)).toBe("{A2} [A1=apple A2=bear]");
  });

  it("take the actor along when they leave, unless another hint reflects them", () => {
    const story = new ReplicaStory();
    story.put("k", "apple", { target: 2 });
    story.answer();
    story.answer();
    const { sealed } = story.hint("k", 2) as { sealed: Uint8Array };
    story.keep("k", 3, sealed);
    story.answer();
    story.answer();
    const before = story.actors.actorLow(5);
    story.drop("k", 2, sealed);
    story.answer();
    story.answer();
    expect(story.actors.actorLow(5)).toBe(before);
    story.drop("k", 3, sealed);
    story.answer();
    story.answer();
    expect(story.actors.actorLow(5)).not.toBe(before);
    expect(story.actors.actorLow(4)).toBe(before);
  });

  it("make a new actor when somebody else shows them first", () => {
    const story = new ReplicaStory();
    story.put("k", "apple");
    story.answer();
    story.answer();
    const record = story.last.sealed as Uint8Array;
    const before = story.actors.actorLow(5);
    story.keep("k", 2, record);
    expect(story.actors.actorLow(5)).not.toBe(before);
  });

  it("are not minted when there is no room, and the refused put is not taken for a retry later", () => {
    let room = -1;
    const story = new ReplicaStory({ hintRoom: { fits: (_target, growth) => growth <= room } });
    story.put("k", "apple", { target: 2 });
    story.answer();
    expect([story.last.status, story.store.owed.length]).toEqual([wireOf("OVERLOADED"), 0]);
    room = 1000;
    story.put("k", "bear", { target: 2 });
    story.answer();
    story.answer();
    story.put("k", "apple", { target: 2 });
    for (let i = 0; i < 3; i += 1) story.answer();
    expect(recordText(story.hint("k", 2)?.sealed ?? null)).toBe("{A3} [A2=bear A3=apple]");
  });
});

describe("a store that is busy", () => {
  it("is no reason to distrust it: OVERLOADED, and the same actor", () => {
    const story = new ReplicaStory();
    story.keep("other", 2, recordNamed("B1"));
    story.answer();
    const before = story.actors.actorLow(5);
    story.put("k", "apple");
    story.answer(0, storeBusy);
    expect(story.last.status).toBe(wireOf("OVERLOADED"));
    story.put("k", "apple");
    story.answer();
    story.answer(0, storeBusy);
    expect(story.last.status).toBe(wireOf("OVERLOADED"));
    story.readHints("k");
    story.answer(0, storeBusy);
    expect(story.last.status).toBe(wireOf("OVERLOADED"));
    expect(story.actors.actorLow(5)).toBe(before);
    story.readHints("k");
    story.answer(0, "a hint cannot be read");
    expect(story.last.status).toBe(wireOf("STORAGE_FAILED"));
    expect(story.actors.actorLow(5)).toBe(before);
    story.put("k", "apple", { context: versionNamed("B1") });
    story.answer();
    story.answer();
    story.answer();
    expect(story.last.status).toBe(statusOk);
  });
});

describe("story", () => {
  it("a fallback", () => {
    const story = new ReplicaStory();
    story.put("k", "apple", { target: 2 });
    story.answer();
    story.answer();
    story.say("    another coordinator has written too; both are one hint");
    story.keep("k", 2, recordNamed("C1"));
    story.answer();
    story.answer();
    story.readHints("k");
    story.answer();
    story.say("    the owner is back and has acknowledged what was sent; meanwhile a third write came");
    const sent = story.hint("k", 2)?.sealed as Uint8Array;
    story.keep("k", 2, recordNamed("D1"));
    story.drop("k", 2, sent);
    story.say("    deliberately in this order: each change of the key waits for the one before");
    for (let i = 0; i < 3; i += 1) story.answer();
    story.say("    the next delivery takes it; our own dot goes with it, so the next put is a new actor's");
    story.drop("k", 2, story.hint("k", 2)?.sealed as Uint8Array);
    story.answer();
    story.answer();
    story.put("k", "bear", { target: 2 });
    story.answer();
    story.answer();
    expectGolden(
      "replica-fallback",
      story.text("A fallback keeps one hint per key and owner, reads it, and lets it go only as it was acknowledged."),
    );
  });
});
