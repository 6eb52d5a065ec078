/** The frame reader: any cutting of the stream gives the same frames, nothing is copied without need, limits hold. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { FrameReader } from "../../../src/wire/frame.ts";
import { FrameType, REPLY_BIT } from "../../../src/wire/frame-types.ts";
import { type FrameData, frameBytes, joined, lineOf, RecordingSink } from "./frames.ts";
import { codecNamed, plain } from "./schema.ts";
import { messageVectors } from "./vectors.ts";

const now = instant(1);

const anyFrame: fc.Arbitrary<FrameData> = fc.record({
  type: fc.nat(255),
  status: fc.nat(255),
  frameId: fc.nat(0xffff_ffff),
  body: fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 9_000 })),
});

function readAll(stream: Uint8Array, cuts: readonly number[], frameBytesMax: number): RecordingSink {
  const sink = new RecordingSink();
  const reader = new FrameReader(sink, frameBytesMax);
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    reader.feed(now, stream.slice(at, cut));
    at = cut;
  }
  reader.feed(now, stream.slice(at));
  return sink;
}

describe("FrameReader", () => {
  it("finds the same frames however the stream is cut", () => {
    const law = fc.property(
      fc.array(anyFrame, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (frames, seeds) => {
        const stream = joined(frames.map(frameBytes));
        const cuts = seeds.map((seed) => seed % (stream.length + 1));
        const sink = readAll(stream, cuts, 16_384);
        expect(sink.bad).toEqual([]);
        expect(sink.lines).toEqual(frames.map(lineOf));
      },
    );
    fc.assert(law, { numRuns: 150 });
  });

  it("finds them byte by byte", () => {
    const frames = [0, 1, 5, 0, 300].map((length, i) => ({
      type: 16 + i,
      status: i,
      frameId: 0xffff_fff0 + i,
      body: new Uint8Array(length).fill(i),
    }));
    const stream = joined(frames.map(frameBytes));
    const cuts = Array.from({ length: stream.length }, (_, i) => i);
    expect(readAll(stream, cuts, 1_000).lines).toEqual(frames.map(lineOf));
  });

  it("hands whole frames on where they lie, and only a split one from a copy", () => {
    const frame = frameBytes({ type: 1, status: 0, frameId: 1, body: new Uint8Array(20).fill(3) });
    const sink = new RecordingSink();
    const reader = new FrameReader(sink, 1_000);
    const chunk = joined([frame, frame, frame.subarray(0, 15)]);
    sink.after = () => expect(sink.lastBytes).toBe(chunk);
    reader.feed(now, chunk);
    expect(sink.lines).toHaveLength(2);
    expect(reader.pendingBytes).toBe(15);
    sink.after = () => {};
    const rest = frame.slice(15);
    reader.feed(now, rest);
    expect(sink.lines).toHaveLength(3);
    expect(sink.lines[2]).toBe(sink.lines[0]);
    expect(sink.lastBytes).not.toBe(rest);
    expect(reader.pendingBytes).toBe(0);
  });

  it("makes plain views of a Buffer's bytes", () => {
    const sink = new RecordingSink();
    const chunk = Buffer.from(frameBytes({ type: 1, status: 0, frameId: 1, body: Uint8Array.of(1, 2) }));
    new FrameReader(sink, 1_000).feed(now, chunk);
    expect(sink.lastBytes.constructor).toBe(Uint8Array);
    expect(sink.lastBytes.buffer).toBe(chunk.buffer);
  });

  it("takes thousands of tiny frames from one chunk", () => {
    const frame = frameBytes({ type: 2, status: 0, frameId: 9, body: new Uint8Array(0) });
    const sink = new RecordingSink();
    new FrameReader(sink, 100).feed(now, joined(Array.from({ length: 6_553 }, () => frame)));
    expect(sink.lines).toHaveLength(6_553);
  });

  it.each([0, 1, 5])("refuses a frame whose length says %i", (length) => {
    const sink = new RecordingSink();
    const good = frameBytes({ type: 2, status: 0, frameId: 9, body: new Uint8Array(0) });
    new FrameReader(sink, 100).feed(now, joined([good, Uint8Array.of(0, 0, 0, length, 1, 1, 1, 1, 1, 1), good]));
    expect(sink.lines).toHaveLength(1);
    expect(sink.bad).toEqual([`a frame of ${length + 4} bytes is too short to be one`]);
  });

  it("takes a frame of exactly the limit and refuses one byte more, before any of its body came", () => {
    const most = frameBytes({ type: 2, status: 0, frameId: 9, body: new Uint8Array(90) });
    const sink = new RecordingSink();
    const reader = new FrameReader(sink, 100);
    reader.feed(now, most);
    expect(sink.lines).toHaveLength(1);
    reader.feed(now, Uint8Array.of(0, 0));
    reader.feed(now, Uint8Array.of(0, 97));
    expect(sink.bad).toEqual(["a frame of 101 bytes is more than the limit of 100"]);
    reader.feed(now, most);
    expect(sink.lines).toHaveLength(1);
    expect(sink.bad).toHaveLength(1);
  });

  it("refuses the largest length there is", () => {
    const sink = new RecordingSink();
    new FrameReader(sink, 64 * 1024 * 1024).feed(now, new Uint8Array(12).fill(0xff));
    expect(sink.bad).toEqual(["a frame of 4294967299 bytes is more than the limit of 67108864"]);
  });

  it("delivers nothing more once stopped from inside a frame, whole or split", () => {
    const frame = frameBytes({ type: 2, status: 0, frameId: 9, body: new Uint8Array(7) });
    for (const cut of [0, 3, 12]) {
      const sink = new RecordingSink();
      const reader = new FrameReader(sink, 100);
      sink.after = () => reader.stop();
      const stream = joined([frame, frame, Uint8Array.of(0, 0, 0, 0)]);
      reader.feed(now, stream.subarray(0, cut));
      reader.feed(now, stream.subarray(cut));
      reader.feed(now, stream);
      expect(sink.lines).toHaveLength(1);
      expect(sink.bad).toEqual([]);
      expect(reader.pendingBytes).toBe(0);
    }
  });

  it("uses memory for what has come, not for what was announced, and gives a large frame's back", () => {
    const total = 4_000_000;
    const sink = new RecordingSink();
    const reader = new FrameReader(sink, 4 * 1024 * 1024);
    const frame = frameBytes({ type: 2, status: 0, frameId: 9, body: new Uint8Array(total - 10) });
    const before = process.memoryUsage().arrayBuffers;
    reader.feed(now, frame.subarray(0, 100));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(100_000);
    for (let at = 100; at < total; at += 50_000) reader.feed(now, frame.subarray(at, Math.min(total, at + 50_000)));
    expect(sink.lines).toHaveLength(1);
    expect(sink.lastBytes.length).toBeLessThanOrEqual(4 * 1024 * 1024);
    const large = sink.lastBytes;
    const small = frameBytes({ type: 2, status: 0, frameId: 9, body: new Uint8Array(20) });
    reader.feed(now, small.subarray(0, 20));
    reader.feed(now, small.subarray(20));
    expect(sink.lines).toHaveLength(2);
    expect(sink.lastBytes).not.toBe(large);
    expect(sink.lastBytes.length).toBeLessThanOrEqual(16_384);
  });
});

describe("fixed vectors", () => {
  interface FrameVector {
    readonly what: string;
    readonly type: number;
    readonly status: number;
    readonly frameId: number;
    readonly message: string | null;
    readonly bytes: string;
  }
  const file = new URL("../../vectors/frames.json", import.meta.url);
  const vectors = JSON.parse(readFileSync(file, "utf8")) as readonly FrameVector[];

  it.each(vectors.map((vector) => [vector.what, vector] as const))("%s", (_, vector) => {
    const fields = vector.message === null ? {} : (messageVectors[vector.message] ?? {});
    const body = vector.message === null ? new Uint8Array(0) : encode(codecNamed(vector.message), fields);
    const { type, status, frameId } = vector;
    const bytes = frameBytes({ type, status, frameId, body });
    expect(Buffer.from(bytes).toString("hex")).toBe(vector.bytes);
    const sink = new RecordingSink();
    new FrameReader(sink, 4_096).feed(now, new Uint8Array(Buffer.from(vector.bytes, "hex")));
    expect(sink.lines).toEqual([lineOf({ type, status, frameId, body })]);
    if (vector.message === null) return;
    const decoded = decode(codecNamed(vector.message), sink.lastBytes, 10, sink.lastBytes.length);
    expect(plain(vector.message, decoded)).toEqual(plain(vector.message, fields));
  });

  it("has every frame type, as request and as reply", () => {
    const types = new Set(vectors.map((vector) => vector.type));
    for (const type of Object.values(FrameType)) {
      expect(types).toContain(type);
      expect(types).toContain(type | REPLY_BIT);
    }
  });
});
