/**
 * The checker of running clusters: histories as its file holds them, each bad one convicted of its crime after the way
 * through the file, good ones acquitted; and files that make no sense refused with the line that is wrong.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { CanaryKeys } from "../../../src/lab/check/canary-keys.ts";
import { HistoryFile, type HistoryHead, parseHistory, readHistoryFile } from "../../../src/lab/check/history-file.ts";
import { verdictOf } from "../../../src/lab/check/verdict.ts";
import { History, type Operation, type Shown } from "../../../src/sim/history.ts";
import { type Dot, VersionVector } from "../../../src/version/version-vector.ts";

const directory = mkdtempSync(join(tmpdir(), "ringtail-check-"));
afterAll(() => rmSync(directory, { recursive: true }));

const head: HistoryHead = {
  ...{ clusterId: "00".repeat(16), nodes: 3, n: 3, r: 2, w: 2, durability: "one-durable", recency: true },
};

const dot = (counter: number, node = 1): Dot => ({ actorHigh: node << 16, actorLow: 7, counter });
const upTo = (...dots: readonly Dot[]): VersionVector =>
  dots.reduce<VersionVector>((version, one) => version.with(one), VersionVector.empty);

/** A history, written as a check writes it. */
class Script {
  readonly #path = join(directory, `${Math.random()}.jsonl`);
  readonly #file: HistoryFile;
  readonly #history = new History();
  #time = 0;
  epoch = 4;

  constructor(of: HistoryHead = head) {
    this.#file = new HistoryFile(this.#path, of);
  }

