/**
 * Property tests: replicas that answer in any order, wrongly, twice or not at all. What was sent decides what may be
 * answered, so the generator plays the replicas; the naive account keeps lists of who said what.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Durability } from "../../../src/base/durability.ts";
import { codeOf, statusOk } from "../../../src/base/errors.ts";
import type { NodeNumber } from "../../../src/base/ids.ts";
import { type Instant, never } from "../../../src/base/time.ts";
import type { PutOp } from "../../../src/coordinator/put.ts";
import { decideGet, decidePut, Verdict } from "../../../src/coordinator/tally.ts";
import { openRecord, sealRecord } from "../../../src/version/record.ts";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { anyRequirements, dotsIn, GetStory, PutStory, policyOf, recordOf, slotsIn, timeoutUs } from "./stories.ts";

interface Write {
  readonly slot: number;
  readonly durability: Durability;
}

/** A put story that remembers which writes are out. */
class RandomPut extends PutStory {
  readonly out: Write[] = [];
  readonly designations: number[] = [];

  watch(): this {
    const { recorder } = this;
    const write = recorder.writeReplica.bind(recorder);
    const local = recorder.putLocal.bind(recorder);
    recorder.putLocal = (now: Instant, op: PutOp<string>, durability: Durability) => {
      local(now, op, durability);
      this.out.push({ slot: op.localSlot, durability });
    };
    const hint = recorder.keepHint.bind(recorder);
    recorder.keepHint = (now: Instant, op: PutOp<string>, slot: number, owner: NodeNumber, durability: Durability) => {
      hint(now, op, slot, owner, durability);
      expect(op.failed & (1 << slot), "nothing is sent to a slot that failed").toBe(0);
      this.out.push({ slot, durability });
    };
    recorder.writeReplica = (now: Instant, op: PutOp<string>, slot: number, durability: Durability) => {
      write(now, op, slot, durability);
      expect(op.failed & (1 << slot), "nothing is sent to a slot that failed").toBe(0);
      this.out.push({ slot, durability });
      if (durability !== Durability.oneDurable) return;
      this.designations.push(slot);
      if (slot !== op.localSlot) return;
      const others = slotsIn(((1 << op.targets) - 1) & ~(op.failed | op.unsynced | (1 << slot)));
      const busy = others.filter((other) => (op.designated & (1 << other)) !== 0);
      expect(others, "the coordinator syncs only when no other can").toEqual(busy);
    };
    return this;
  }
}

type Outcome = "yes" | "unsynced" | "no" | "silent" | "bogus" | "early deadline check";

const steps = fc.array(
  fc.record({
    pick: fc.nat({ max: 1000 }),
    outcome: fc.constantFrom<Outcome>(
      "yes",
      "yes",
      "yes",
      "unsynced",
      "no",
      "no",
      "silent",
      "bogus",
      "early deadline check",
    ),
  }),
  { minLength: 1, maxLength: 24 },
);

const puts = fc.integer({ min: 1, max: 7 }).chain((n) => {
  return fc.record({
    n: fc.constant(n),
    asked: anyRequirements(n),
    durability: fc.constantFrom(Durability.memory, Durability.buffered, Durability.oneDurable, Durability.durable),
    localSlot: fc.integer({ min: 0, max: n - 1 }),
    partition: fc.nat({ max: 1023 }),
    fallbacks: fc.nat({ max: 2 ** n - 1 }),
    preparedAfter: fc.nat({ max: 2 }),
    steps,
  });
});

test("put: any replicas", () => {
  fc.assert(
    fc.property(puts, ({ n, steps, preparedAfter, ...setting }) => {
      const story = new RandomPut({ policy: policyOf(n, 1, 1), ...setting }).watch().begin(0);
      const { op } = story;
      let prepared = false;
      let ok: number[] = [];
      let durable: number[] = [];
      steps.forEach(({ pick, outcome }, at) => {
        if (!prepared && at >= preparedAfter && !story.gone) {
          story.prepared(1);
          prepared = true;
        }
        if (outcome === "bogus") story.ack(1, 7, pick % 2 === 0);
        else if (outcome === "early deadline check") story.expire(timeoutUs - 1);
        else if (story.out.length > 0) {
          const [write] = story.out.splice(pick % story.out.length, 1) as [Write];
          if (outcome === "no") story.fail(1, write.slot);
          else if (outcome !== "silent" && prepared) {
            const synced = outcome === "yes" && write.durability >= Durability.oneDurable;
            if (!story.gone && (synced || setting.durability !== Durability.durable)) ok.push(write.slot);
            if (!story.gone && synced) durable.push(write.slot);
            story.ack(1, write.slot, synced);
          }
        }
        ok = [...new Set(ok)];
        durable = [...new Set(durable)];
        if (story.replied && story.status === statusOk) {
          const owners = ok.filter((slot) => ((setting.fallbacks >> slot) & 1) === 0);
          expect((setting.asked.strict ? owners : ok).length).toBeGreaterThanOrEqual(setting.asked.w);
          expect(owners.length).toBeGreaterThanOrEqual(setting.asked.pw);
          expect(durable.length).toBeGreaterThanOrEqual(setting.asked.dw);
          if (setting.durability === Durability.durable) expect(ok.every((slot) => durable.includes(slot))).toBe(true);
        } else if (!story.replied) {
          expect(decidePut(op), "an undecided put waits").toBe(Verdict.waiting);
        }
      });
      const finished = story.gone;
      story.expire(timeoutUs);
      expect(story.gone).toBe(true);
      expect([story.core.inFlight, story.core.nextDeadline()]).toEqual([0, never]);
      if (story.status === statusOk && setting.durability === Durability.oneDurable && finished) {
        const able = slotsIn(((1 << n) - 1) & ~(op.failed | op.unsynced));
        expect(op.durable !== 0 || able.length === 0, "a put that ended is synced somewhere if it can be").toBe(true);
      }
      if (
        !finished &&
        !["ok", "QUORUM_NOT_MET", "STORAGE_FAILED"].includes(op.status === 0 ? "ok" : codeOf(op.status))
      ) {
        expect(codeOf(op.status)).toBe("DEADLINE_EXCEEDED");
      }
    }),
    { numRuns: 1500 },
  );
});

