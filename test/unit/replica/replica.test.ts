/** Single rules of the replica that a story would drown: limits, borrowed bytes, deltas, bad input, planted misuse. */
import { describe, expect, it } from "vitest";
import { AssertionError } from "../../../src/base/assert.ts";
import { hexOf, utf8 } from "../../../src/base/bytes.ts";
import { Durability } from "../../../src/base/durability.ts";
import { codeOf } from "../../../src/base/errors.ts";
import { Hash64 } from "../../../src/base/hash.ts";
import { listenForMarks } from "../../../src/base/mark.ts";
import { ReplicaKind, type ReplicaOp } from "../../../src/replica/replica.ts";
import { openRecord, sealRecord } from "../../../src/version/record.ts";
import { causalHash, SiblingSet } from "../../../src/version/sibling-set.ts";
import { type Dot, VersionVector } from "../../../src/version/version-vector.ts";
import {
  dotNamed,
  idNamed,
  keyNamed,
  opOn,
  ReplicaStory,
  recordNamed,
  versionNamed,
} from "../../support/replica-story.ts";

function errorOf(story: ReplicaStory): string {
  return story.last.status === 0 ? "ok" : codeOf(story.last.status);
}

describe("limits", () => {
  it("answers OVERLOADED to whoever would be one waiter too many, and serves the others", () => {
    const story = new ReplicaStory({ waitersMax: 2 });
    for (const value of ["a", "b", "c", "d"]) story.put("k", value);
    expect(story.last.origin).toBe("put k=d");
    expect(errorOf(story)).toBe("OVERLOADED");
    expect(story.replica.inFlight).toBe(3);
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{A3} [A1=a A2=b A3=c]");
    expect(story.replica.inFlight).toBe(0);
  });

  it("answers OVERLOADED to whoever would be one op too many, reads included", () => {
    const story = new ReplicaStory({ busyMax: 2 });
    story.put("j", "a");
    story.read("k");
    story.read("l");
    expect(errorOf(story)).toBe("OVERLOADED");
    story.put("m", "b");
    expect(errorOf(story)).toBe("OVERLOADED");
    story.store.answerAll(story.now);
    expect(story.recorder.finished.map((op) => op.status === 0)).toEqual([false, false, true, true]);
  });

  it("refuses a put whose record would not fit into a frame, but no merge", () => {
    const story = new ReplicaStory({ recordBytesMax: 300 });
    story.store.hot = true;
    story.plant("k", recordNamed("B1"));
    story.put("k", "x".repeat(300));
    expect(errorOf(story)).toBe("TOO_MANY_SIBLINGS");
    expect(story.store.owed).toEqual([]);
    story.merge("k", recordNamed("C1 D1 E1 F1 G1"));
    story.store.answerAll(story.now);
    expect(errorOf(story)).toBe("ok");
    story.put("k", "small", { context: versionNamed("B1 C1 D1 E1 F1 G1") });
    story.store.answerAll(story.now);
    expect(errorOf(story)).toBe("ok");
  });

  it("allows 64 siblings unless told otherwise", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    for (let i = 0; i < 64; i += 1) {
      story.put("k", `v${i}`);
      story.endTurn();
      story.store.answerAll(story.now);
      expect(errorOf(story)).toBe("ok");
    }
    story.put("k", "v64");
    story.endTurn();
    expect(errorOf(story)).toBe("TOO_MANY_SIBLINGS");
  });

  it("marks puts from eight siblings on", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    const marks: string[] = [];
    const before = listenForMarks((name) => marks.push(name));
    try {
      for (let i = 1; i <= 7; i += 1) {
        story.put("k", `v${i}`);
        story.endTurn();
        story.store.answerAll(story.now);
      }
      expect(marks).not.toContain("replica.many-siblings");
      story.put("k", "v8");
      story.endTurn();
      expect(marks).toContain("replica.many-siblings");
    } finally {
      listenForMarks(before);
    }
  });

  it("refuses puts while the next lease is being saved, rather than mint above the present one", () => {
    const story = new ReplicaStory({}, 10);
    story.store.hot = true;
    for (let i = 1; i <= 10; i += 1) {
      story.put("k", `v${i}`);
      story.endTurn();
      story.store.answerAll(story.now);
    }
    expect(story.recorder.lines).toContain("      save lease 20");
    story.put("k", "v11");
    story.endTurn();
    expect(errorOf(story)).toBe("OVERLOADED");
    story.actors.onLeaseSaved(20);
    story.put("k", "v11");
    story.endTurn();
    story.store.answerAll(story.now);
    expect(errorOf(story)).toBe("ok");
  });
});

