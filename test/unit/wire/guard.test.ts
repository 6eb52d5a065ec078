/** The guard: its tables are complete, its bounds hold exactly, and what it refuses it refuses quickly. */
import { describe, expect, it } from "vitest";
import { decode, encode } from "../../../src/wire/codec.ts";
import { MultiGetRequest, RingState } from "../../../src/wire/gen/codecs.ts";
import { findFault } from "../../../src/wire/guard.ts";
import { messageDepthMax } from "../../../src/wire/limits.ts";
import { fieldNumbersMax, MessageShape, shapes } from "../../../src/wire/shapes.ts";
import { WireError } from "../../../src/wire/wire-error.ts";
import { joined } from "./frames.ts";
import { codecNamed, schema } from "./schema.ts";

const byName: Readonly<Record<string, MessageShape>> = shapes;
const byteStringField = 0x0a;

function shapeOf(name: string): MessageShape {
  const shape = byName[name];
  if (shape === undefined) throw new Error(`no shape of ${name}`);
  return shape;
}

function fault(shape: MessageShape, bytes: readonly number[] | Uint8Array): string | null {
  const body = Uint8Array.from(bytes);
  return findFault(shape, body, 0, body.length);
}

describe("the tables", () => {
  it("have a shape for every message of the schema and no other", () => {
    expect(Object.keys(shapes).sort()).toEqual([...schema.keys()].sort());
  });

  it.each([...schema.keys()])("%s: bound every repeated field and every nested message, and no other", (name) => {
    const expected = (schema.get(name) ?? [])
      .filter((field) => field.repeated || field.kind === "message")
      .map((field) => ({
        number: field.number,
        packedBytes: field.type === "fixed32" ? 4 : 0,
        child: field.kind === "message" ? field.type : null,
        isList: field.repeated,
      }));
    const shape = shapeOf(name);
    expect(shape.name).toBe(name);
    const inTable = shape.fields.map((field) => ({
      number: field.number,
      packedBytes: field.packedBytes,
      child: field.child?.name ?? null,
      isList: field.countMax > 1,
    }));
    expect(inTable).toEqual(expected);
    for (const field of shape.fields) {
      expect(shape.slots[field.number]).toBe(shape.fields.indexOf(field) + 1);
      if (field.child !== null) expect(field.child).toBe(shapeOf(field.child.name));
    }
  });

  it("know only packed fields of four-byte words: the schema has no others", () => {
    for (const fields of schema.values()) {
      for (const field of fields) {
        expect(field.number).toBeLessThan(fieldNumbersMax);
        if (field.repeated && field.kind === "scalar") expect(["fixed32", "bytes"]).toContain(field.type);
        expect(field.repeated && field.kind === "enum").toBe(false);
      }
    }
  });
});

describe("bounds", () => {
  it.each([...schema.keys()])(
    "%s: each bounded field may occur as often as its table says, and not once more",
    (name) => {
      const shape = shapeOf(name);
      for (const field of shape.fields) {
        const tag = varint(field.number * 8 + 2);
        const one = field.packedBytes === 0 ? [...tag, 0] : [...tag, 4, 0, 0, 0, 0];
        const most = joined(Array.from({ length: field.countMax }, () => Uint8Array.from(one)));
        expect(fault(shape, most)).toBeNull();
        const message = `field ${field.number} of ${name} occurs more than ${field.countMax} times`;
        expect(fault(shape, joined([most, Uint8Array.from(one)]))).toBe(message);
      }
    },
  );

  it("count packed and unpacked elements together", () => {
    const { acksMax } = { acksMax: shapes.GetReply.fields[0]?.countMax ?? 0 };
    const packed = [0x22, ...varint(4 * (acksMax - 1)), ...new Uint8Array(4 * (acksMax - 1))];
    const unpacked = [0x25, 0, 0, 0, 0];
    expect(fault(shapes.GetReply, [...packed, ...unpacked])).toBeNull();
    expect(fault(shapes.GetReply, [...packed, ...unpacked, ...unpacked])).toContain("occurs more than");
    expect(fault(shapes.GetReply, [0x22, 5, 0, 0, 0, 0, 0])).toBe("a packed field ends inside an element");
  });

  it("count each nested message by itself", () => {
    const acks = shapes.MultiGetResult.fields[0]?.countMax ?? 0;
    const result = [0x22, ...varint(4 * acks), ...new Uint8Array(4 * acks)];
    const nested = [0x0a, ...varint(result.length), ...result];
    expect(fault(shapes.MultiGetReply, [...nested, ...nested, ...nested])).toBeNull();
    const over = [0x0a, ...varint(result.length + 5), ...result, 0x25, 0, 0, 0, 0];
    expect(fault(shapes.MultiGetReply, [...nested, ...over])).toContain("of MultiGetResult occurs more than");
  });

  it("count singular and unknown fields too", () => {
    const fields = shapes.GetRequest.fieldsMax;
    const many = new Uint8Array(2 * fields).map((_, i) => (i % 2 === 0 ? 0x28 : 1));
    expect(fault(shapes.GetRequest, many)).toBeNull();
    expect(fault(shapes.GetRequest, joined([many, Uint8Array.of(0x28, 1)]))).toBe("too many fields");
  });

  it("refuse 1 MiB of empty sub-messages by count, long before the end", () => {
    const flood = new Uint8Array(1024 * 1024).map((_, i) => (i % 2 === 0 ? 0x32 : 0));
    const reason = "field 6 of RingState occurs more than 16384 times";
    expect(() => decode(RingState, flood, 0, flood.length)).toThrow(reason);
    // What lies behind the bound is not looked at: it could not even be walked.
    expect(() => decode(RingState, flood.fill(0xff, 2 * 16_385), 0, flood.length)).toThrow(reason);
    flood.fill(0);
    for (const name of schema.keys()) {
      for (const field of shapeOf(name).fields) {
        const body = flood.map((byte, i) => (i % 2 === 0 ? field.number * 8 + 2 : byte));
        expect(() => decode(codecNamed(name), body, 0, body.length)).toThrow(WireError);
      }
    }
  });

  it("refuse the 257th key", () => {
    const keys = (count: number): Uint8Array =>
      encode(MultiGetRequest, { keys: Array.from({ length: count }, () => Uint8Array.of(1)) });
    expect(decode(MultiGetRequest, keys(256), 0, keys(256).length).keys).toHaveLength(256);
    expect(() => decode(MultiGetRequest, keys(257), 0, keys(257).length)).toThrow("field 2 of MultiGetRequest");
  });
});

