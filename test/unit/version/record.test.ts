/** Records: the bytes are pinned, a second protobuf implementation agrees, and no bytes do worse than a RecordError. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { PbfReader, PbfWriter } from "pbf";
import { compile } from "pbf/compile";
import schema from "protocol-buffers-schema";
import { describe, expect, it } from "vitest";
import { hexOf, utf8 } from "../../../src/base/bytes.ts";
import { crc32c } from "../../../src/base/crc32c.ts";
import { Hash64 } from "../../../src/base/hash.ts";
import {
  checkRecord,
  decodeRecordBody,
  equalSealed,
  mergeSealed,
  openRecord,
  RecordError,
  recordBody,
  recordHeaderBytes,
  sealRecord,
  siblingCount,
  versionOfSealed,
} from "../../../src/version/record.ts";
import { RecordLayout } from "../../../src/version/record-layout.ts";
import { causalHashOfSealed } from "../../../src/version/sealed-causal-hash.ts";
import { SealedChange } from "../../../src/version/sealed-change.ts";
import { newerRecord } from "../../../src/version/sealed-merge.ts";
import type { Sibling, Superseded } from "../../../src/version/sibling-set.ts";
import { causalHash, SiblingSet } from "../../../src/version/sibling-set.ts";
import type { Dot } from "../../../src/version/version-vector.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";
import { anySet } from "../../support/any-set.ts";
import { fromHex, hash64Hex, readVectors } from "../../support/vectors.ts";
import type { Step } from "../../support/version-world.ts";
import { idOf, VersionWorld } from "../../support/version-world.ts";

const key = utf8("\u0005cartsuser:42");

/** A sealed record around any body. */
function sealBody(body: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(recordHeaderBytes + body.length);
  sealed.set(body, recordHeaderBytes);
  sealed[0] = 1;
  new DataView(sealed.buffer).setUint32(4, crc32c(body, 0, body.length), true);
  return sealed;
}

function sealHex(hex: string): Uint8Array {
  return sealBody(fromHex(hex.replaceAll(" ", "")));
}