describe("bytes", () => {
  it("copies what a put borrows when it must wait for the store or for its key", () => {
    const story = new ReplicaStory();
    for (const name of ["a", "b"]) {
      const op = opOn(ReplicaKind.put, name, "k", { value: utf8(name), requestId: idNamed(name) });
      const { value, requestId } = op;
      story.replica.put(story.now, op);
      value.fill(0);
      requestId.fill(0);
    }
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{A2} [A1=a A2=b]");
    const set = openRecord(story.store.records.get(hexOf(keyNamed("k"))) as Uint8Array);
    expect(set.dotsOf(idNamed("a"))?.length).toBe(1);
    expect(set.dotsOf(idNamed("b"))?.length).toBe(1);
  });

  it("copies the record that a write borrows, whether it waits or not", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed("B1"));
    for (const names of ["B1 C1", "B1 C1 D1"]) {
      const sealed = recordNamed(names);
      story.replica.write(story.now, opOn(ReplicaKind.write, names, "k", { sealed }));
      sealed.fill(0);
    }
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{B1 C1 D1} [B1=b1 C1=c1 D1=d1]");
  });

  it("answers a read from what lookup lends, at once", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed("B1"));
    story.read("k");
    expect(story.recorder.lines.at(-1)).toBe("      done read k: ok, {B1} [B1=b1]");
    expect(story.replica.inFlight).toBe(0);
  });

  it("does not make a read wait for a change of its key", () => {
    const story = new ReplicaStory();
    story.put("k", "a");
    story.read("k");
    story.answer(1);
    expect(story.recorder.lines.at(-1)).toBe("      done read k: ok, nothing");
    story.store.answerAll(story.now);
  });
});

