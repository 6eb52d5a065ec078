/** What a node goes through before it serves must be what it is for: everything that a join and a dead peer bring. */
import { afterEach, expect, it } from "vitest";
import { listenForMarks } from "../../../src/base/mark.ts";
import { rehearse } from "../../../src/sim/rehearsal.ts";

afterEach(() => void listenForMarks(undefined));

it("goes through puts, gets, a join to its end and a peer that dies and comes back, the same each time", () => {
  const taken = new Set<string>();
  listenForMarks((name) => taken.add(name));
  const first = rehearse();
  expect(first.joined).toBe(true);
  expect(first.operations).toBeGreaterThan(500);
  const due = ["get.pending", "hint.stored", "lww.concurrent", "membership.confirmed", "store.log-replayed"];
  expect([...taken]).toEqual(expect.arrayContaining(due));
  expect(rehearse()).toEqual(first);
});
