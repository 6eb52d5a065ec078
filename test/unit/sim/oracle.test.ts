/** The oracle on histories made by hand: each bad one is convicted of exactly its crime, each good one acquitted. */
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { History, type Operation, type Outcome } from "../../../src/sim/history.ts";
import { judge } from "../../../src/sim/oracle.ts";
import type { Violation } from "../../../src/sim/violation.ts";
import { type Dot, VersionVector } from "../../../src/version/version-vector.ts";

/** "1:3" is the third dot of node 1's actor; "1b:3" that of its next incarnation. */
function dot(text: string): Dot {
  const match = /^(\d+)(b?):(\d+)$/.exec(text);
  if (match === null) throw new Error(`no dot: ${text}`);
  return { actorHigh: Number(match[1]) << 16, actorLow: match[2] === "b" ? 2 : 1, counter: Number(match[3]) };
}

function vector(text: string): VersionVector {
  const dots = text.split(" ").filter((one) => one !== "");
  return dots.reduce((version, one) => version.with(dot(one)), VersionVector.empty);
}

interface Write {
  readonly key?: string;
  readonly context?: string;
  readonly at?: number;
  readonly outcome?: Outcome;
  /** What the answered context covers. */
  readonly version?: string;
  readonly node?: number;
  readonly attempts?: number;
  readonly value?: number;
}

/** Writes a history down, one operation per call; times count in whole steps. */
class Scribe {
  readonly history = new History();
  #step = 0;

  #begin(kind: "put" | "delete" | "get", id: string, key: string, at: number | undefined, more: object): Operation {
    this.#step = at ?? this.#step + 10;
    return this.history.begin({ client: 1, kind, key, requestId: id, begin: instant(this.#step), ...more });
  }

  #end(operation: Operation, outcome: Outcome): void {
    operation.outcome = outcome;
    if (outcome !== "open") operation.end = instant(operation.begin + 5);
  }

  put(id: string, write: Write = {}): this {
    return this.#write("put", id, write);
  }

  delete(id: string, write: Write = {}): this {
    return this.#write("delete", id, write);
  }

  #write(kind: "put" | "delete", id: string, write: Write): this {
    const value = kind === "put" ? (write.value ?? numberOf(id)) : 0;
    const context = vector(write.context ?? "");
    const operation = this.#begin(kind, id, write.key ?? "k", write.at, { value, context });
    operation.version = vector(write.version ?? "");
    operation.coordinator = write.node ?? 1;
    operation.attempts = write.attempts ?? 1;
    this.#end(operation, write.outcome ?? "ok");
    return this;
  }

  /** `shown`: "id@dots" or "id@dots=value", where dots are joined by "+" and an id in capitals is a tombstone. */
  get(shown: string, version: string, more: { key?: string; final?: boolean; at?: number } = {}): this {
    const operation = this.#begin("get", "", more.key ?? "k", more.at, { final: more.final ?? false });
    operation.siblings = shown
      .split(" ")
      .filter((one) => one !== "")
      .map((one) => {
        const [head, value] = one.split("=");
        const [id = "", dots = ""] = (head as string).split("@");
        const tombstone = id === id.toUpperCase();
        const list = dots === "" ? [] : dots.split("+").map(dot);
        return { requestId: id, dots: list, tombstone, value: Number(value ?? (tombstone ? 0 : numberOf(id))) };
      });
    operation.version = vector(version);
    this.#end(operation, "ok");
    return this;
  }

  final(shown: string, version: string): this {
    return this.get(shown, version, { final: true });
  }
}

function numberOf(id: string): number {
  return id.charCodeAt(0);
}

function rules(scribe: Scribe, recency: boolean): string[] {
  const found: Violation[] = [];
  judge(scribe.history.operations, { recency }, (violation) => found.push(violation));
  return [...new Set(found.map((violation) => violation.invariant))].sort();
}

const start = (): Scribe => new Scribe();

interface Case {
  readonly name: string;
  readonly history: Scribe;
  readonly recency?: boolean;
}