describe("form", () => {
  it.each([
    ["a tag without its end", [0x80], "a field's tag is cut off or too long"],
    ["a tag of six bytes", [0x88, 0x80, 0x80, 0x80, 0x80, 0x00], "a field's tag is cut off or too long"],
    ["a tag over 32 bits", [0x88, 0x80, 0x80, 0x80, 0x7f, 0x00], "a field's tag is cut off or too long"],
    ["field number 0", [0x02, 0x00], "a field has the number 0"],
    ["a start of a group", [0x0b, 0x0c], "groups are not allowed"],
    ["an end of a group", [0x0c], "groups are not allowed"],
    ["wire type 6", [0x0e, 0x00], "a field has an unknown wire type"],
    ["wire type 7", [0x0f, 0x00], "a field has an unknown wire type"],
    ["a number of eleven bytes", [0x28, ...new Array(10).fill(0x80), 0], "a number is cut off or too long"],
    ["a number without its end", [0x28, 0x80, 0x80], "a number is cut off or too long"],
    ["three bytes of four", [0x1d, 0, 0, 0], "a number is cut off or too long"],
    ["seven bytes of eight", [0x19, 0, 0, 0, 0, 0, 0, 0], "a number is cut off or too long"],
    ["no size", [byteStringField], "a field's size is cut off or too long"],
    [
      "a size of six bytes",
      [byteStringField, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
      "a field's size is cut off or too long",
    ],
    ["a size past the end", [byteStringField, 2, 0], "a field's size runs past its message"],
    ["a size of 2^32-1", [byteStringField, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], "a field's size runs past its message"],
    ["a size of 2^31", [byteStringField, 0x80, 0x80, 0x80, 0x80, 0x08, 0], "a field's size runs past its message"],
  ])("%s is refused", (_, bytes, message) => {
    expect(fault(shapes.GetRequest, bytes)).toBe(message);
  });

  it.each([
    ["nothing", []],
    ["a number of ten bytes", [0x28, ...new Array(9).fill(0x80), 0]],
    [
      "unknown fields of every kind",
      [0xf8, 7, 1, 0xf9, 7, ...new Array(8).fill(0), 0xfa, 7, 1, 0, 0xfd, 7, 0, 0, 0, 0],
    ],
    ["a padded size", [byteStringField, 0x81, 0x80, 0x00, 7]],
    ["a known field of another wire type", [0x08, 1]],
  ])("%s is fine", (_, bytes) => {
    expect(fault(shapes.GetRequest, bytes)).toBeNull();
  });

  it("sizes inside a nested message end with that message, not with the frame", () => {
    expect(fault(shapes.FetchRingReply, [0x0a, 2, 0x0a, 1, 7, 7, 7])).toBe("a field's size runs past its message");
    expect(fault(shapes.FetchRingReply, [0x0a, 2, 0x15, 0, 0, 0, 0])).toBe("a number is cut off or too long");
  });

  it("refuses what is nested deeper than the limit, without recursion", () => {
    const inner = new MessageShape("Inner", []);
    let shape = inner;
    for (let depth = 1; depth < messageDepthMax; depth += 1) {
      shape = new MessageShape("Outer", [{ number: 1, countMax: 2, packedBytes: 0, child: shape }]);
    }
    const nest = (depth: number): number[] => (depth === 1 ? [] : [0x0a, nest(depth - 1).length, ...nest(depth - 1)]);
    expect(fault(shape, nest(messageDepthMax))).toBeNull();
    const deeper = new MessageShape("Outer", [{ number: 1, countMax: 2, packedBytes: 0, child: shape }]);
    expect(fault(deeper, nest(messageDepthMax + 1))).toBe(`messages are nested more than ${messageDepthMax} deep`);
  });

  it("does not look inside of what it does not know", () => {
    const bomb = new Uint8Array(300_000).fill(0x0b);
    const field = [0xfa, 7, ...varint(bomb.length)];
    const body = joined([Uint8Array.from(field), bomb]);
    expect(fault(shapes.GetRequest, body)).toBeNull();
  });
});

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}
