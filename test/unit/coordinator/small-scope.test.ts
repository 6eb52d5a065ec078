/**
 * Small scope, exhaustively: a put and a get of three slots under every order of three answers, a failure and the
 * deadline. Each step is compared with a naive account of who has answered: one reply, at the first instant at which it
 * is decided and never before, one forget, and an empty coordinator in the end.
 */
import { describe, expect, test } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { codeOf } from "../../../src/base/errors.ts";
import { never } from "../../../src/base/time.ts";
import { GetStory, ordersOf, PutStory, policyOf, recordOf, timeoutUs } from "./stories.ts";

type Event = "prepared" | "deadline" | "fail" | 0 | 1 | 2;

/** The verdict by sets: what the client must have been told by now, or undefined. */
class Account {
  readonly yes = new Set<number>();
  readonly no = new Set<number>();
  verdict: string | undefined = undefined;
  ended = false;
  readonly #required: number;

  constructor(required: number) {
    this.#required = required;
  }

  answer(slot: number, good: boolean): void {
    if (this.ended || this.yes.has(slot) || this.no.has(slot)) return;
    (good ? this.yes : this.no).add(slot);
    if (this.yes.size >= this.#required) this.verdict ??= "ok";
    else if (3 - this.no.size < this.#required) this.verdict ??= "QUORUM_NOT_MET";
    this.ended = this.yes.size + this.no.size === 3;
  }

  deadline(): void {
    if (!this.ended) this.verdict ??= "DEADLINE_EXCEEDED";
    this.ended = true;
  }
}

function told(story: PutStory | GetStory): string | undefined {
  if (!story.replied) return undefined;
  return story.status === 0 ? "ok" : codeOf(story.status);
}

function drain(story: PutStory | GetStory): void {
  for (let at = story.core.nextDeadline(); at !== never; at = story.core.nextDeadline()) story.expire(at);
  expect(story.core.inFlight).toBe(0);
  expect(story.gone).toBe(true);
}

describe("put", () => {
  const orders = ordersOf<Event>(["prepared", 0, 1, 2, "fail", "deadline"]);

  /** Returns false for an order that the replica's contract rules out. */
  function run(
    order: readonly Event[],
    w: number,
    failing: number,
    durability: Durability,
    localSlot: number,
  ): boolean {
    const early = order.slice(0, order.indexOf("prepared"));
    if (early.includes(localSlot as Event)) return false;
    const story = new PutStory({ policy: policyOf(3, 1, w, durability), localSlot });
    const account = new Account(w);
    story.begin(0);
    for (const event of order) {
      if (event === "prepared") story.prepared(1);
      else if (event === "deadline") story.expire(timeoutUs);
      else if (event === "fail") story.fail(1, failing);
      else story.ack(1, event, durability === Durability.durable);

      const prepared = story.op.prepared;
      if (event === "deadline") account.deadline();
      else if (event === "fail" && failing === localSlot && !prepared && !account.ended) {
        account.verdict = "STORAGE_FAILED";
        account.ended = true;
      } else if (event === "fail" && (prepared || failing === localSlot)) account.answer(failing, false);
      else if (typeof event === "number" && prepared) account.answer(event, true);

      const what = `${order.join()} failing ${failing} at ${event}:\n${story.text("")}`;
      if (told(story) !== account.verdict || story.gone !== account.ended) expect.fail(what);
    }
    drain(story);
    return true;
  }

  for (const [name, durability] of [
    ["memory", Durability.memory],
    ["durable", Durability.durable],
  ] as const) {
    test(`${name}: every order, every w, every failing slot, either coordinator`, () => {
      let runs = 0;
      for (const order of orders) {
        for (const w of [1, 2, 3]) {
          for (const failing of [0, 1, 2]) {
            for (const localSlot of [0, 2]) if (run(order, w, failing, durability, localSlot)) runs += 1;
          }
        }
      }
      expect(runs).toBe((orders.length / 2) * 3 * 3 * 2);
    });
  }

  test("one-durable: the same answers, whoever must sync in whose place", () => {
    // The acks are those of the first writes: the designated slot's comes after its sync, a second one never comes.
    for (const order of orders) {
      const early = order.slice(0, order.indexOf("prepared"));
      if (early.includes(0)) continue;
      for (const w of [1, 2, 3]) {
        for (const failing of [0, 1, 2]) {
          const story = new PutStory({ policy: policyOf(3, 1, w, Durability.oneDurable) }).begin(0);
          const account = new Account(w);
          for (const event of order) {
            const wasGone = story.gone;
            if (event === "prepared") story.prepared(1);
            else if (event === "deadline") story.expire(timeoutUs);
            else if (event === "fail") story.fail(1, failing);
            else story.ack(1, event, event === 1);
            if (wasGone) continue;
            if (event === "deadline") account.deadline();
            else if (event === "fail" && failing === 0 && !story.op.prepared) account.verdict = "STORAGE_FAILED";
            else if (event === "fail" && story.op.prepared && (story.op.failed & (1 << failing)) !== 0) {
              account.answer(failing, false);
            } else if (typeof event === "number" && story.op.prepared) account.answer(event, true);
            if (told(story) !== account.verdict) expect.fail(`${order.join()}: ${account.verdict}\n${story.text("")}`);
          }
          drain(story);
        }
      }
    }
  });
});

describe("get", () => {
  const records = [recordOf([[1, 1]]), null, recordOf([[2, 2]])];
  const orders = ordersOf<Event>([0, 1, 2, "fail", "deadline"]);

  test("every order, every r, every failing slot", () => {
    for (const order of orders) {
      for (const r of [1, 2, 3]) {
        for (const failing of [0, 1, 2]) {
          const story = new GetStory({ policy: policyOf(3, r, 1) }).begin(0);
          const account = new Account(r);
          for (const event of order) {
            if (event === "deadline") story.expire(timeoutUs);
            else if (event === "fail") story.fail(1, failing);
            else if (event !== "prepared") story.record(1, event, records[event] as Uint8Array | null);
            if (event === "deadline") account.deadline();
            else if (event === "fail") account.answer(failing, false);
            else account.answer(event as number, true);
            if (told(story) !== account.verdict) expect.fail(`${order.join()}: ${account.verdict}\n${story.text("")}`);
            if (!account.ended && story.gone) expect.fail(`forgotten too early: ${order.join()}`);
          }
          drain(story);
          // Slots 0, 1, 2 hold different things, so whoever answered is behind as soon as another has more.
          const held = [...account.yes].filter((slot) => slot !== 1);
          const behind =
            held.length === 2 ? [...account.yes] : held.length === 1 ? [...account.yes].filter((s) => s === 1) : [];
          expect(story.recorder.repaired, order.join()).toEqual(behind.sort());
        }
      }
    }
  });
});