const good: Case[] = [
  { name: "nothing happened", history: start() },
  { name: "a put is read back", history: start().put("a").get("a@1:1", "1:1").final("a@1:1", "1:1") },
  { name: "a key that nobody wrote is empty", history: start().get("", "").final("", "") },
  {
    name: "two blind puts are siblings",
    history: start().put("a").put("b").final("a@1:1 b@1:2", "1:2"),
  },
  {
    name: "a put with the context replaces what was read",
    history: start().put("a").get("a@1:1", "1:1").put("b", { context: "1:1" }).final("b@1:2", "1:2"),
  },
  {
    name: "a put with an old context leaves what came later",
    history: start().put("a", { version: "1:1" }).put("b").put("c", { context: "1:1" }).final("b@1:2 c@2:1", "1:2 2:1"),
  },
  {
    name: "a delete leaves a tombstone",
    history: start().put("a").get("a@1:1", "1:1").delete("B", { context: "1:1" }).final("B@1:2", "1:2"),
  },
  {
    name: "a put that was tried twice keeps the dot of its first coordinator, beside what its last one minted for a delete",
    history: start()
      .put("a", { version: "3:1", node: 3 })
      .delete("B", { version: "2:1", node: 2, attempts: 3 })
      .get("a@3:1 B@3:2", "3:2")
      .put("c", { context: "3:2", version: "2:1 3:3", node: 2, attempts: 2 })
      .final("c@3:3", "2:1 3:3"),
  },
  {
    name: "a put beside a delete that did not see it survives",
    history: start()
      .put("a", { version: "1:1" })
      .put("c")
      .delete("B", { context: "1:1" })
      .final("c@2:1 B@1:2", "1:2 2:1"),
  },
  {
    name: "an unknown put may be absent for ever",
    history: start().put("a").put("b", { outcome: "unknown" }).final("a@1:1", "1:1"),
  },
  {
    name: "an unknown put may appear late",
    history: start().put("b", { outcome: "unknown" }).get("", "").final("b@1:1", "1:1"),
  },
  {
    name: "an unknown put may replace what its context covers",
    history: start()
      .put("a", { version: "1:1" })
      .put("b", { outcome: "unknown", context: "1:1" })
      .final("b@2:1", "1:1 2:1"),
  },
  {
    name: "a retried put minted twice is one sibling with two dots",
    history: start().put("a").final("a@1:1+2:1", "1:1 2:1"),
  },
  {
    name: "a write whose dot nobody saw is covered through its coordinator's part of the version",
    history: start().put("a", { version: "1:1", node: 1 }).put("b", { context: "1:1" }).final("b@2:1", "1:1 2:1"),
  },
  {
    name: "a refused put leaves no trace",
    history: start().put("a").put("b", { outcome: "fail" }).final("a@1:1", "1:1"),
  },
  {
    name: "keys are judged apart: the same dot in two partitions means two writes",
    history: start()
      .put("a")
      .put("b", { key: "other" })
      .final("a@1:1", "1:1")
      .get("b@1:1", "1:1", { key: "other", final: true }),
  },
  {
    name: "without strict quorums a get may miss an acknowledged put",
    history: start().put("a").get("", "").final("a@1:1", "1:1"),
  },
  {
    name: "a get that overlaps a put may miss it even under strict quorums",
    history: start().put("a", { at: 10 }).get("", "", { at: 12 }).final("a@1:1", "1:1"),
    recency: true,
  },
  {
    name: "a put that was tried at two nodes is shown under the dot of one, and replaced under that of its answer",
    history: start()
      .put("a", { version: "2:1", node: 2 })
      .get("a@1:1", "1:1")
      .put("b", { context: "2:1", version: "2:2", node: 2 })
      .get("b@2:2", "2:2")
      .final("b@2:2", "1:1 2:2"),
    recency: true,
  },
  {
    name: "a get may show more than is acknowledged",
    history: start().put("a", { outcome: "unknown" }).get("a@1:1", "1:1").final("a@1:1", "1:1"),
    recency: true,
  },
  {
    name: "a put's answer covers what the put replaced, and what others had replaced before",
    history: start()
      .put("a")
      .get("a@1:1", "1:1")
      .put("b", { context: "1:1", version: "1:2" })
      .get("b@1:2", "1:2")
      .put("c", { context: "1:2", version: "1:3" })
      .final("c@1:3", "1:3"),
  },
  {
    name: "a restarted node mints under another actor",
    history: start().put("a").put("b").final("a@1:1 b@1b:1", "1:1 1b:1"),
  },
];