describe("writes", () => {
  it.each([
    [true, true, "write"],
    [true, false, "read"],
    [false, true, "read"],
  ] as const)("what is copied (%s) where the leaves count nothing (%s) begins with a %s", (copied, bare, first) => {
    const story = new ReplicaStory();
    story.store.bare = bare;
    const asked: string[] = [];
    story.store.onCall = (what) => asked.push(what);
    const sealed = recordNamed("B1");
    story.replica.write(story.now, opOn(ReplicaKind.write, "copy", "k", { sealed, copied }));
    expect(asked).toEqual([first]);
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{B1} [B1=b1]");
  });

  it("gives the store the change of the Merkle leaf: all deltas together are the record's hash", () => {
    const story = new ReplicaStory();
    let high = 0;
    let low = 0;
    story.store.onCall = (_what, write) => {
      high ^= write?.deltaHigh ?? 0;
      low ^= write?.deltaLow ?? 0;
      if (write !== undefined) expect([write.n, write.partition]).toEqual([3, 5]);
    };
    story.put("k", "a");
    story.merge("k", recordNamed("B1 C1"));
    story.put("k", "b", { context: versionNamed("B1") });
    story.put("k", "b", { context: versionNamed("B1") });
    story.merge("k", recordNamed("B1"), { durability: Durability.durable });
    story.put("k", "", { context: versionNamed("C1") });
    story.store.answerAll(story.now);
    const hash = new Hash64();
    const record = story.store.records.get(hexOf(keyNamed("k"))) as Uint8Array;
    causalHash(openRecord(record), keyNamed("k"), hash);
    expect([high >>> 0, low >>> 0]).toEqual([hash.high, hash.low]);
    expect(story.stored("k")).toBe("{A3 B1 C1} [A1=a A2=b A3=gone]");
  });

  it("holds the key of a memory write until the store has it", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.put("k", "a", { durability: Durability.memory });
    story.store.answer(story.now);
    story.put("k", "b", { durability: Durability.memory });
    expect(story.store.owed.map((owed) => owed.write?.memory)).toEqual([true]);
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{A2} [A1=a A2=b]");
  });

  it("passes the key on when a write is applied, before it is synced", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed("B1"));
    story.put("k", "a", { durability: Durability.durable });
    story.put("k", "b", { durability: Durability.oneDurable });
    story.answer();
    expect(story.store.owed.map((owed) => owed.what)).toEqual(["sync", "write"]);
    expect(story.recorder.finished).toEqual([]);
    story.store.answerAll(story.now);
    expect(story.recorder.finished.map((op) => op.durable)).toEqual([true, true]);
  });

  it("lets two keys of one hash wait for each other, and mixes them up in nothing else", () => {
    const story = new ReplicaStory();
    const first = opOn(ReplicaKind.put, "first", "j", { value: utf8("a"), requestId: idNamed("a") });
    const { hashHigh, hashLow } = first;
    const requestId = idNamed("b");
    const second = opOn(ReplicaKind.put, "second", "k", { value: utf8("b"), requestId, hashHigh, hashLow });
    story.replica.put(story.now, first);
    story.replica.put(story.now, second);
    expect(story.store.owed.length).toBe(1);
    story.store.answerAll(story.now);
    expect([story.stored("j"), story.stored("k")]).toEqual(["{A1} [A1=a]", "{A2} [A2=b]"]);
  });

  it("takes an id that a client used for two keys for two writes", () => {
    const story = new ReplicaStory();
    story.put("j", "a");
    story.put("k", "a");
    story.store.answerAll(story.now);
    expect([story.stored("j"), story.stored("k")]).toEqual(["{A1} [A1=a]", "{A2} [A2=a]"]);
  });

  it("does not take a put for a retry whose dot the record has lost", () => {
    const story = new ReplicaStory();
    story.put("k", "a");
    story.store.answerAll(story.now);
    story.store.records.clear();
    story.put("k", "a");
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{A2} [A2=a]");
  });

  it("refuses an incoming record that is none, and one that says nothing", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed("B1"));
    const torn = recordNamed("C1").slice(0, 20);
    for (const sealed of [torn, sealRecord(SiblingSet.empty)]) {
      story.replica.write(story.now, opOn(ReplicaKind.write, "bad", "k", { sealed }));
      expect(errorOf(story)).toBe("INVALID_ARGUMENT");
    }
    story.merge("k", recordNamed("C1"));
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{B1 C1} [B1=b1 C1=c1]");
  });

  it("takes a stored record that cannot be opened for unreadable, and never writes over it", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    const torn = recordNamed("B1").slice(0, 20);
    story.plant("k", torn);
    story.put("k", "a");
    expect(errorOf(story)).toBe("STORAGE_FAILED");
    story.merge("k", recordNamed("C1").slice());
    expect(errorOf(story)).toBe("STORAGE_FAILED");
    expect(story.store.owed).toEqual([]);
    // Nothing can be minted over it: the actor changes when something else takes its place.
    expect(story.actors.actorLow(5)).toBe(1);
  });

  it("fails a put whose hints cannot be read", () => {
    const story = new ReplicaStory();
    story.store.hints.set("some key", []);
    story.put("k", "a");
    story.store.answer(story.now);
    story.store.answer(story.now, 0, "a hint cannot be read");
    expect(errorOf(story)).toBe("STORAGE_FAILED");
    expect(story.store.owed).toEqual([]);
  });
});