const covered = fc.integer({ min: 1, max: 4 }).chain((n) => {
  const answers = fc.record({
    pick: fc.nat({ max: 1000 }),
    outcome: fc.constantFrom("yes", "yes", "no", "full", "wrong owner", "look", "held", "missing"),
  });
  return fc.record({
    n: fc.constant(n),
    w: fc.integer({ min: 1, max: n }),
    strict: fc.boolean(),
    candidates: fc.integer({ min: 0, max: 5 }),
    replacedSlot: fc.option(fc.integer({ min: 0, max: n - 1 })),
    localSlot: fc.integer({ min: 0, max: n - 1 }),
    oneDurable: fc.boolean(),
    steps: fc.array(answers, { maxLength: 40 }),
  });
});

/** The naive account of a put with fallbacks: who is known to hold it, by owner, in both lists. */
function enough(
  setting: { w: number; strict: boolean; n: number; replaced: number },
  holders: readonly Holder[],
): boolean {
  const lists = setting.replaced < 0 ? [-1] : [setting.n, setting.replaced];
  return lists.every((absent) => {
    const counted = holders.filter((each) => each.owner !== absent && !(setting.strict && each.fallback));
    return new Set(counted.map((each) => each.owner)).size >= setting.w;
  });
}

interface Holder {
  readonly owner: number;
  readonly fallback: boolean;
}

test("put: fallbacks, a pending member and silence, in any order", () => {
  const statuses = new Set<string>();
  fc.assert(
    fc.property(covered, ({ n, w, strict, candidates, replacedSlot, localSlot, oneDurable, steps }) => {
      const durability = oneDurable ? Durability.oneDurable : Durability.buffered;
      const changing = replacedSlot === null ? {} : { replacedSlot };
      const asked = { w, strict };
      const story = new RandomPut({ policy: policyOf(n, 1, 1), asked, candidates, localSlot, durability, ...changing });
      const first = n + (replacedSlot === null ? 0 : 1);
      const names: [slot: number, owner: number][] = [];
      const questions: number[] = [];
      story.watch();
      const keepHint = story.recorder.keepHint.bind(story.recorder);
      story.recorder.keepHint = (now, op, slot, owner, mode) => {
        keepHint(now, op, slot, owner, mode);
        expect(slot).toBeGreaterThanOrEqual(first);
        if (!names.some(([known]) => known === slot)) names.push([slot, owner - 101]);
        if (!story.replied) expect(strict, "a strict put has no use for fallbacks before it is met").toBe(false);
      };
      const ask = story.recorder.askHead.bind(story.recorder);
      story.recorder.askHead = (now, op, slot) => {
        ask(now, op, slot);
        expect(story.replied && op.status === statusOk && slot !== localSlot && slot < first).toBe(true);
        questions.push(slot);
      };
      const reply = story.recorder.reply.bind(story.recorder);
      const holders: Holder[] = [];
      story.recorder.reply = (now, op) => {
        reply(now, op);
        if (op.status === statusOk) expect(enough({ w, strict, n, replaced: replacedSlot ?? -1 }, holders)).toBe(true);
      };
      story.begin(0).prepared(0);
      let now = 1;
      for (const { pick, outcome } of steps) {
        now += 1;
        if (outcome === "look") {
          now = Math.min(Math.max(now, story.core.nextDeadline()), timeoutUs - 1);
          story.expire(now);
        } else if (outcome === "held" || outcome === "missing") {
          const slot = questions.shift();
          if (slot !== undefined) story.head(now, slot, outcome === "held" ? story.sealed : null);
        } else if (story.out.length > 0) {
          const [write] = story.out.splice(pick % story.out.length, 1) as [Write];
          const { slot } = write;
          if (outcome === "yes") {
            const owner = names.find(([known]) => known === slot)?.[1] ?? slot;
            if (!story.gone) holders.push({ owner, fallback: slot >= first });
            story.ack(now, slot, write.durability === Durability.oneDurable);
          } else
            story.fail(
              now,
              slot,
              outcome === "full" ? "OVERLOADED" : outcome === "no" ? "STORAGE_FAILED" : "WRONG_OWNER",
            );
        }
        const { op } = story;
        expect(op.targets).toBeLessThanOrEqual(8);
        expect(op.targets - first + op.candidates).toBe(candidates);
        // Each owner that failed for good has somebody in its place for as long as there is somebody left.
        if (!story.gone && op.status === statusOk && !strict && op.candidates > 0 && op.targets < 8) {
          for (let owner = 0; owner < first; owner += 1) {
            const tried = names.filter(([, whose]) => whose === owner).map(([slot]) => slot);
            const idle = tried.every((slot) => (op.failed & (1 << slot)) !== 0);
            const lost = tried.length > 0 && idle && (op.acked & (1 << owner)) === 0;
            const answering = (op.awaiting & (1 << owner)) !== 0;
            expect(
              lost && !answering,
              `owner ${owner} is left to nobody:
${story.text("")}`,
            ).toBe(false);
          }
        }
        if (!story.replied && !story.gone) {
          expect(decidePut(op)).toBe(Verdict.waiting);
          expect(enough({ w, strict, n, replaced: replacedSlot ?? -1 }, holders)).toBe(false);
        }
      }
      for (let at = story.core.nextDeadline(); at !== never; at = story.core.nextDeadline())
        story.expire(Math.max(at, now));
      expect([story.gone, story.core.inFlight]).toEqual([true, 0]);
      statuses.add(story.status === statusOk ? "ok" : codeOf(story.status));
    }),
    { numRuns: 1500 },
  );
  const known = ["DEADLINE_EXCEEDED", "OVERLOADED", "QUORUM_NOT_MET", "WRONG_OWNER", "ok"];
  expect([...statuses].sort().filter((status) => !known.includes(status))).toEqual([]);
  expect(statuses.size).toBeGreaterThanOrEqual(4);
});

