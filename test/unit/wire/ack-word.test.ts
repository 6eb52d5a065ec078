/** What goes into an ack's word comes out again, and words without a slot (of older nodes) say so. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { ackNode, ackSlot, ackWord, isDurableAck, isFallbackAck } from "../../../src/wire/ack-word.ts";

it("gives back node, slot and role", () => {
  const bit = fc.integer({ min: 0, max: 1 });
  fc.assert(
    fc.property(fc.nat(0xffff), fc.nat(14), bit, bit, (node, slot, fallback, durable) => {
      const ack = ackWord(node, slot, fallback, durable);
      expect([ackNode(ack), ackSlot(ack), isFallbackAck(ack), isDurableAck(ack)]).toEqual([
        node,
        slot,
        fallback === 1,
        durable === 1,
      ]);
    }),
  );
});

it("is the number that the schema tells of", () => {
  expect(ackWord(7, 2, 1, 1)).toBe(7 + 2 ** 16 + 2 ** 17 + 3 * 2 ** 18);
  expect([ackNode(7), ackSlot(7), isFallbackAck(7), isDurableAck(7)]).toEqual([7, -1, false, false]);
});
