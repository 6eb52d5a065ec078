/** The frame writer: frames leave whole and in order, one write a turn, lent slabs stay untouched, queues are bounded. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instant } from "../../../src/base/time.ts";
import { encode } from "../../../src/wire/codec.ts";
import { FrameReader, FrameWriter } from "../../../src/wire/frame.ts";
import { GetReply, PutRequest, RingState } from "../../../src/wire/gen/codecs.ts";
import { FakeLink, type FrameData, frameBytes, joined, lineOf, RecordingSink } from "./frames.ts";

const now = instant(1);
const plenty = { queuedBytesMax: 64 * 1024 * 1024 };
const nothing = (): void => {};

function framesOf(link: FakeLink): RecordingSink {
  const sink = new RecordingSink();
  const reader = new FrameReader(sink, 64 * 1024 * 1024);
  for (const bytes of link.written) reader.feed(now, bytes);
  expect(sink.bad).toEqual([]);
  expect(reader.pendingBytes).toBe(0);
  return sink;
}

function valueFrame(frameId: number, bytes: number): FrameData {
  const body = encode(PutRequest, { value: new Uint8Array(bytes).fill(frameId & 255) });
  return { type: 0x11, status: 0, frameId, body };
}

function sendValue(writer: FrameWriter, frameId: number, bytes: number): boolean {
  return writer.send(0x11, 0, frameId, PutRequest, { value: new Uint8Array(bytes).fill(frameId & 255) });
}

describe("FrameWriter", () => {
  it("writes the bytes that frame.ts documents, all of a turn with one write", () => {
    const link = new FakeLink();
    const writer = new FrameWriter(link, plenty, nothing);
    const message = { record: Uint8Array.of(1, 2, 3), acks: [1, 2], epoch: 7 };
    expect(writer.send(0x90, 0, 0xfedc_ba98, GetReply, message)).toBe(true);
    expect(writer.sendEmpty(0x02, 3, 5)).toBe(true);
    expect(link.written).toEqual([]);
    expect(writer.queuedBytes).toBe(20 + encode(GetReply, message).length);
    writer.flush();
    writer.flush();
    const expected = joined([
      frameBytes({ type: 0x90, status: 0, frameId: 0xfedc_ba98, body: encode(GetReply, message) }),
      frameBytes({ type: 2, status: 3, frameId: 5, body: new Uint8Array(0) }),
    ]);
    expect(link.written).toEqual([expected]);
    expect(writer.queuedBytes).toBe(0);
  });

  it("asks for a flush once per turn", () => {
    let wanted = 0;
    const writer = new FrameWriter(new FakeLink(), plenty, () => {
      wanted += 1;
    });
    for (let i = 0; i < 200; i += 1) sendValue(writer, i, 1_000);
    expect(wanted).toBe(1);
    writer.flush();
    expect(wanted).toBe(1);
    writer.sendEmpty(2, 0, 1);
    expect(wanted).toBe(2);
  });

  it("writes early when 64 KiB wait", () => {
    const link = new FakeLink();
    const writer = new FrameWriter(link, plenty, nothing);
    for (let i = 0; i < 100; i += 1) sendValue(writer, i, 1_000);
    expect(link.written).toHaveLength(1);
    expect(link.written[0]?.length).toBeGreaterThanOrEqual(65_536);
    expect(link.written[0]?.length).toBeLessThan(65_536 + 1_100);
    writer.flush();
    expect(framesOf(link).lines).toEqual(Array.from({ length: 100 }, (_, i) => lineOf(valueFrame(i, 1_000))));
  });

  it("sends frames of every size whole and in order, whatever the transport keeps", () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ send: fc.oneof(fc.nat(2_000), fc.nat(70_000), fc.nat(300_000)) }) },
      { weight: 3, arbitrary: fc.constant("flush" as const) },
      { weight: 2, arbitrary: fc.constant("keep" as const) },
      { weight: 2, arbitrary: fc.constant("consume" as const) },
    );
    const law = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const link = new FakeLink();
      const writer = new FrameWriter(link, plenty, nothing);
      const sent: string[] = [];
      const consume = (): void => {
        link.keeps = false;
        link.consume();
        writer.onWritable();
      };
      for (const [i, one] of steps.entries()) {
        if (one === "flush") writer.flush();
        else if (one === "keep") link.keeps = true;
        else if (one === "consume") consume();
        else if (sendValue(writer, i, one.send)) sent.push(lineOf(valueFrame(i, one.send)));
      }
      consume();
      writer.flush();
      expect(writer.queuedBytes).toBe(0);
      expect(framesOf(link).lines).toEqual(sent);
    });
    fc.assert(law, { numRuns: 60 });
  });

  it("leaves a lent slab untouched, writes nothing meanwhile, and everything gathered at once afterwards", () => {
    const link = new FakeLink();
    const writer = new FrameWriter(link, plenty, nothing);
    link.keeps = true;
    sendValue(writer, 1, 500);
    writer.flush();
    for (let i = 2; i < 200; i += 1) sendValue(writer, i, 1_000);
    writer.flush();
    expect(link.written).toEqual([]);
    link.keeps = false;
    link.consume();
    expect(link.written).toEqual([frameBytes(valueFrame(1, 500))]);
    writer.onWritable();
    expect(link.written).toHaveLength(2);
    const expected = [valueFrame(1, 500), ...Array.from({ length: 198 }, (_, i) => valueFrame(i + 2, 1_000))];
    expect(framesOf(link).lines).toEqual(expected.map(lineOf));
  });

  it("refuses what goes over queuedBytesMax, lent bytes counted, and queues nothing of it", () => {
    const link = new FakeLink();
    const writer = new FrameWriter(link, { queuedBytesMax: 10_000 }, nothing);
    link.keeps = true;
    expect(sendValue(writer, 1, 4_000)).toBe(true);
    writer.flush();
    expect(sendValue(writer, 2, 4_000)).toBe(true);
    const queued = writer.queuedBytes;
    expect(queued).toBe(2 * frameBytes(valueFrame(1, 4_000)).length);
    expect(sendValue(writer, 3, 4_000)).toBe(false);
    expect(writer.queuedBytes).toBe(queued);
    expect(sendValue(writer, 4, 1_000)).toBe(true);
    link.keeps = false;
    link.consume();
    writer.onWritable();
    const expected = [valueFrame(1, 4_000), valueFrame(2, 4_000), valueFrame(4, 1_000)];
    expect(framesOf(link).lines).toEqual(expected.map(lineOf));
    expect(sendValue(writer, 5, 9_000)).toBe(true);
  });

  it("takes one frame over queuedBytesMax when nothing else waits, none over frameBytesMax", () => {
    const writer = new FrameWriter(new FakeLink(), { queuedBytesMax: 1_000, frameBytesMax: 2_000 }, nothing);
    expect(sendValue(writer, 1, 2_500)).toBe(false);
    expect(writer.queuedBytes).toBe(0);
    expect(sendValue(writer, 2, 1_500)).toBe(true);
    expect(writer.sendEmpty(2, 0, 3)).toBe(false);
    writer.flush();
    expect(writer.sendEmpty(2, 0, 3)).toBe(true);
  });

  it("is not damaged by a message that cannot be encoded", () => {
    const link = new FakeLink();
    const writer = new FrameWriter(link, plenty, nothing);
    sendValue(writer, 1, 100);
    const large = new Uint8Array(200_000);
    const members = [
      {
        name: "x",
        get number(): number {
          throw new TypeError("no number");
        },
      },
    ];
    expect(() => writer.send(1, 0, 2, RingState, { clusterId: large, members })).toThrow(TypeError);
    sendValue(writer, 3, 200);
    writer.flush();
    expect(framesOf(link).lines).toEqual([valueFrame(1, 100), valueFrame(3, 200)].map(lineOf));
  });

  it("forgets everything on close", () => {
    const link = new FakeLink();
    const writer = new FrameWriter(link, plenty, nothing);
    sendValue(writer, 1, 100);
    writer.close();
    writer.flush();
    expect(writer.queuedBytes).toBe(0);
    expect(sendValue(writer, 2, 100)).toBe(false);
    expect(writer.sendEmpty(2, 0, 1)).toBe(false);
    expect(link.written).toEqual([]);
  });

  it("shares slabs between links without mixing their bytes", () => {
    const links = Array.from({ length: 5 }, () => new FakeLink());
    const writers = links.map((link) => new FrameWriter(link, plenty, nothing));
    for (let round = 0; round < 20; round += 1) {
      for (const [i, writer] of writers.entries()) sendValue(writer, i, 100 + round * 5_000);
      for (const [i, writer] of writers.entries()) if ((i + round) % 2 === 0) writer.flush();
    }
    for (const writer of writers) writer.flush();
    for (const [i, link] of links.entries()) {
      expect(framesOf(link).lines).toEqual(
        Array.from({ length: 20 }, (_, round) => lineOf(valueFrame(i, 100 + round * 5_000))),
      );
    }
  });
});