const dots = [
  [1, 1],
  [1, 2],
  [2, 1],
  [3, 1],
] as const;
const records = fc.option(fc.subarray([...dots], { minLength: 1 }).map((chosen) => recordOf(chosen)));

const gets = fc.integer({ min: 1, max: 7 }).chain((n) =>
  fc.record({
    n: fc.constant(n),
    r: fc.integer({ min: 1, max: n }),
    localSlot: fc.integer({ min: -1, max: n - 1 }),
    held: fc.array(records, { minLength: n, maxLength: n }),
    order: fc.shuffledSubarray(Array.from({ length: n }, (_, slot) => slot)),
    failing: fc.nat({ max: 2 ** n - 1 }).map((mask) => mask & (mask >> 1)),
    repairsMax: fc.constantFrom(0, 1, 100),
  }),
);

test("get: any replicas, any order; the merge and those behind it agree with a naive fold", () => {
  fc.assert(
    fc.property(gets, ({ n, r, localSlot, held, order, failing, repairsMax }) => {
      const story = new GetStory({ policy: policyOf(n, r, 1), localSlot, repairsMax }).begin(0);
      const answered: number[] = [];
      let failed = 0;
      let naive = SiblingSet.empty;
      for (const slot of order) {
        if ((failing >> slot) & 1) {
          story.fail(1, slot);
          failed += 1;
        } else {
          const sealed = held[slot] as Uint8Array | null;
          if (sealed !== null) naive = naive.merge(openRecord(sealed));
          answered.push(slot);
          story.record(1, slot, sealed);
        }
        const expected = answered.length >= r ? "ok" : n - failed < r ? "QUORUM_NOT_MET" : undefined;
        const told = story.replied ? (story.status === statusOk ? "ok" : codeOf(story.status)) : undefined;
        expect(told).toBe(expected);
        if (!story.replied) expect(decideGet(story.op)).toBe(Verdict.waiting);
        expect(dotsIn(story.op.merged)).toBe(naive.isEmpty ? "nothing" : dotsIn(sealRecord(naive)));
      }
      story.expire(timeoutUs);
      expect(story.replied).toBe(true);
      const final = naive.isEmpty ? null : sealRecord(naive);
      const behind = answered.filter((slot) => {
        const sealed = held[slot] as Uint8Array | null;
        return final !== null && (sealed === null || !Buffer.from(sealed).equals(final));
      });
      expect(slotsIn(story.op.behind)).toEqual(behind.sort());
      expect(story.recorder.repaired).toEqual(behind.slice(0, repairsMax));
      expect(story.core.repairsSkipped).toBe(Math.max(0, behind.length - repairsMax));
      for (const slot of story.recorder.repaired) story.repaired(timeoutUs, slot);
      expect([story.gone, story.core.inFlight, story.core.repairsInFlight]).toEqual([true, 0, 0]);
    }),
    { numRuns: 500 },
  );
});