const bad: (Case & { readonly rules: readonly string[] })[] = [
  {
    name: "an acknowledged put is gone",
    history: start().put("a").get("a@1:1", "1:1").final("", ""),
    rules: ["acked-write-lost"],
  },
  {
    name: "an acknowledged put that nobody ever saw is gone",
    history: start().put("a", { version: "1:1" }).final("", ""),
    rules: ["acked-write-lost"],
  },
  {
    name: "a blind put drops its concurrent sibling",
    history: start().put("a").get("a@1:1", "1:1").put("b").final("b@1:2", "1:2"),
    rules: ["acked-write-discarded"],
  },
  {
    name: "an old context drops what it does not cover",
    history: start().put("a").put("b").get("a@1:1 b@1:2", "1:2").put("c", { context: "1:1" }).final("c@2:1", "1:2 2:1"),
    rules: ["acked-write-discarded"],
  },
  {
    name: "a refused put drops what its context covers",
    history: start().put("a").get("a@1:1", "1:1").put("b", { context: "1:1", outcome: "fail" }).final("", "1:1"),
    rules: ["acked-write-discarded"],
  },
  {
    name: "a value that nobody wrote",
    history: start().final("a@1:1", "1:1"),
    rules: ["phantom-value"],
  },
  {
    name: "a value of another key",
    history: start().put("a", { key: "other", outcome: "unknown" }).final("a@1:1", "1:1"),
    rules: ["phantom-value"],
  },
  {
    name: "a damaged value",
    history: start().put("a").final("a@1:1=-1", "1:1"),
    rules: ["phantom-value"],
  },
  {
    name: "a put shown as a tombstone",
    history: start().put("A").final("A@1:1", "1:1"),
    rules: ["phantom-value"],
  },
  {
    name: "a value shown before it was written",
    history: start().get("a@1:1", "1:1").put("a").final("a@1:1", "1:1"),
    rules: ["phantom-value"],
  },
  {
    name: "a refused put is seen",
    history: start().put("a", { outcome: "fail" }).final("a@1:1", "1:1"),
    rules: ["refused-write-seen"],
  },
  {
    name: "a context that does not cover what it came with",
    history: start().put("a").put("b").get("a@1:1 b@2:1", "1:1").final("a@1:1 b@2:1", "1:1 2:1"),
    rules: ["context-does-not-cover"],
  },
  {
    name: "a sibling without a dot",
    history: start().put("a", { outcome: "unknown" }).final("a@", ""),
    rules: ["sibling-without-dot"],
  },
  {
    name: "what was read stays beside its replacement",
    history: start()
      .put("a")
      .get("a@1:1", "1:1")
      .put("b", { context: "1:1" })
      .get("a@1:1 b@1:2", "1:2")
      .final("b@1:2", "1:2"),
    rules: ["covered-sibling-kept"],
  },
  {
    name: "a retried put becomes two siblings",
    history: start().put("a").get("a@1:1 a@2:1", "1:1 2:1").final("a@1:1+2:1", "1:1 2:1"),
    rules: ["twins-not-collapsed"],
  },
  {
    name: "one dot stands for two writes",
    history: start().put("a").put("b").get("a@1:1", "1:1").get("b@1:1", "1:1").final("a@1:1 b@1:1", "1:1"),
    rules: ["one-dot-two-writes"],
  },
  {
    name: "a deleted value comes back",
    history: start().put("a").get("a@1:1", "1:1").delete("B", { context: "1:1" }).final("a@1:1 B@1:2", "1:2"),
    rules: ["covered-sibling-kept", "resurrected"],
  },
  {
    name: "a deleted value comes back after its tombstone went",
    history: start()
      .put("a")
      .get("a@1:1", "1:1")
      .delete("B", { context: "1:1" })
      .get("B@1:2", "1:2")
      .final("a@1:1", "1:1"),
    rules: ["acked-write-lost", "resurrected"],
  },
  {
    name: "a strict get misses an acknowledged put",
    history: start().put("a").get("", "").final("a@1:1", "1:1"),
    recency: true,
    rules: ["own-write-not-read"],
  },
  {
    name: "a strict get shows the version before the last",
    history: start()
      .put("a")
      .get("a@1:1", "1:1")
      .put("b", { context: "1:1" })
      .get("a@1:1", "1:1")
      .final("b@1:2", "1:2"),
    recency: true,
    rules: ["own-write-not-read"],
  },
  {
    name: "a put's answer covers a sibling that its writer has not seen",
    history: start().put("a").put("b", { version: "1:2" }).final("a@1:1 b@1:2", "1:2"),
    rules: ["answer-covers-unseen"],
  },
  {
    name: "two coordinators disagree in the end",
    history: start().put("a").put("b", { outcome: "unknown" }).final("a@1:1", "1:1").final("a@1:1 b@2:1", "1:1 2:1"),
    rules: ["final-reads-differ"],
  },
  {
    name: "an operation never ended",
    history: start().put("a", { outcome: "open" }),
    rules: ["operation-never-ended"],
  },
];

describe("the oracle", () => {
  it("is tried on at least fifteen histories of either kind", () => {
    expect(good.length).toBeGreaterThanOrEqual(15);
    expect(bad.length).toBeGreaterThanOrEqual(15);
  });

  for (const one of good) {
    it(`acquits: ${one.name}`, () => {
      expect(rules(one.history, one.recency ?? false)).toEqual([]);
    });
  }

  for (const one of bad) {
    it(`convicts: ${one.name}`, () => {
      expect(rules(one.history, one.recency ?? false)).toEqual([...one.rules].sort());
    });
  }

  it("uses what the white-box side knows of dots", () => {
    const history = start()
      .put("a", { version: "1:9 1b:1", node: 1 })
      .put("b", { context: "1:9" })
      .final("b@2:1", "1:9 1b:1 2:1");
    const found: string[] = [];
    const report = (violation: Violation): number => found.push(violation.invariant);
    judge(history.history.operations, { recency: false }, report);
    expect(found).toEqual([]);
    judge(history.history.operations, { recency: false, dotsOf: (id) => (id === "a" ? [dot("1b:1")] : []) }, report);
    expect(found).toEqual(["acked-write-discarded"]);
  });
});
