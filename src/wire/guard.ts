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
import { type BoundedField, boundedFieldsMax, fieldNumbersMax, type MessageShape } from "./shapes.ts";

/** The messages around the one that the walk is in, outermost first, and where each ends. */
const shapeStack: MessageShape[] = [];
const endStack = new Int32Array(messageDepthMax);
/** How often the bounded fields of the message at each depth have occurred. */
const counts = new Uint32Array(messageDepthMax * (boundedFieldsMax + 1));

/** The second result of `readVarint32`, which so needs no object: where what comes behind the varint begins. */
let next = 0;

/** What `endOfField` found wrong, by its negative result. */
const faults = [
  "",
  "a number is cut off or too long",
  "a field's size is cut off or too long",
  "a field's size runs past its message",
  "groups are not allowed",
  "a field has an unknown wire type",
] as const;

/** Reads a tag or a size: the 32 bits as they are, signed. Sets `next`; to -1 if it does not end in time or is larger. */
function readVarint32(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start, shift = 0; at < end && shift <= 28; at += 1, shift += 7) {
    const byte = bytes[at] as number;
    value |= (byte & 127) << shift;
    if (byte < 128) {
      next = shift < 28 || byte < 16 ? at + 1 : -1;
      return value;
    }
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

/** Where the field ends whose tag ends at `at`; or a negative index into `faults`. */
function endOfField(wireType: number, bytes: Uint8Array, at: number, stop: number): number {
  switch (wireType) {
    case 0:
      return skipVarint(bytes, at, stop);
    case 1:
      return at + 8 > stop ? -1 : at + 8;
    case 2: {
      const isShort = at < stop && (bytes[at] as number) < 128;
      const size = isShort ? (bytes[at] as number) : readVarint32(bytes, at, stop);
      const content = isShort ? at + 1 : next;
      if (content < 0) return -2;
      return size < 0 || size > stop - content ? -3 : content + size;
    }
    case 3:
    case 4:
      return -4;
    case 5:
      return at + 4 > stop ? -1 : at + 4;
    default:
      return -5;
  }
}

function resetCounts(depth: number, shape: MessageShape): void {
  const first = depth * (boundedFieldsMax + 1);
  for (let slot = 1; slot <= shape.fields.length; slot += 1) counts[first + slot] = 0;
}

/** Counts one occurrence of a bounded field whose content has `size` bytes; says so if that is one too many. */
function countField(shape: MessageShape, depth: number, slot: number, wireType: number, size: number): string | null {
  const field = shape.fields[slot - 1] as BoundedField;
  let elements = 1;
  if (wireType === 2 && field.packedBytes !== 0) {
    if (size % field.packedBytes !== 0) return "a packed field ends inside an element";
    // An empty packed field counts as one: no encoder writes it, and many of them would be work for nothing.
    elements = size === 0 ? 1 : size / field.packedBytes;
  }
  const place = depth * (boundedFieldsMax + 1) + slot;
  const count = (counts[place] as number) + elements;
  if (count > field.countMax) return `field ${field.number} of ${shape.name} occurs more than ${field.countMax} times`;
  counts[place] = count;
  return null;
}

/** Null if `bytes[start..end)` is safe to decode as a message of this shape; else what is wrong with it. */
export function findFault(shape: MessageShape, bytes: Uint8Array, start: number, end: number): string | null {
  let depth = 0;
  let current = shape;
  let stop = end;
  let at = start;
  let fieldsLeft = shape.fieldsMax;
  resetCounts(0, shape);
  for (;;) {
    while (at === stop) {
      if (depth === 0) return null;
      depth -= 1;
      current = shapeStack[depth] as MessageShape;
      stop = endStack[depth] as number;
    }
    fieldsLeft -= 1;
    if (fieldsLeft < 0) return "too many fields";
    // Nearly every tag and most sizes have one byte: taken here without a call.
    let tag = bytes[at] as number;
    at += 1;
    if (tag > 127) {
      tag = readVarint32(bytes, at - 1, stop);
      if (next < 0) return "a field's tag is cut off or too long";
      at = next;
    }
    const number = tag >>> 3;
    if (number === 0) return "a field has the number 0";
    const wireType = tag & 7;
    const fieldEnd = endOfField(wireType, bytes, at, stop);
    if (fieldEnd < 0) return faults[-fieldEnd] as string;
    const slot = number < fieldNumbersMax ? (current.slots[number] as number) : 0;
    if (slot === 0) {
      at = fieldEnd;
      continue;
    }
    if (wireType === 2) readVarint32(bytes, at, stop);
    else next = at;
    const content = next;
    const fault = countField(current, depth, slot, wireType, fieldEnd - content);
    if (fault !== null) return fault;
    const child = (current.fields[slot - 1] as BoundedField).child;
    at = fieldEnd;
    if (child === null || wireType !== 2) continue;
    shapeStack[depth] = current;
    endStack[depth] = stop;
    depth += 1;
    if (depth >= messageDepthMax) return `messages are nested more than ${messageDepthMax} deep`;
    resetCounts(depth, child);
    current = child;
    stop = fieldEnd;
    at = content;
  }
}