describe("a sealed record", () => {
  it("is these bytes for ever", () => {
    const vectors = readVectors<{ what: string; sealed: string; siblings: number; version: number[] }[]>("records");
    expect(vectors.length).toBeGreaterThan(4);
    for (const { what, sealed, siblings, version } of vectors) {
      const bytes = fromHex(sealed);
      expect(checkRecord(bytes), what).toBeNull();
      expect(hexOf(sealRecord(openRecord(bytes))), what).toBe(sealed);
      expect(siblingCount(bytes), what).toBe(siblings);
      expect(versionOfSealed(bytes).words, what).toEqual(version);
    }
  });

  it("opens to what was sealed", () => {
    fc.assert(
      fc.property(anySet, (set) => {
        const sealed = sealRecord(set);
        expect(checkRecord(sealed)).toBeNull();
        const opened = openRecord(sealed);
        expect(opened).toEqual(set);
        expect(decodeRecordBody(recordBody(sealed))).toEqual(set);
        expect(versionOfSealed(sealed).words).toEqual(set.version.words);
        expect(siblingCount(sealed)).toBe(set.siblings.length);
      }),
      { numRuns: 300 },
    );
  });

  it("gives views, not copies", () => {
    const set = openRecord(sealRecord(new VersionWorld(1, false).step([0, 0, 0, 0]).pair.set));
    const sealed = sealRecord(set);
    expect(openRecord(sealed).siblings[0]?.value.buffer).toBe(sealed.buffer);
  });

  it("of an empty set is its header", () => {
    expect(hexOf(sealRecord(SiblingSet.empty))).toBe("0100000000000000");
    expect(openRecord(sealRecord(SiblingSet.empty))).toBe(SiblingSet.empty);
  });

  it("is checked: length, format, header, checksum", () => {
    const good = sealRecord(new VersionWorld(1, false).step([0, 0, 0, 0]).pair.set).slice();
    const changed = (at: number, to: number): Uint8Array => {
      const copy = good.slice();
      copy[at] = to;
      return copy;
    };
    expect(checkRecord(good.subarray(0, 7))).toBe("a record of 7 bytes is shorter than its header");
    expect(checkRecord(changed(0, 3))).toBe("record format 3 is unknown here (known: 1, 2)");
    expect(checkRecord(changed(2, 1))).toBe("the record's header is damaged");
    for (let at = 4; at < good.length; at += 1) {
      expect(checkRecord(changed(at, (good[at] as number) ^ 0x10))).toContain("checksum");
    }
    expect(checkRecord(good.subarray(0, good.length - 1))).toContain("checksum");
    for (const bad of [good.subarray(0, 7), changed(0, 3), changed(2, 1)]) {
      for (const use of [openRecord, versionOfSealed, siblingCount]) expect(() => use(bad)).toThrow(RecordError);
      expect(() => mergeSealed(good, bad)).toThrow(RecordError);
      expect(() => causalHashOfSealed(bad, key, new Hash64())).toThrow(RecordError);
    }
  });

  it("is equal to another by length, checksum and version", () => {
    const world = new VersionWorld(1, false);
    const a = sealRecord(world.step([0, 0, 0, 0]).pair.set);
    const b = sealRecord(world.step([0, 0, 0, 0]).pair.set);
    expect(equalSealed(a, a.slice())).toBe(true);
    expect(equalSealed(a, b)).toBe(false);
    for (const at of [0, 5, 9, 10, 21]) {
      const other = a.slice();
      other[at] = (other[at] as number) ^ 1;
      expect(equalSealed(a, other)).toBe(false);
      expect(equalSealed(other, a)).toBe(false);
    }
  });
});

interface PbfRecord {
  version: number[];
  siblings: { dots: number[]; request_id: Uint8Array; value?: Uint8Array; tombstone: boolean; second: number }[];
  recent: { request_id: Uint8Array; dots: number[]; second: number }[];
}

const { readRecord, writeRecord } = compile(
  schema.parse(readFileSync(new URL("../../../schema/common.proto", import.meta.url), "utf8")),
) as { readRecord(pbf: PbfReader): PbfRecord; writeRecord(record: PbfRecord, pbf: PbfWriter): void };

function wordsOf(dots: SiblingSet["siblings"][number]["dots"]): number[] {
  return dots.flatMap(({ counter, actorLow, actorHigh }) => [counter, actorLow, actorHigh]);
}

/** The set as the schema describes it. */
function plainOf(set: SiblingSet): PbfRecord {
  return {
    version: set.version.words.map((word) => word >>> 0),
    siblings: set.siblings.map(({ dots, requestId, value, tombstone, second }) => {
      return { dots: wordsOf(dots), request_id: requestId, value, tombstone, second };
    }),
    recent: set.recent.map(({ dots, requestId, second }) => ({ request_id: requestId, dots: wordsOf(dots), second })),
  };
}

describe("a second protobuf implementation", () => {
  it("reads what we write", () => {
    fc.assert(
      fc.property(anySet, (set) => {
        const read = readRecord(new PbfReader(recordBody(sealRecord(set)).slice()));
        for (const sibling of read.siblings) sibling.value ??= new Uint8Array(0);
        expect(read.version).toEqual(plainOf(set).version);
        expect(read.siblings.map((sibling) => ({ ...sibling }))).toEqual(plainOf(set).siblings);
        expect(read.recent.map((entry) => ({ ...entry }))).toEqual(plainOf(set).recent);
      }),
      { numRuns: 200 },
    );
  });

  it("writes what we read, to the byte", () => {
    fc.assert(
      fc.property(anySet, (set) => {
        const plain = plainOf(set);
        for (const sibling of plain.siblings) if (sibling.value?.length === 0) delete sibling.value;
        const pbf = new PbfWriter();
        writeRecord(plain, pbf);
        const body = pbf.finish();
        expect(decodeRecordBody(body)).toEqual(set);
        expect(hexOf(body)).toBe(hexOf(recordBody(sealRecord(set))));
      }),
      { numRuns: 200 },
    );
  });
});

