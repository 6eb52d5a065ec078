/** Messages about choosing rings as frames and back, and the acceptor's memory as a file: nothing is lost on the way. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeNumber } from "../../../src/base/ids.ts";
import type { BallotMemory, DecreeVotes } from "../../../src/ring/consensus-acceptor.ts";
import { noMemory } from "../../../src/ring/consensus-acceptor.ts";
import {
  type AcceptedRing,
  type Ballot,
  type RingMessage,
  type RingMessageBody,
  type RingStamp,
  refusalReasons,
} from "../../../src/ring/consensus-messages.ts";
import { encode } from "../../../src/wire/codec.ts";
import { Frame } from "../../../src/wire/frame.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { RingDigest, RingRefusal } from "../../../src/wire/gen/codecs.ts";
import {
  decodeBallotMemory,
  encodeBallotMemory,
  readRingMessage,
  sendRingMessage,
} from "../../../src/wire/ring-messages.ts";
import { WireError } from "../../../src/wire/wire-error.ts";
import { enumOf } from "./schema.ts";

const word = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
const ballot: fc.Arbitrary<Ballot> = fc.record({ round: word, node: fc.integer({ min: 0, max: 65_535 }) });
const accepted: fc.Arbitrary<AcceptedRing | null> = fc.option(fc.record({ ballot, bytes }));
const lost = fc.array(fc.integer({ min: 1, max: 65_535 }), { maxLength: 5 }) as fc.Arbitrary<NodeNumber[]>;
const decree = { base: word, target: word, lost };
const stamp: fc.Arbitrary<RingStamp> = fc.record({
  epoch: word,
  hashHigh: word,
  hashLow: word,
  votes: word,
  life: word,
});
const body: fc.Arbitrary<RingMessageBody> = fc.oneof(
  fc.record({ kind: fc.constant("digest" as const) }),
  fc.record({ kind: fc.constant("pull" as const) }),
  fc.record({ kind: fc.constant("chosen" as const), bytes }),
  fc.record({ kind: fc.constant("prepare" as const), ...decree, ballot }),
  fc.record({ kind: fc.constant("promise" as const), target: word, ballot, accepted, acceptedNext: accepted }),
  fc.record({ kind: fc.constant("accept" as const), ...decree, ballot, bytes }),
  fc.record({ kind: fc.constant("accepted" as const), target: word, ballot }),
  fc.record({
    kind: fc.constant("refusal" as const),
    target: word,
    ballot,
    reason: fc.constantFrom(...refusalReasons),
    promised: ballot,
  }),
);

interface SentFrame {
  readonly type: number;
  readonly body: Uint8Array;
}

function frameOf(message: RingMessage): SentFrame {
  const frames: SentFrame[] = [];
  const sent = sendRingMessage(message, (type, codec, fields) => {
    frames.push({ type, body: encode(codec, fields) });
    return true;
  });
  expect(sent).toBe(true);
  expect(frames.length).toBe(1);
  return frames[0] as SentFrame;
}

describe("messages about rings", () => {
  it("come out as they went in, and keep no view of the frame", () => {
    const law = fc.property(body, stamp, (inside, at) => {
      const message: RingMessage = { ...inside, stamp: at };
      const frame = frameOf(message);
      const chunk = new Uint8Array(frame.body.length + 9).fill(0xee);
      chunk.set(frame.body, 4);
      const lent = new Frame(frame.type, 0, 0, chunk);
      lent.start = 4;
      lent.end = 4 + frame.body.length;
      const read = readRingMessage(lent);
      chunk.fill(0);
      expect(read).toEqual(message);
    });
    fc.assert(law, { numRuns: 300 });
  });

  it("each have a frame type of their own, and other types are none of them", () => {
    const at = { epoch: 1, hashHigh: 2, hashLow: 3, votes: 4, life: 5 };
    expect(frameOf({ kind: "digest", stamp: at }).type).toBe(FrameType.RING_DIGEST);
    expect(frameOf({ kind: "pull", stamp: at }).type).toBe(FrameType.RING_PULL);
    expect(readRingMessage(new Frame(FrameType.GET))).toBeNull();
  });

  it("tell whether the writer took them", () => {
    const at = { epoch: 1, hashHigh: 2, hashLow: 3, votes: 4, life: 5 };
    expect(sendRingMessage({ kind: "digest", stamp: at }, () => false)).toBe(false);
  });

  it("are refused without a stamp, or with a reason from the future", () => {
    const empty = encode(RingDigest, {});
    expect(() => readRingMessage(new Frame(FrameType.RING_DIGEST, 0, 0, empty))).toThrow(WireError);
    const unknown = encode(RingRefusal, { stamp: { epoch: 1 }, reason: 7 });
    expect(() => readRingMessage(new Frame(FrameType.RING_REFUSAL, 0, 0, unknown))).toThrow("unknown reason 7");
  });

  it("number reasons as the schema does", () => {
    const numbers = enumOf("RingRefusalReason");
    const names = refusalReasons.map((reason) => reason.toUpperCase().replace("-", "_"));
    expect(names.map((name) => numbers[name])).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

describe("the ballot file", () => {
  it("gives the memory back", () => {
    const votes: fc.Arbitrary<DecreeVotes> = fc.record({ promised: ballot, accepted });
    const memory: fc.Arbitrary<BallotMemory> = fc.record({
      ...{ epoch: word, votes: word, silent: fc.boolean(), next: votes, recovery: votes, lost },
      recovering: fc.boolean(),
    });
    fc.assert(fc.property(memory, (held) => void expect(decodeBallotMemory(encodeBallotMemory(held))).toEqual(held)));
    expect(decodeBallotMemory(encodeBallotMemory(noMemory(7, 3, false)))).toEqual(noMemory(7, 3, false));
  });
});
