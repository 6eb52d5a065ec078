/** The words of `acks` in replies to clients (schema/client.proto): who answered, as what, and where its times are. */
import type { NodeNumber } from "../base/ids.ts";

const nodeMask = 0xffff;
const fallbackShift = 16;
const durableShift = 17;
/** The slot, plus one: 0 where the coordinator does not tell. */
const slotShift = 18;
const slotMask = 15;

/** A node answered for a slot; `fallback` and `durable` (it had synced the write) are 0 or 1. */
export function ackWord(node: number, slot: number, fallback: number, durable: number): number {
  return node | (fallback << fallbackShift) | (durable << durableShift) | ((slot + 1) << slotShift);
}

/** Who answered. */
export function ackNode(ack: number): NodeNumber {
  return (ack & nodeMask) as NodeNumber;
}

/** Whether it was asked in place of an owner. */
export function isFallbackAck(ack: number): boolean {
  return ((ack >>> fallbackShift) & 1) === 1;
}

/** Whether it had synced the write before it answered. */
export function isDurableAck(ack: number): boolean {
  return ((ack >>> durableShift) & 1) === 1;
}

/** Its slot in the reply's phase vector; -1: the coordinator did not tell. */
export function ackSlot(ack: number): number {
  return ((ack >>> slotShift) & slotMask) - 1;
}