const id = "12 10 000102030405060708090a0b0c0d0e0f";
const dotA = "01000000 02000000 03000000";
const dotB = "01000000 02000000 04000000";
const version = `0a 18 ${dotA} ${dotB}`;

describe("the decoder", () => {
  it("takes unpacked words, fields of later versions, and the last of a repeated field", () => {
    const plain = sealHex(`${version} 12 25 0a0c ${dotA} ${id} 1a 03 616263`);
    const odd = sealHex(
      `0d 01000000 0d 02000000 0d 03000000 0a 0c ${dotB} 20 07 29 0001020304050607 32 02 ffff 3d 00000000
       12 40 0d 01000000 0d 02000000 0d 03000000 12 10 ${"ff".repeat(16)} ${id} 1a 01 00 1a 03 616263 30 ff01 20 00`.replaceAll(
        "\n",
        " ",
      ),
    );
    expect(openRecord(odd)).toEqual(openRecord(plain));
    expect(siblingCount(odd)).toBe(1);
    expect(versionOfSealed(odd).words).toEqual(versionOfSealed(plain).words);
    expect(mergeSealed(plain, odd)).toBe(plain);
    const [a, b] = [new Hash64(), new Hash64()];
    causalHashOfSealed(odd, key, a);
    causalHashOfSealed(plain, key, b);
    expect(a).toEqual(b);
  });

  const refused: [string, string, string][] = [
    ["a group", "0b", "not of its type"],
    ["the end of a group", `${version} 24`, "invalid field tag"],
    ["an unknown group", "23", "invalid field tag"],
    ["wire type 6", "26", "invalid field tag"],
    ["wire type 7", "27", "invalid field tag"],
    ["field number 0", "02 00", "not of its type"],
    ["a known field of another type", "08 01", "not of its type"],
    ["a tag of more than 32 bits", "8a ff ff ff ff 01 00", "invalid field tag"],
    ["a number without an end", "20 ffffffffffffffffffff", "more than ten bytes"],
    ["a cut number", "20 ff", "cut off"],
    ["a cut word", "0d 000000", "cut off"],
    ["a cut unknown field", "29 00", "cut off"],
    ["a length beyond the end", "0a 0d 00", "longer than what holds it"],
    ["a length of 2^32", "12 80 80 80 80 10", "longer than what holds it"],
    ["a packed field of 11 bytes", "0a 0b 0102030405060708090a0b", "wrong size"],
    ["a version of two words", "0a 08 0100000001000000", "not in order"],
    ["a version out of order", `0a 18 ${dotB} ${dotA}`, "not in order"],
    ["an actor twice", `0a 18 ${dotA} ${dotA}`, "not in order"],
    ["a counter of 0", "0a 0c 00000000 01000000 01000000", "not in order"],
    ["a sibling without dots", `${version} 12 12 ${id}`, "not a list of dots"],
    ["a sibling with half a dot", `${version} 12 1c 0a 08 0100000002000000 ${id}`, "not a list of dots"],
    ["a sibling's dot of counter 0", `${version} 12 20 0a0c 000000000200000003000000 ${id}`, "counter 0"],
    ["dots out of order", `${version} 12 2c 0a18 ${dotB} ${dotA} ${id}`, "dots are not in order"],
    ["a sibling without an id", `${version} 12 0e 0a0c ${dotA}`, "a request id of 0 bytes"],
    ["an id of 2 bytes", `${version} 12 12 0a0c ${dotA} 1202 0000`, "a request id of 2 bytes"],
    ["siblings out of order", `${version} 12 20 0a0c ${dotB} ${id} 12 20 0a0c ${dotA} ${id}`, "siblings are not in"],
    ["a sibling twice", `${version} 12 20 0a0c ${dotA} ${id} 12 20 0a0c ${dotA} ${id}`, "siblings are not in order"],
    ["a sibling that is not covered", `0a 0c ${dotA} 12 20 0a0c ${dotB} ${id}`, "does not cover"],
    ["a field longer than its message", `${version} 12 22 0a0c ${dotA} ${id} 1a01`, "longer than what holds it"],
    ["a superseded write without an id", `${version} 1a 0e 120c ${dotA}`, "a request id of 0 bytes"],
    [
      "recent writes out of order",
      `${version} ${"1a 20 0a 10 ".concat("00".repeat(16), ` 12 0c ${dotA} `).repeat(2)}`,
      "recent",
    ],
    ["recent writes without a version", `1a 20 0a 10 ${"00".repeat(16)} 12 0c ${dotA}`, "without a version"],
  ];
  for (const [what, hex, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => openRecord(sealHex(hex))).toThrow(RecordError);
      expect(() => openRecord(sealHex(hex))).toThrow(message);
      expect(new RecordLayout().read(sealHex(hex))).toBe(false);
    });
  }

  it("refuses more than it has bounds for", () => {
    const recent = (n: number): string => `1a 25 0a 10 ${"00".repeat(15)}0${n} 12 0c ${dotA} 1d 0${n}000000`;
    const five = [1, 2, 3, 4, 5].map(recent).join(" ");
    expect(openRecord(sealHex(`${version} ${five}`)).recent.length).toBe(5);
    const words = new Uint8Array(5 + 12 * 4097);
    words.set([0x0a, 0x8c, 0x80, 0x03]);
    expect(() => decodeRecordBody(words.subarray(0, 4 + 12 * 4097))).toThrow("more than 4096 dots");
  });

  /** What each reader of records says of these bytes: a value, or a RecordError; anything else is thrown on. */
  function survives(bytes: Uint8Array, other: Uint8Array): boolean {
    const out = new Hash64();
    let opened = true;
    const readers: (() => unknown)[] = [
      () => openRecord(bytes),
      () => versionOfSealed(bytes),
      () => siblingCount(bytes),
      () => mergeSealed(bytes, other),
      () => mergeSealed(other, bytes),
      () => causalHashOfSealed(bytes, key, out),
    ];
    readers.forEach((read, i) => {
      try {
        read();
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        if (i === 0) opened = false;
      }
    });
    if (new RecordLayout().read(bytes) && !opened) throw new Error("a plain record does not open");
    return opened;
  }

  it("gives a set or a RecordError for every cut and every mutation of a record", () => {
    const mutation = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }));
    let opened = 0;
    let refusedCount = 0;
    fc.assert(
      fc.property(
        anySet,
        anySet,
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        (set, set2, hits, cut) => {
          const other = sealRecord(set2);
          const good = sealRecord(set);
          const bad = good.slice();
          for (const [at, flip] of hits) {
            const place = recordHeaderBytes + (at % Math.max(1, bad.length - recordHeaderBytes));
            if (place < bad.length) bad[place] = (bad[place] as number) ^ flip;
          }
          for (const bytes of [bad, good.subarray(0, cut % (good.length + 1))]) {
            if (survives(bytes, other)) {
              opened += 1;
              const again = sealRecord(openRecord(bytes));
              expect(sealRecord(openRecord(again))).toEqual(again);
            } else refusedCount += 1;
          }
        },
      ),
      { numRuns: 600 },
    );
    expect(opened).toBeGreaterThan(100);
    expect(refusedCount).toBeGreaterThan(100);
  });

  it("gives a set or a RecordError for arbitrary bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), anySet, (bytes, set) => {
        survives(bytes, sealRecord(set));
        survives(sealBody(bytes), sealRecord(set));
      }),
      { numRuns: 600 },
    );
  });
});

