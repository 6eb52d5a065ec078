/**
 * The guard: one walk over the tags of a body before anything is decoded. The decoder alone would make half a million
 * objects of 1 MiB of empty sub-messages, and would skip through nested groups by recursion; after this walk it cannot:
 * sizes lie inside the frame, varints end, there are no groups, every repeated field is within its bound, and the
 * nesting within `messageDepthMax`. The walk is iterative, allocates nothing and reads only tags and sizes, so it costs
 * a small part of the decoding.
 *
 * Unknown fields are passed over (a newer peer may send them), but counted: see `MessageShape.fieldsMax`.
 */
import { messageDepthMax, varintBytesMax } from "./limits.ts";
import { boundedFieldsMax, fieldNumbersMax, type MessageShape } from "./shapes.ts";

/** The messages that the walk is inside of, outermost first, where each ends, and how often its fields have occurred. */
const shapeStack: MessageShape[] = [];
const endStack = new Float64Array(messageDepthMax);
const counts = new Uint32Array(messageDepthMax * (boundedFieldsMax + 1));

/** Where the last varint ended, or -1; the reading functions have no other way to return two numbers cheaply. */
let next = 0;

/** Reads a tag or a size: at most 32 bits. Sets `next` to -1 if it does not end before `end` or is too large. */
function readVarint32(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let factor = 1;
  for (let at = start; at < end && at < start + 5; at += 1) {
    const byte = bytes[at] as number;
    value += (byte & 127) * factor;
    if (byte < 128) {
      next = value <= 0xffff_ffff ? at + 1 : -1;
      return value;
    }
    factor *= 128;
  }
  next = -1;
  return 0;
}

/** The position after a varint of any value, or -1 if it does not end in time. */
function skipVarint(bytes: Uint8Array, start: number, end: number): number {
  const fence = Math.min(end, start + varintBytesMax);
  for (let at = start; at < fence; at += 1) if ((bytes[at] as number) < 128) return at + 1;
  return -1;
}

function enter(depth: number, shape: MessageShape, end: number): void {
  shapeStack[depth] = shape;
  endStack[depth] = end;
  const first = depth * (boundedFieldsMax + 1);
  for (let slot = 1; slot <= shape.fields.length; slot += 1) counts[first + slot] = 0;
}

/** Null if `bytes[start..end)` is safe to decode as a message of this shape; else what is wrong with it. */
export function findFault(shape: MessageShape, bytes: Uint8Array, start: number, end: number): string | null {
  let depth = 0;
  let current = shape;
  let stop = end;
  let at = start;
  let fieldsLeft = shape.fieldsMax;
  enter(0, shape, end);
  for (;;) {
    while (at === stop) {
      if (depth === 0) return null;
      depth -= 1;
      current = shapeStack[depth] as MessageShape;
      stop = endStack[depth] as number;
    }
    fieldsLeft -= 1;
    if (fieldsLeft < 0) return "too many fields";
    let tag = bytes[at] as number;
    if (tag < 128) at += 1;
    else {
      tag = readVarint32(bytes, at, stop);
      if (next < 0) return "a field's tag is cut off or too long";
      at = next;
    }
    const number = tag >>> 3;
    if (number === 0) return "a field has the number 0";
    const wireType = tag & 7;
    let size = 0;
    if (wireType === 2) {
      if (at < stop && (bytes[at] as number) < 128) {
        size = bytes[at] as number;
        at += 1;
      } else {
        size = readVarint32(bytes, at, stop);
        if (next < 0) return "a field's size is cut off or too long";
        at = next;
      }
      if (size > stop - at) return "a field's size runs past its message";
    } else {
      const after = skipScalar(wireType, bytes, at, stop);
      if (after < 0)
        return wireType === 3 || wireType === 4 ? "groups are not allowed" : "a number is cut off or malformed";
      at = after;
    }
    const slot = number < fieldNumbersMax ? (current.slots[number] as number) : 0;
    if (slot === 0) {
      at += size;
      continue;
    }
    const field = current.fields[slot - 1] as MessageShape["fields"][number];
    const place = depth * (boundedFieldsMax + 1) + slot;
    const isPacked = wireType === 2 && field.packedBytes !== 0;
    if (isPacked && size % field.packedBytes !== 0) return "a packed field ends inside an element";
    const count = (counts[place] as number) + (isPacked ? size / field.packedBytes : 1);
    if (count > field.countMax) return `field ${number} of ${current.name} occurs more than ${field.countMax} times`;
    counts[place] = count;
    if (field.child === null || wireType !== 2) {
      at += size;
      continue;
    }
    depth += 1;
    if (depth >= messageDepthMax) return `messages are nested more than ${messageDepthMax} deep`;
    current = field.child;
    stop = at + size;
    enter(depth, current, stop);
  }
}

/** The position after a number of this wire type, or -1: cut off, or no such wire type. */
function skipScalar(wireType: number, bytes: Uint8Array, at: number, stop: number): number {
  if (wireType === 0) return skipVarint(bytes, at, stop);
  const after = wireType === 5 ? at + 4 : wireType === 1 ? at + 8 : stop + 1;
  return after <= stop ? after : -1;
}
