/**
 * Hostile bytes: whatever comes, `decode` returns a message or throws `WireError`, quickly, and leaves nothing behind.
 * Mutations know the format: sizes, over-long numbers, groups, duplicated fields, cuts, joins, flips.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { FrameReader } from "../../../src/wire/frame.ts";
import { WireError } from "../../../src/wire/wire-error.ts";
import { frameBytes, joined, RecordingSink } from "./frames.ts";
import { codecNamed, fieldsOf, messageArbitrary, plain, schema } from "./schema.ts";
import { messageVectors } from "./vectors.ts";

const names = [...schema.keys()];

/** True if it decodes; a WireError is false; anything else is thrown on. */
function isAccepted(name: string, bytes: Uint8Array): boolean {
  try {
    const message = decode(codecNamed(name), bytes, 0, bytes.length);
    expect(Object.keys(message)).toEqual(fieldsOf(name).map((field) => field.name));
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
    expect((error as Error).message.startsWith(`${name}: `)).toBe(true);
    return false;
  }
}

type Mutation = (bytes: Uint8Array, at: number, other: Uint8Array) => Uint8Array;

function spliced(bytes: Uint8Array, at: number, removed: number, added: readonly number[] | Uint8Array): Uint8Array {
  return joined([bytes.subarray(0, at), Uint8Array.from(added), bytes.subarray(Math.min(bytes.length, at + removed))]);
}

const mutations: readonly Mutation[] = [
  (bytes, at) => bytes.slice(0, at),
  (bytes, at) => bytes.slice(at),
  (bytes, at) => spliced(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << (at & 7))]),
  (bytes, at) => spliced(bytes, at, 1, [0xff]),
  (bytes, at) => spliced(bytes, at, 1, [0]),
  (bytes, at) => spliced(bytes, at, 1, []),
  (bytes, at) => spliced(bytes, at, 0, [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]),
  (bytes, at) => spliced(bytes, at, 1, [0xff, 0xff, 0xff, 0xff, 0x07]),
  (bytes, at) => spliced(bytes, at, 1, [0x80, 0x80, 0x80, 0x80, 0x08]),
  (bytes, at) => spliced(bytes, at, 0, [0x0b, 0x0b, 0x0b]),
  (bytes, at) => spliced(bytes, at, 0, [0xed, 0xa0, 0x80, 0xff]),
  (bytes, _, other) => joined([bytes, other]),
  (bytes, at, other) => spliced(bytes, at, 0, other),
  (bytes) => joined([bytes, bytes]),
];

describe("mutated messages", () => {
  it.each(names)("%s ends in a message or in WireError", (name) => {
    const law = fc.property(
      messageArbitrary(name),
      messageArbitrary(name),
      fc.array(fc.tuple(fc.nat(mutations.length - 1), fc.nat()), { minLength: 1, maxLength: 4 }),
      (message, another, steps) => {
        let bytes = encode(codecNamed(name), message);
        const other = encode(codecNamed(name), another);
        for (const [which, seed] of steps)
          bytes = (mutations[which] as Mutation)(bytes, seed % (bytes.length + 1), other);
        isAccepted(name, bytes);
      },
    );
    fc.assert(law, { numRuns: 60 });
  });

  it.each(names)("%s: cut at every byte", (name) => {
    const bytes = encode(codecNamed(name), messageVectors[name] ?? {});
    let refused = 0;
    for (let end = 0; end < bytes.length; end += 1) if (!isAccepted(name, bytes.subarray(0, end))) refused += 1;
    expect(isAccepted(name, bytes)).toBe(true);
    expect(refused > 0 || bytes.length === 0).toBe(true);
  });

  it.each(names)("%s: random bytes", (name) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void isAccepted(name, bytes)),
      { numRuns: 100 },
    );
  });
});

describe("text", () => {
  it.each([
    ["a lone surrogate", [0xed, 0xa0, 0x80]],
    ["an overlong form", [0xc0, 0xaf]],
    ["a byte that never occurs", [0xff]],
    ["a cut sequence", [0xe6, 0xbc]],
    ["all that behind 80 good bytes", [...new Array(80).fill(0x61), 0xff]],
  ])("that is no UTF-8 is refused: %s", (_, bytes) => {
    expect(isAccepted("PeerState", Uint8Array.of(0x12, bytes.length, ...bytes))).toBe(false);
  });
});

describe("names that mean something to JavaScript", () => {
  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("%s stays data", (text) => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    const status = {
      counters: [{ name: text, value: 1 }],
      config: [{ key: text, value: text, source: text }],
      name: text,
    };
    const bytes = encode(codecNamed("StatusReply"), status);
    const decoded = decode(codecNamed("StatusReply"), bytes, 0, bytes.length);
    expect(plain("StatusReply", decoded)).toEqual(plain("StatusReply", status));
    expect(Object.getPrototypeOf(decoded)).not.toBe(null);
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as { [name: string]: unknown }).value).toBeUndefined();
  });
});

describe("mutated streams", () => {
  it("end in frames or in one onBadFrame, and keep no more than the limit", () => {
    const law = fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(mutations.length - 1), fc.nat()), { maxLength: 4 }),
      fc.integer({ min: 1, max: 40 }),
      (bodies, steps, chunkBytes) => {
        let stream = joined(bodies.map((body, i) => frameBytes({ type: i, status: 0, frameId: i, body })));
        for (const [which, seed] of steps) {
          stream = (mutations[which] as Mutation)(stream, seed % (stream.length + 1), stream.slice(0, 30));
        }
        const sink = new RecordingSink();
        const reader = new FrameReader(sink, 200);
        for (let at = 0; at < stream.length; at += chunkBytes) {
          reader.feed(instant(at), stream.subarray(at, at + chunkBytes));
          expect(reader.pendingBytes).toBeLessThan(200);
        }
        expect(sink.bad.length).toBeLessThanOrEqual(1);
        expect(sink.lines.length).toBeLessThanOrEqual(stream.length / 10);
      },
    );
    fc.assert(law, { numRuns: 400 });
  });
});