const operand = fc.nat({ max: 255 });
const steps = fc.array(fc.tuple(fc.nat({ max: 8 }), operand, operand, operand), { maxLength: 30, size: "max" });
const reachablePair = fc.tuple(steps, operand, operand).map(([list, a, b]: [Step[], number, number]) => {
  const world = new VersionWorld(3, true);
  world.run(list);
  const at = (i: number): SiblingSet => (world.states[i % world.states.length] as { set: SiblingSet }).set;
  return [at(a), at(b)] as const;
});

/** mergeSealed must be the merge, and one of its arguments exactly where that is the merge. */
function expectMerge(x: SiblingSet, y: SiblingSet): "kept" | "made" {
  const stored = sealRecord(x);
  const incoming = sealRecord(y);
  const result = mergeSealed(stored, incoming);
  const expected = sealRecord(openRecord(stored).merge(openRecord(incoming)));
  expect(hexOf(result)).toBe(hexOf(expected));
  expect(result === stored || result === incoming).toBe(
    equalSealed(expected, stored) || equalSealed(expected, incoming),
  );
  return result === stored || result === incoming ? "kept" : "made";
}

describe("mergeSealed", () => {
  it("is the merge of what replicas go through", () => {
    const seen = { kept: 0, made: 0 };
    fc.assert(
      fc.property(reachablePair, ([x, y]) => {
        seen[expectMerge(x, y)] += 1;
      }),
      { numRuns: 400 },
    );
    expect(Math.min(seen.kept, seen.made)).toBeGreaterThan(20);
  });

  it("is the merge of any two records, likely or not", () => {
    const seen = { kept: 0, made: 0 };
    fc.assert(
      fc.property(anySet, anySet, (x, y) => {
        seen[expectMerge(x, y)] += 1;
        const newer = newerRecord(sealRecord(x), sealRecord(y));
        if (newer !== null) expect(hexOf(newer)).toBe(hexOf(sealRecord(x.merge(y))));
      }),
      { numRuns: 1000 },
    );
    expect(Math.min(seen.kept, seen.made)).toBeGreaterThan(50);
  });

  it("knows a successor by its bytes, in either place", () => {
    const world = new VersionWorld(1, false);
    let before = sealRecord(world.step([0, 0, 0, 0]).pair.set).slice();
    for (let i = 0; i < 10; i += 1) {
      // A put with what is there, a blind put, and so on: each record is the one before it plus one write.
      const after = sealRecord(world.step([i % 2 === 0 ? 0 : 3, 0, 0, 1]).pair.set).slice();
      expect(newerRecord(before, after)).toBe(after);
      expect(newerRecord(after, before)).toBe(after);
      before = after;
    }
  });
});