describe("puts that share a write", () => {
  const dear = "B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B13 B14 B15 B16";

  /** A story in which the puts of `names` wait for the record of "k", which has not been read yet. */
  function waiting(names: readonly string[], fields: Partial<ReplicaOp<string>> = {}): ReplicaStory {
    const story = new ReplicaStory();
    for (const name of names) story.put("k", name, fields);
    return story;
  }

  /** The writes that the store was asked for. */
  function writesOf(story: ReplicaStory): readonly string[] {
    return story.recorder.lines.filter((line) => line.startsWith("      store write")).map((line) => line.trim());
  }

  it("are one record with a dot each, prepared and done in their order", () => {
    const story = waiting(["a", "b", "c"]);
    story.store.answerAll(story.now);
    expect(writesOf(story)).toEqual(["store write {A3} [A1=a A2=b A3=c]"]);
    const sent = story.recorder.lines.filter((line) => line.includes("prepared"));
    expect(sent).toEqual(["a", "b", "c"].map((name) => `      prepared put k=${name}: {A3} [A1=a A2=b A3=c]`));
    expect(story.recorder.finished.map(({ origin }) => origin)).toEqual(["put k=a", "put k=b", "put k=c"]);
    expect(story.replica.inFlight).toBe(0);
  });

  it("tell each writer what it has read: never the others' writes", () => {
    const story = waiting(["a", "b"]);
    story.store.answerAll(story.now);
    const [first, second] = story.recorder.finished as [ReplicaOp<string>, ReplicaOp<string>];
    const set = openRecord(story.store.records.get(hexOf(keyNamed("k"))) as Uint8Array);
    const [a, b] = set.siblings.map(({ dots }) => dots[0] as Dot) as [Dot, Dot];
    expect([first.version.covers(a), first.version.covers(b)]).toEqual([true, false]);
    const saysOwn = second.own?.dot ?? b;
    expect([saysOwn, second.version.covers(a)]).toEqual([b, false]);
  });

  it("are durable together", () => {
    const story = waiting(["a", "b"], { durability: Durability.durable });
    story.store.answerAll(story.now);
    expect(story.recorder.finished.map(({ durable }) => durable)).toEqual([true, true]);
    expect(writesOf(story).length).toBe(1);
  });

  it("do not wait for a sync that only another asked for", () => {
    const story = waiting(["a"], { durability: Durability.durable });
    story.put("k", "b");
    story.store.answerAll(story.now);
    expect(writesOf(story).length).toBe(2);
  });

  it("are refused one by one, and counted as what is there already", () => {
    const story = waiting(["a", "b", "c", "d"], { siblingsMax: 2 });
    story.store.answerAll(story.now);
    const ended = story.recorder.finished.map(({ origin, status }) => [origin, status === 0 ? "ok" : codeOf(status)]);
    expect(ended).toEqual([
      ["put k=c", "TOO_MANY_SIBLINGS"],
      ["put k=d", "TOO_MANY_SIBLINGS"],
      ["put k=a", "ok"],
      ["put k=b", "ok"],
    ]);
    expect(story.stored("k")).toBe("{A2} [A1=a A2=b]");
  });

  it("take a retry that waits beside the first attempt for what it is", () => {
    const story = waiting(["a", "a", "b", "a"]);
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{A2} [A1=a A2=b]");
    expect(story.recorder.finished.map(({ status }) => status)).toEqual([0, 0, 0, 0]);
  });

  it("leave out whose time is over", () => {
    const story = waiting(["a", "b"]);
    story.put("k", "c", { deadline: story.now });
    story.put("k", "d");
    story.store.answerAll(story.now);
    expect(story.stored("k")).toBe("{A3} [A1=a A2=b A3=d]");
    const [late] = story.recorder.finished as [ReplicaOp<string>];
    expect([late.origin, codeOf(late.status)]).toEqual(["put k=c", "EXPIRED"]);
  });

  it("are not shared with a write that is kept for another node", () => {
    const story = waiting(["a"]);
    story.put("k", "b", { target: 7 });
    story.put("k", "c");
    story.store.answerAll(story.now);
    expect(writesOf(story)).toEqual([
      "store write {A1} [A1=a]",
      "store write the hint for node 7 of 100 s: {A2} [A1=a A2=b]",
      "store write {A3} [A1=a A2=b A3=c]",
    ]);
  });

  it("wait for the end of the turn where the record is dear, and only then", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed(dear));
    for (const name of ["a", "b"]) story.put("k", name);
    expect([writesOf(story), story.replica.inFlight]).toEqual([[], 2]);
    story.endTurn();
    story.endTurn();
    expect(writesOf(story).length).toBe(1);
    story.put("k", "x".repeat(4_096));
    story.store.answerAll(story.now);
    expect(writesOf(story).length).toBe(2);
  });

  it("are read again at the end of the turn, if the record has left the object buffer meanwhile", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed(dear));
    for (const name of ["a", "b"]) story.put("k", name);
    story.store.hot = false;
    story.endTurn();
    expect(story.store.owed.map(({ what }) => what)).toEqual(["read"]);
    story.store.answerAll(story.now);
    expect(writesOf(story).length).toBe(1);
    expect(story.recorder.finished.map(({ status }) => status)).toEqual([0, 0]);
  });
});

