/**
 * The frame id of a request to a slot of an op: op id * 8 + slot. An answer so finds its op and slot without a map, and
 * one that comes too late finds nothing, because the table gives no op the id of one that can still be answered
 * (coordinator/op.ts). An op has at most 8 slots.
 */

/** The frame id under which an op's slot is asked. */
export function slotFrameId(opId: number, slot: number): number {
  return opId * 8 + slot;
}

/** The id of the op that an answer is for. */
export function opIdOf(frameId: number): number {
  return frameId >>> 3;
}

/** The slot that has answered. */
export function slotOf(frameId: number): number {
  return frameId & 7;
}