describe("the byte path of mergeSealed leaves to the real merge", () => {
  const at = (node: number, counter: number): Dot => ({ actorHigh: node << 16, actorLow: 0, counter });
  const vector = VersionVector.empty.with(at(1, 9)).with(at(2, 9));
  const sibling = (id: string, ...dots: Dot[]): Sibling => {
    return { dots, requestId: idOf(id), value: utf8(id), tombstone: false, second: 50, stamp: 0 };
  };
  const gone = (id: string, second: number, ...dots: Dot[]): Superseded => ({ requestId: idOf(id), dots, second });
  const four = [1, 2, 3, 4].map((n) => gone(`r${n}`, 100 + n, at(1, n)));

  it("a twin whose brother the older record remembers as superseded, and the newer has forgotten", () => {
    const older = new SiblingSet(VersionVector.empty.with(at(1, 9)), [], [gone("a", 7, at(1, 5))]);
    const newer = new SiblingSet(vector, [sibling("a", at(2, 9))], four);
    expect(expectMerge(older, newer)).toBe("made");
    expect(older.merge(newer).siblings).toEqual([]);
  });

  it("a twin whose brother the older record holds and the newer has superseded", () => {
    const older = new SiblingSet(VersionVector.empty.with(at(1, 9)), [sibling("a", at(1, 5))], []);
    const newer = new SiblingSet(vector, [sibling("a", at(2, 9))], []);
    expect(expectMerge(older, newer)).toBe("made");
    expect(older.merge(newer).siblings).toEqual([]);
  });

  it("a remembered write of the same second as the oldest that the newer record remembers", () => {
    const older = new SiblingSet(VersionVector.empty.with(at(2, 8)), [], [gone("a", 101, at(2, 8))]);
    expect(expectMerge(older, new SiblingSet(vector, [sibling("b", at(2, 9))], four))).toBe("made");
  });

  it("one dot in two siblings", () => {
    const both = [sibling("a", at(1, 1), at(1, 2)), sibling("b", at(1, 2))];
    const older = new SiblingSet(vector, both, []);
    const newer = new SiblingSet(vector.with(at(2, 10)), both.slice(0, 1), []);
    expect(expectMerge(older, newer)).toBe("made");
    expect(older.merge(newer).siblings.length).toBe(2);
  });
});

