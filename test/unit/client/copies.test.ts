/** Copies: when enough owners have answered, what they say together, and whether somebody is behind. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { utf8 } from "../../../src/base/bytes.ts";
import { enableCanaries } from "../../../src/base/canary.ts";
import { Copies } from "../../../src/client/copies.ts";
import { ContextKey, openContext, sealContext } from "../../../src/version/context.ts";
import { decodeRecordBody, recordBody, sealRecord } from "../../../src/version/record.ts";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { idOf, VersionWorld } from "../../support/version-world.ts";

const key = new ContextKey(0, new Uint8Array(16));
const fullKey = utf8("key");

function copyOf(set: SiblingSet): { record: Uint8Array; context: Uint8Array } {
  const record = set.isEmpty ? new Uint8Array(0) : recordBody(sealRecord(set)).slice();
  return { record, context: sealContext(key, fullKey, set.version, 1, 5).slice() };
}

describe("counting", () => {
  it("agrees with a naive count for every order of up to seven answers and failures", () => {
    for (let owners = 1; owners <= 7; owners += 1) {
      for (let needed = 1; needed <= owners; needed += 1) {
        for (let outcomes = 0; outcomes < 1 << owners; outcomes += 1) {
          const copies = new Copies(owners, needed);
          let answered = 0;
          for (let slot = 0; slot < owners; slot += 1) {
            if ((outcomes >>> slot) & 1) {
              copies.add(copyOf(SiblingSet.empty));
              answered += 1;
            } else copies.fail();
            const seen = slot + 1;
            expect(copies.isMet).toBe(answered >= needed);
            expect(copies.isImpossible).toBe(answered + (owners - seen) < needed);
            expect(copies.isOver).toBe(seen === owners);
          }
        }
      }
    }
  });
});

describe("a client that answers below R", () => {
  it("is what the bug on purpose makes of it", () => {
    enableCanaries(["copies-below-r"]);
    const copies = new Copies(3, 2);
    copies.add(copyOf(SiblingSet.empty));
    expect(copies.isMet).toBe(true);
    enableCanaries([]);
    expect(copies.isMet).toBe(false);
  });
});

describe("merging", () => {
  const operand = fc.nat({ max: 255 });

  it("is what a node's merge of the same records is, with a context that covers it, in any order", () => {
    const operands = fc.array(fc.tuple(operand, operand, operand, operand), { maxLength: 20, size: "max" });
    fc.assert(
      fc.property(operands, fc.array(operand, { minLength: 1, maxLength: 4 }), (list, picks) => {
        const world = new VersionWorld(3, true);
        world.run(list);
        const sets = picks.map((pick) => (world.states[pick % world.states.length] as { set: SiblingSet }).set);
        const copies = new Copies(sets.length, 1);
        for (const set of sets) copies.add(copyOf(set));
        const merged = sets.reduce((all, set) => all.merge(set), SiblingSet.empty);
        const answer = copies.merged();
        expect(answer).not.toBeNull();
        const { record, context } = answer as { record: Uint8Array; context: Uint8Array };
        const shown = record.length === 0 ? SiblingSet.empty : decodeRecordBody(record);
        expect(shown.sameCausally(merged)).toBe(true);
        expect(openContext(key, fullKey, context).version).toEqual(merged.version);
        expect(copies.differ).toBe(sets.some((set) => !set.sameCausally(sets[0] as SiblingSet)));
      }),
      { numRuns: 200 },
    );
  });

  it("refuses bytes that are no record", () => {
    const copies = new Copies(3, 2);
    copies.add({ record: Uint8Array.of(1, 2, 3), context: new Uint8Array(0) });
    expect(() => copies.add(copyOf(SiblingSet.empty))).toThrow(/malformed record/);
  });

  it("has no answer where the contexts do not fit into one", () => {
    const copies = new Copies(3, 2);
    for (const node of [1, 2]) {
      let set = SiblingSet.empty;
      for (let actor = 1; actor <= 400; actor += 1) {
        const dot = { actorHigh: node << 16, actorLow: actor, counter: 1 };
        const write = { dot, requestId: idOf(`${node}/${actor}`), value: utf8("v"), tombstone: false, second: 1 };
        set = set.put({ ...write, context: set.version, keepRecentFor: 60 });
      }
      copies.add(copyOf(set));
    }
    expect(copies.merged()).toBeNull();
  });
});