describe("misuse", () => {
  it("asserts that no effect calls back", () => {
    const story = new ReplicaStory();
    story.store.hot = true;
    story.plant("k", recordNamed("B1"));
    story.recorder.done = () => story.read("k");
    expect(() => story.read("k")).toThrow(AssertionError);
  });

  it("asserts that the store answers once", () => {
    const story = new ReplicaStory();
    story.put("k", "a");
    const token = story.store.owed[0]?.token as number;
    story.answer();
    expect(() => story.replica.onStoreRead(story.now, token, null, null)).toThrow(AssertionError);
  });

  it("asserts that the durability is resolved", () => {
    const story = new ReplicaStory();
    expect(() => story.put("k", "a", { durability: Durability.bucket })).toThrow(AssertionError);
  });
});

describe("what is forgotten", () => {
  const tombstone = (): Uint8Array => {
    const common = {
      context: VersionVector.empty,
      value: new Uint8Array(0),
      tombstone: true,
      second: 0,
      keepRecentFor: 0,
    };
    return sealRecord(SiblingSet.empty.put({ ...common, dot: dotNamed("B1"), requestId: idNamed("gone") }));
  };

  function forget(story: ReplicaStory, sealed: Uint8Array, entries: readonly number[] = []): boolean {
    const hash = new Hash64();
    causalHash(openRecord(sealed), keyNamed("k"), hash);
    const op = opOn(ReplicaKind.forget, "forget", "k", { causalHigh: hash.high, causalLow: hash.low, entries });
    story.replica.forget(story.now, op);
    story.store.answerAll(story.now);
    expect(op.status).toBe(0);
    return op.removed;
  }

  it("is the tombstone that was certified, and no other record", () => {
    const story = new ReplicaStory();
    story.plant("k", tombstone());
    expect(forget(story, recordNamed("B1"))).toBe(false);
    expect(story.stored("k")).toBe("{B1} [B1=gone]");
    expect(forget(story, tombstone())).toBe(true);
    expect(forget(story, tombstone())).toBe(false);
  });

  it("is never a value", () => {
    const story = new ReplicaStory();
    story.plant("k", recordNamed("B1"));
    expect(forget(story, recordNamed("B1"))).toBe(false);
    expect(story.stored("k")).toBe("{B1} [B1=b1]");
  });

  it("are entries of a version under which no sibling was written, if they are what was certified", () => {
    const story = new ReplicaStory();
    story.plant(
      "k",
      sealRecord(
        openRecord(recordNamed("B1 C1")).put({
          context: versionNamed("B1"),
          dot: dotNamed("C2"),
          requestId: idNamed("c2"),
          value: utf8("c2"),
          tombstone: false,
          second: 0,
          keepRecentFor: 0,
        }),
      ),
    );
    const entry = (name: string): number[] => {
      const { counter, actorLow, actorHigh } = dotNamed(name);
      return [counter, actorLow, actorHigh];
    };
    expect(forget(story, tombstone(), entry("B2"))).toBe(false);
    expect(forget(story, tombstone(), entry("C2"))).toBe(false);
    expect(forget(story, tombstone(), entry("B1"))).toBe(true);
    expect(story.stored("k")).toBe("{C2} [C1=c1 C2=c2]");
  });
});