describe("SealedChange", () => {
  const [before, after, hash] = [new Hash64(), new Hash64(), new Hash64()];
  const change = new SealedChange(before, after);

  /** Holds what it reads from the bytes against the opened records. */
  function expectChange(mine: SiblingSet, theirs: SiblingSet, actor: Dot): void {
    const [stored, incoming] = [sealRecord(mine), sealRecord(theirs)];
    change.read(stored, incoming, key, actor.actorHigh, actor.actorLow);
    const merged = mine.merge(theirs);
    expect(hexOf(change.merged)).toBe(hexOf(sealRecord(merged)));
    const counter = (set: SiblingSet): number => set.version.counterOf(actor.actorHigh, actor.actorLow);
    expect(change.showsMore).toBe(counter(theirs) > counter(mine));
    if (change.merged === stored) return;
    causalHash(mine, key, hash);
    expect(hash64Hex(before)).toBe(hash64Hex(hash));
    causalHash(merged, key, hash);
    expect(hash64Hex(after)).toBe(hash64Hex(hash));
  }

  it("is what opening both records says, of those that replicas meet and of any other", () => {
    fc.assert(
      fc.property(fc.oneof(reachablePair, fc.tuple(anySet, anySet)), fc.nat(), ([mine, theirs], pick) => {
        if (mine.isEmpty || theirs.isEmpty) return;
        const { words } = pick % 2 === 0 ? theirs.version : mine.version;
        const at = 3 * (pick % (words.length / 3));
        const [counter, low, high] = words.slice(at, at + 3) as [number, number, number];
        expectChange(mine, theirs, { actorHigh: high >>> 0, actorLow: low >>> 0, counter });
      }),
      { numRuns: 1000 },
    );
  });

  it("refuses what is no record, and a record that says nothing", () => {
    const good = sealRecord(new VersionWorld(1, false).step([0, 0, 0, 0]).pair.set);
    for (const bad of [good.slice(0, 20), sealRecord(SiblingSet.empty)]) {
      expect(() => change.read(good, bad, key, 0, 0)).toThrow(RecordError);
    }
    expect(() => change.read(good.slice(0, 20), good, key, 0, 0)).toThrow(RecordError);
  });
});

describe("causalHashOfSealed", () => {
  it("is the causal hash of the opened record", () => {
    const [a, b] = [new Hash64(), new Hash64()];
    fc.assert(
      fc.property(anySet, (set) => {
        causalHashOfSealed(sealRecord(set), key, a);
        causalHash(set, key, b);
        expect(hash64Hex(a)).toBe(hash64Hex(b));
      }),
      { numRuns: 300 },
    );
  });
});
