/** The codec against the schema: a second implementation agrees, fixed bytes stay, the edges of its promises. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hexOf, noBytes, utf8 } from "../../../src/base/bytes.ts";
import { Durability } from "../../../src/base/durability.ts";
import { decode, encode } from "../../../src/wire/codec.ts";
import { WritePurpose } from "../../../src/wire/frame-types.ts";
import { GetReply, PutRequest, ReportReply, StatusReply } from "../../../src/wire/gen/codecs.ts";
import { Role } from "../../../src/wire/hello.ts";
import { codecNamed, enumOf, messageArbitrary, pbfDecode, pbfEncode, plain, schema } from "./schema.ts";
import { messageVectors } from "./vectors.ts";

const names = [...schema.keys()];

describe("every message of the schema", () => {
  it.each(names)("%s: what we encode, pbf decodes, and the other way round", (name) => {
    const codec = codecNamed(name);
    const law = fc.property(messageArbitrary(name), (message) => {
      const bytes = encode(codec, message);
      const expected = plain(name, message);
      expect(pbfDecode(name, bytes)).toEqual(expected);
      expect(plain(name, decode(codec, bytes, 0, bytes.length))).toEqual(expected);
      const foreign = pbfEncode(name, message);
      expect(plain(name, decode(codec, foreign, 0, foreign.length))).toEqual(expected);
    });
    fc.assert(law, { numRuns: 50 });
  });

  it.each(names)("%s: nothing encodes as no bytes, and decodes to defaults in the schema's order", (name) => {
    const codec = codecNamed(name);
    expect(encode(codec, {})).toEqual(new Uint8Array(0));
    const message = decode(codec, noBytes, 0, 0);
    expect(Object.keys(message)).toEqual((schema.get(name) ?? []).map((field) => field.name));
    expect(plain(name, message)).toEqual(plain(name, {}));
  });
});

describe("fixed vectors", () => {
  const file = new URL("../../vectors/messages.json", import.meta.url);
  const fixed = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, string>>;

  it("has one for every message", () => {
    expect(Object.keys(fixed).sort()).toEqual([...names].sort());
  });

  it.each(names)("%s", (name) => {
    const message = messageVectors[name] ?? {};
    const bytes = encode(codecNamed(name), message);
    expect(Buffer.from(bytes).toString("hex")).toBe(fixed[name]);
    expect(plain(name, decode(codecNamed(name), bytes, 0, bytes.length))).toEqual(plain(name, message));
  });
});

describe("what the codec promises", () => {
  it("decodes in place: bytes are views of the frame, empty bytes are shared", () => {
    const body = Uint8Array.of(0x0a, 3, 1, 2, 3, 0x12, 0);
    const frame = new Uint8Array(40);
    frame.set(body, 7);
    const message = decode(GetReply, frame, 7, 7 + body.length);
    expect(message.record.buffer).toBe(frame.buffer);
    expect([...message.record]).toEqual([1, 2, 3]);
    expect(message.context).toBe(noBytes);
  });

  it("reads no byte behind the end of the body", () => {
    const body = encode(PutRequest, { value: Uint8Array.of(9, 9), epoch: 5 });
    const frame = new Uint8Array(body.length + 8).fill(0xff);
    frame.set(body);
    expect(decode(PutRequest, frame, 0, body.length).epoch).toBe(5);
  });

  it("gives a repeated field of its own to every message", () => {
    const first = decode(GetReply, noBytes, 0, 0);
    first.acks.push(1);
    expect(decode(GetReply, noBytes, 0, 0).acks).toEqual([]);
  });

  it("takes packed words from any array-like, and reads unpacked ones", () => {
    const packed = encode(GetReply, { acks: Uint32Array.of(1, 0xffff_ffff) });
    expect(decode(GetReply, packed, 0, packed.length).acks).toEqual([1, 0xffff_ffff]);
    const unpacked = Uint8Array.of(0x25, 1, 0, 0, 0, 0x25, 255, 255, 255, 255);
    expect(decode(GetReply, unpacked, 0, unpacked.length).acks).toEqual([1, 0xffff_ffff]);
  });

  it("takes explicit defaults for what they are, and keeps one hidden class", () => {
    const bytes = Uint8Array.of(0x0a, 0x00, 0x1d, 0, 0, 0, 0, 0x48, 0x00);
    const message = decode(codecNamed("GetRequest"), bytes, 0, bytes.length);
    expect(plain("GetRequest", message)).toEqual(plain("GetRequest", {}));
    expect(Object.keys(message)).toEqual(Object.keys(decode(codecNamed("GetRequest"), noBytes, 0, 0)));
  });

  it.each([-1, -5, -300_000_000, -2_147_483_648])(
    "writes an enum that no peer of ours sends as it came: %d",
    (wrong) => {
      const bytes = encode(PutRequest, { durability: wrong, epoch: 5 });
      expect(bytes).toEqual(pbfEncode("PutRequest", { durability: wrong, epoch: 5 }));
      expect(decode(PutRequest, bytes, 0, bytes.length)).toMatchObject({ durability: wrong, epoch: 5 });
    },
  );

  it("drops fields of newer peers", () => {
    const body = encode(PutRequest, { epoch: 7 });
    const newer = Uint8Array.of(0xf8, 0x07, 5, 0xa2, 0x06, 2, 1, 1, ...body);
    const message = decode(PutRequest, newer, 0, newer.length);
    expect(plain("PutRequest", message as never)).toEqual(plain("PutRequest", { epoch: 7 }));
    expect(Object.keys(message)).toEqual(Object.keys(decode(PutRequest, noBytes, 0, 0)));
  });

  it("encodes texts of every plane as TextEncoder does", () => {
    const law = fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
      const bytes = encode(StatusReply, { name: text });
      expect(hexOf(bytes.subarray(bytes.length - utf8(text).length))).toBe(hexOf(utf8(text)));
      expect(decode(StatusReply, bytes, 0, bytes.length).name).toBe(text);
    });
    fc.assert(law, { numRuns: 300 });
  });

  it("writes U+FFFD for a lone surrogate, as TextEncoder does", () => {
    const text = "a\ud800b\udfffc\u{1f600}é漢";
    const bytes = encode(StatusReply, { name: text });
    expect(bytes.subarray(2)).toEqual(new TextEncoder().encode(text));
    expect(decode(StatusReply, bytes, 0, bytes.length).name).toBe(Buffer.from(text).toString("utf8"));
  });

  it("encodes nested messages of every size of size", () => {
    for (const length of [0, 1, 100, 127, 128, 16_383, 16_384, 300_000, 2_100_000]) {
      const ring = { owners: new Uint8Array(length).fill(7), epoch: 3, members: [{ number: 1 }] };
      const bytes = encode(ReportReply, { ring, reported: 1 });
      expect(pbfDecode("ReportReply", bytes)).toEqual(plain("ReportReply", { ring, reported: 1 }));
    }
  });
});

describe("numbers that the code writes by hand", () => {
  it("are the schema's", () => {
    expect(Object.values(Role).sort()).toEqual(Object.values(enumOf("Role")).filter((value) => value !== 0));
    expect(enumOf("Role")).toMatchObject({ CLIENT: Role.client, NODE: Role.node, JOINING_NODE: Role.joiningNode });
    expect(enumOf("WritePurpose")).toEqual({ PUT: WritePurpose.put, READ_REPAIR: WritePurpose.readRepair });
    expect(enumOf("Durability")).toEqual({
      BUCKET_DURABILITY: Durability.bucket,
      MEMORY: Durability.memory,
      BUFFERED: Durability.buffered,
      ONE_DURABLE: Durability.oneDurable,
      DURABLE: Durability.durable,
    });
  });
});
