/** The known traps of versioning as golden stories, each with what its end must be. */
import { describe, expect, it } from "vitest";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { expectGolden } from "../../support/golden.ts";
import { Story } from "../../support/version-story.ts";
import { liveIds } from "../../support/version-world.ts";

describe("stories", () => {
  it("sibling explosion", () => {
    const story = new Story("Two writers with stale contexts never make more siblings than there are writers.");
    story.say("X and Y read, then both write through A: Y's context is stale by one write, every time.");
    story.put("A", "x0");
    for (let round = 1; round <= 3; round += 1) {
      const context = story.read("A");
      story.put("A", `x${round}`, context);
      story.put("A", `y${round}`, context);
      expect(liveIds(story.set("A"))).toEqual([`x${round}`, `y${round}`]);
    }
    story.say("Now X writes through A and Y through B, each with the context of its own last reply, and never reads:");
    story.send("A", "B");
    let x = story.put("A", "x4", story.read("A"));
    let y = story.put("B", "y4", story.read("B"));
    for (let round = 5; round <= 6; round += 1) {
      story.send("A", "B");
      x = story.put("A", `x${round}`, x);
      story.send("B", "A");
      y = story.put("B", `y${round}`, y);
    }
    story.send("A", "B");
    expect(liveIds(story.set("B"))).toEqual(["x6", "y6"]);
    story.say("Whoever reads both and writes, ends it:");
    story.put("B", "both", story.read("B"));
    expect(liveIds(story.set("B"))).toEqual(["both"]);
    expectGolden("sibling-explosion", story.text);
  });

  it("the context of a reply", () => {
    const story = new Story("The context of a put's reply never covers a sibling that its writer has not seen.");
    const alone = story.put("A", "milk");
    story.say("Alone, the reply covers the record, and the next put follows without a get:");
    story.put("A", "milk, eggs", alone);
    story.say(
      "A blind write beside it: a vector with (A,3) would cover (A,2), which this writer never saw. So the reply",
    );
    story.say("names the write by itself, and the next put replaces it and nothing else:");
    const blind = story.put("A", "bread");
    expect(blind.version.size).toBe(0);
    expect(blind.own?.dot.counter).toBe(3);
    story.send("A", "C");
    const jam = story.put("A", "bread, jam", blind);
    expect(liveIds(story.set("A"))).toEqual(["bread, jam", "milk, eggs"]);
    story.say("The same through a node that has not heard of it: its id goes into `recent`, and a merge drops it:");
    story.put("B", "bread, honey", jam);
    story.send("A", "B");
    expect(liveIds(story.set("B"))).toEqual(["bread, honey", "milk, eggs"]);
    story.send("B", "A", "C", "D");
    expect(liveIds(story.set("A"))).toEqual(["bread, honey", "milk, eggs"]);
    expect(liveIds(story.set("C"))).toEqual(["bread, honey", "milk, eggs"]);
    story.say("Through a node none of whose writes is there, a vector says it:");
    const other = story.put("D", "tea");
    expect(other.own).toBe(null);
    story.put("D", "green tea", other);
    expect(liveIds(story.set("D"))).toEqual(["bread, honey", "green tea", "milk, eggs"]);
    expectGolden("reply-context", story.text);
  });

  it("counter reuse after a crash", () => {
    const story = new Story("After a crash that lost a write a node takes a new incarnation: no dot is minted twice.");
    story.put("A", "wool", undefined);
    const synced = story.set("A");
    story.put("A", "silk", story.read("A"));
    story.send("A", "B");
    story.say("A loses power before silk was synced. B has it, and it was acknowledged.");
    story.crash("A", synced);
    story.put("A", "linen", story.read("A"));
    story.send("A", "B");
    expect(liveIds(story.set("B"))).toEqual(["linen", "silk"]);
    story.send("B", "A");

    const wrong = story.otherwise(
      "What would have been: A goes on as the same actor and mints (A,2) again. With one more write before they meet,",
      "B learns that (A,2) was superseded: silk, acknowledged, is gone everywhere.",
    );
    wrong.put("A", "wool");
    const old = wrong.set("A");
    wrong.put("A", "silk", wrong.read("A"));
    wrong.send("A", "B");
    wrong.crash("A", old, true);
    wrong.put("A", "linen", wrong.read("A"));
    wrong.put("A", "felt", wrong.read("A"));
    wrong.send("A", "B");
    expect(liveIds(wrong.set("B"))).toEqual(["felt"]);
    expectGolden("counter-reuse", story.text);
  });

  it("retry twins", () => {
    const story = new Story(
      "One put, retried through a second coordinator: two dots, one write, whatever comes between.",
    );
    story.put("A", "w");
    story.say("The reply is lost. The client retries through B, which has not heard of it:");
    story.put("B", "w");
    const twin = story.set("B");
    story.say("They meet, in either order:");
    story.send("A", "B");
    story.send("B", "A");
    expect(story.set("A").siblings.length).toBe(1);
    story.say("A retry through either is known now. Then w is overwritten, and A still knows the id of a late retry:");
    story.put("A", "w");
    story.put("A", "next", story.read("A"));
    story.put("A", "w");
    story.say("B's copy from before they met comes late, out of a hint. Its dot is covered: nothing comes back.");
    story.deliver("B (the old copy)", twin, "A");
    expect(liveIds(story.set("A"))).toEqual(["next"]);

    story.say("C has a twin that was overwritten before the brothers met: the id in `recent` drops the other.");
    story.put("C", "u");
    story.put("C", "later", story.read("C"));
    story.put("D", "u");
    story.send("D", "C");
    expect(liveIds(story.set("C"))).toEqual(["later"]);
    story.send("C", "D");
    expect(story.set("D").sameCausally(story.set("C"))).toBe(true);
    expectGolden("retry-twins", story.text);
  });

  it("two blind writes through one node", () => {
    const story = new Story(
      "Two blind writes through one node are two siblings, everywhere; who reads them may merge them.",
    );
    story.put("A", "milk");
    const first = story.set("A");
    story.put("A", "bread");
    expect(liveIds(story.set("A"))).toEqual(["bread", "milk"]);
    story.say("B gets the second record, then the first, late:");
    story.send("A", "B");
    story.deliver("A (its first record)", first, "B");
    expect(liveIds(story.set("B"))).toEqual(["bread", "milk"]);
    story.put("B", "milk and bread", story.read("B"));
    story.send("B", "A");
    story.deliver("A (its first record)", first, "A");
    expect(liveIds(story.set("A"))).toEqual(["milk and bread"]);
    story.say("A blind delete is a write like any other: it deletes nothing that it has not read.");
    story.put("A", null);
    expect(story.set("A").siblings.length).toBe(2);
    expectGolden("blind-writes", story.text);
  });

  it("a fallback coordinates", () => {
    const story = new Story("A fallback mints as itself and takes what it does not hold for unknown, not for empty.");
    story.put("A", "x");
    story.send("A", "B");
    const context = story.read("A");
    story.say("A and B are unreachable. F holds nothing; the client's context says what the put replaces.");
    story.put("F", "y", context);
    story.say("A blind put there is a sibling of whatever the owners hold, x included:");
    story.put("G", "z");
    story.say("The hints go home:");
    story.send("F", "A", "B");
    expect(liveIds(story.set("A"))).toEqual(["y"]);
    story.send("G", "A");
    expect(liveIds(story.set("A"))).toEqual(["y", "z"]);
    expectGolden("fallback-coordinator", story.text);
  });

  it("two hints of one fallback", () => {
    const story = new Story(
      "A fallback reads all its hints of a key before it mints: one of them alone would lose the other.",
    );
    story.say("F stands in for C, and later for B, for the same key. Right: it mints from the merge of both hints.");
    story.put("F", "for C");
    const hintForC = story.set("F");
    story.put("F", "for B");
    const hintForB = story.set("F");
    story.deliver("F (its hint for C)", hintForC, "C");
    story.deliver("F (its hint for B)", hintForB, "B");
    story.send("B", "C");
    expect(liveIds(story.set("C"))).toEqual(["for B", "for C"]);

    const wrong = story.otherwise(
      "Wrong: it looks at its hint for B only, which is not there yet, and mints (F,2) without (F,1).",
    );
    wrong.put("F", "for C");
    const lost = wrong.set("F");
    wrong.readOnly("F", SiblingSet.empty);
    wrong.put("F", "for B");
    wrong.send("F", "B");
    wrong.deliver("F (its hint for C)", lost, "C");
    wrong.send("B", "C");
    expect(liveIds(wrong.set("C"))).toEqual(["for B"]);
    expectGolden("two-hints", story.text);
  });
});