  #run(fields: Partial<Operation> & Pick<Operation, "kind">, answer: Partial<Operation>): this {
    this.#time += 10;
    const operation = this.#history.begin({ client: 1, key: "k", begin: instant(this.#time), ...fields });
    this.#file.begin(operation);
    if (answer.outcome === "open") return this;
    Object.assign(operation, { outcome: "ok", end: instant(this.#time + 5), coordinator: 1, ...answer });
    this.#file.end(operation, this.epoch);
    return this;
  }

  put(value: number, context: VersionVector, answer: Partial<Operation> = {}, client = 1): this {
    return this.#run(
      { kind: "put", client, value, requestId: `w${value}`, context },
      { version: upTo(dot(value)), ...answer },
    );
  }

  remove(value: number, context: VersionVector): this {
    return this.#run({ kind: "delete", requestId: `w${value}`, context }, { version: upTo(dot(value)) });
  }

  get(siblings: readonly Shown[], version: VersionVector, more: { final?: boolean; client?: number } = {}): this {
    return this.#run({ kind: "get", ...more }, { siblings, version });
  }

  /** The rules that are broken, judged from the file. */
  rules(): string[] {
    this.#file.close();
    const verdict = verdictOf(readHistoryFile(this.#path));
    return [...new Set(verdict.violations.map(({ rule }) => rule))];
  }

  text(): string {
    this.#file.close();
    return readFileSync(this.#path, "utf8");
  }
}

const shown = (value: number, more: Partial<Shown> = {}): Shown => ({
  ...{ requestId: `w${value}`, dots: [dot(value)], tombstone: false, value },
  ...more,
});
const nothing = VersionVector.empty;
const v1 = upTo(dot(1));
const v2 = upTo(dot(2));
const v3 = upTo(dot(3));

describe("what is right is acquitted", () => {
  const good: [string, (script: Script) => Script][] = [
    [
      "a put, read and replaced",
      (s) =>
        s
          .put(1, nothing)
          .get([shown(1)], v1)
          .put(2, v1)
          .get([shown(2)], v2, { final: true }),
    ],
    [
      "blind puts are siblings",
      (s) =>
        s
          .put(1, nothing)
          .put(2, nothing, { version: nothing, own: dot(2) })
          .get([shown(1), shown(2)], v2, { final: true }),
    ],
    [
      "a put without an answer never appears",
      (s) => s.put(1, nothing, { outcome: "unknown", version: nothing }).get([], nothing, { final: true }),
    ],
    [
      "a put without an answer appears late",
      (s) =>
        s
          .put(1, nothing, { outcome: "unknown", version: nothing })
          .get([], nothing)
          .get([shown(1)], v1, { final: true }),
    ],
    ["a checker died before the answer", (s) => s.put(1, nothing, { outcome: "open" }).get([shown(1)], v1)],
    [
      "a delete",
      (s) =>
        s
          .put(1, nothing)
          .remove(2, v1)
          .get([shown(2, { tombstone: true, value: 0 })], v2, { final: true }),
    ],
  ];
  it.each(good)("%s", (_name, write) => {
    expect(write(new Script()).rules()).toEqual([]);
  });
});

describe("a planted violation is found", () => {
  const bad: [string, string, (script: Script) => Script][] = [
    ["acked-write-lost", "an acknowledged write is gone", (s) => s.put(1, nothing).get([], nothing, { final: true })],
    [
      "acked-write-discarded",
      "an acknowledged write is covered by nobody",
      (s) =>
        s
          .put(1, nothing)
          .get([shown(1)], v1)
          .put(2, nothing, { version: upTo(dot(2)) })
          .get([shown(2)], v2, { final: true }),
    ],
    ["phantom-value", "a value that nobody wrote", (s) => s.get([shown(9)], upTo(dot(9)))],
    ["phantom-value", "a value that is damaged", (s) => s.put(1, nothing).get([shown(1, { value: -1 })], v1)],
    [
      "refused-write-seen",
      "a refused put is there",
      (s) => s.put(1, nothing, { outcome: "fail", version: nothing }).get([shown(1)], v1),
    ],
    [
      "covered-sibling-kept",
      "a sibling that its brother's context covers",
      (s) =>
        s
          .put(1, nothing)
          .get([shown(1)], v1)
          .put(2, v1)
          .get([shown(1), shown(2)], v2),
    ],
    [
      "twins-not-collapsed",
      "a retried put is two siblings",
      (s) => s.put(1, nothing).get([shown(1), shown(1, { dots: [dot(2)] })], v2),
    ],
    ["context-does-not-cover", "a context without what was shown", (s) => s.put(1, nothing).get([shown(1)], nothing)],
    [
      "one-dot-two-writes",
      "a counter was used twice",
      (s) =>
        s
          .put(1, nothing)
          .put(2, nothing)
          .get([shown(1)], v1)
          .get([shown(2, { dots: [dot(1)] })], v1),
    ],
    [
      "answer-covers-unseen",
      "an answer covers what its writer did not see",
      (s) =>
        s
          .put(1, nothing)
          .get([shown(1)], v1)
          .put(3, nothing, { version: upTo(dot(1), dot(3)) }, 2),
    ],
    [
      "session-forgotten",
      "an answer forgets what its writer had read",
      (s) =>
        s
          .put(1, nothing)
          .get([shown(1)], v1)
          .put(2, v1, { version: upTo(dot(1, 2)) }),
    ],
    [
      "own-write-not-read",
      "a session does not find what it wrote",
      (s) =>
        s
          .put(1, nothing)
          .get([], nothing)
          .get([shown(1)], v1),
    ],
    [
      "stale-read",
      "a session does not find what another wrote",
      (s) =>
        s
          .put(1, nothing)
          .get([], nothing, { client: 2 })
          .get([shown(1)], v1),
    ],
    [
      "resurrected",
      "what was deleted is back",
      (s) =>
        s
          .put(1, nothing)
          .get([shown(1)], v1)
          .remove(2, v1)
          .get([shown(1)], v1, { final: true }),
    ],
    [
      "final-reads-differ",
      "nodes never agree",
      (s) =>
        s
          .put(1, nothing)
          .put(2, nothing)
          .get([shown(1), shown(2)], v2, { final: true })
          .get([shown(1), shown(2)], v3, { final: true }),
    ],
  ];
  it.each(bad)("%s: %s", (rule, _name, write) => {
    expect(write(new Script()).rules()).toContain(rule);
  });
});

it("gets are not held to recency while the ring changes, nor where quorums do not meet", () => {
  const stale = (script: Script): Script =>
    script
      .put(1, nothing)
      .get([], nothing)
      .get([shown(1)], v1);
  expect(stale(new Script()).rules()).toEqual(["own-write-not-read"]);
  expect(stale(new Script({ ...head, recency: false })).rules()).toEqual([]);
  const moving = new Script();
  moving.put(3, nothing).epoch = 5;
  expect(stale(moving).rules()).not.toContain("own-write-not-read");
});

describe("a file that makes no sense", () => {
  const lines = (script: Script): string[] => script.text().trimEnd().split("\n");
  const whole = (): string[] => lines(new Script().put(1, nothing).get([shown(1)], v1));
  const refused = (rows: readonly string[]) => () => parseHistory(`${rows.join("\n")}\n`, "h");

  it("is refused with the line and the field", () => {
    const [first, begin, end] = whole() as [string, string, string];
    expect(refused([])).toThrow(/line 1 is no JSON/);
    expect(() => parseHistory("", "h")).toThrow("h holds no history");
    expect(refused(["[]"])).toThrow("h, line 1 is no JSON object");
    expect(refused(['{"format":2}'])).toThrow("h, line 1: format is 2; known: 1");
    expect(refused([first, "{"])).toThrow(/h, line 2 is no JSON/);
    expect(refused([first, end])).toThrow("h, line 2: operation 0 is not under way");
    expect(refused([first, begin, end, end])).toThrow("h, line 4: operation 0 is not under way");
    expect(refused([first, begin, begin])).toThrow("h, line 3: operation 0 begins; expected: 1");
    expect(refused([first, begin.replace('"put"', '"poke"')])).toThrow(/kind is "poke"; expected: get, put, delete/);
    expect(refused([first, begin, end.replace(/"version":\[\[\d+,/, '"version":[[-1,')])).toThrow(/is no dot/);
    expect(() => readHistoryFile(join(directory, "none"))).toThrow(/cannot read .*ENOENT/);
  });

  it("is read up to a last line that was cut off", () => {
    const text = new Script()
      .put(1, nothing)
      .get([shown(1)], v1)
      .text();
    const cut = parseHistory(text.slice(0, -20), "h");
    expect(cut.history.operations.map(({ outcome }) => outcome)).toEqual(["ok", "unknown"]);
  });
});

it("keys are used a bounded number of times and never again", () => {
  const keys = new CanaryKeys("run", 2);
  const uses = new Map<string, number>();
  const order: string[] = [];
  for (let i = 0; i < 2_000; i += 1) {
    const key = keys.take(i % 2);
    if (!uses.has(key)) order.push(key);
    uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  expect(Math.max(...uses.values())).toBe(150);
  expect([...uses.keys()].sort()).toEqual([...keys.all].sort());
  expect(new Set(order.slice(-2))).toEqual(new Set([keys.take(0), keys.take(1)]));
});
