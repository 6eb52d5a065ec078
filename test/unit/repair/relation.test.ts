/** Whatever two replicas hold: after moving what the relation says, both hold the same. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { heldIn } from "../../../src/repair/held-record.ts";
import { bringsRecord, decideRelation, Relation, wantsRecord } from "../../../src/repair/relation.ts";
import { keyNamed, RepairWorld } from "../../support/repair-world.ts";

const key = keyNamed("k");
const mirrored = [Relation.same, Relation.answererBehind, Relation.askerBehind, Relation.diverged];

describe("relation", () => {
  it("moves enough, never both ways without need, and looks the same from the other side", () => {
    const step = fc.constantFrom("put here", "put there", "copy here", "copy there");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const { a, b } = new RepairWorld();
        for (const what of steps) {
          if (what === "put here") a.put("k", "x");
          if (what === "put there") b.put("k", "y");
          const from = what === "copy here" ? b : a;
          const record = from.get(key);
          if (what.startsWith("copy") && record !== null) (from === a ? b : a).merge(key, record);
        }
        const [here, there] = [a.get(key), b.get(key)];
        const relation = decideRelation(heldIn(here, key), heldIn(there, key));
        expect(decideRelation(heldIn(there, key), heldIn(here, key))).toBe(mirrored[relation]);
        if (bringsRecord(relation)) a.merge(key, there as Uint8Array);
        if (wantsRecord(relation)) b.merge(key, here as Uint8Array);
        expect(decideRelation(heldIn(a.get(key), key), heldIn(b.get(key), key))).toBe(Relation.same);
        if (relation === Relation.diverged) {
          expect(heldIn(a.get(key), key).version.size).toBe(2);
        }
      }),
      { numRuns: 300 },
    );
  });
});
