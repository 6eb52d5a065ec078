/** One node's votes: promises and accepted rings in the usual decree and in a recovery, and how the two exclude each other. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeNumber } from "../../../src/base/ids.ts";
import { Acceptor, noMemory } from "../../../src/ring/consensus-acceptor.ts";
import type { RingAcceptMessage, RingMessageBody, RingPrepareMessage } from "../../../src/ring/consensus-messages.ts";
import { compareBallots, noBallot, recoveryStep } from "../../../src/ring/consensus-messages.ts";
import { majorityOf, Round } from "../../../src/ring/consensus-round.ts";

const base = 5;

function prepare(round: number, node: number, lost: readonly number[] = []): RingPrepareMessage {
  const target = base + (lost.length > 0 ? recoveryStep : 1);
  return { kind: "prepare", base, target, lost: lost as NodeNumber[], ballot: { round, node } };
}

function accept(round: number, node: number, byte: number, lost: readonly number[] = []): RingAcceptMessage {
  return { ...prepare(round, node, lost), kind: "accept", bytes: Uint8Array.of(byte) };
}

function reasonOf(reply: RingMessageBody): string {
  return reply.kind === "refusal" ? reply.reason : reply.kind;
}

function acceptor(): Acceptor {
  return new Acceptor(noMemory(base, 0, false));
}

describe("an acceptor", () => {
  it("promises rising ballots, the same one again, and tells what it accepted", () => {
    const one = acceptor();
    expect(one.onPrepare(prepare(2, 1))).toMatchObject({ save: true, reply: { kind: "promise", accepted: null } });
    expect(one.onPrepare(prepare(2, 1)).reply.kind).toBe("promise");
    expect(one.onPrepare(prepare(1, 9)).reply).toMatchObject({ reason: "promised", promised: { round: 2, node: 1 } });
    expect(one.onAccept(accept(2, 1, 7)).reply).toEqual({ kind: "accepted", target: 6, ballot: { round: 2, node: 1 } });
    const reply = one.onPrepare(prepare(2, 2)).reply;
    expect(reply).toMatchObject({ accepted: { ballot: { round: 2, node: 1 }, bytes: Uint8Array.of(7) } });
    expect(reasonOf(one.onAccept(accept(2, 1, 7)).reply)).toBe("promised");
    expect(one.memory.votes).toBe(4);
    expect(one.open).toBe("next");
  });

  it("accepts a ballot whose promise it missed, and saves nothing for a refusal", () => {
    const one = acceptor();
    expect(one.onAccept(accept(3, 1, 7)).save).toBe(true);
    expect(one.onPrepare(prepare(2, 5))).toMatchObject({ save: false, reply: { reason: "promised" } });
    expect(one.memory.next.promised).toEqual({ round: 3, node: 1 });
  });

  it("casts no vote once it is silent", () => {
    const one = acceptor();
    one.silence();
    for (const vote of [
      one.onPrepare(prepare(1, 1)),
      one.onAccept(accept(1, 1, 7)),
      one.onPrepare(prepare(1, 1, [2])),
    ]) {
      expect(reasonOf(vote.reply)).toBe("silent");
    }
  });

  it("in a recovery tells what it accepted before, and stands by the recovery it promised", () => {
    const one = acceptor();
    one.onAccept(accept(3, 1, 7));
    expect(one.onPrepare(prepare(1, 2, [3, 4])).reply).toMatchObject({
      accepted: null,
      acceptedNext: { ballot: { round: 3, node: 1 }, bytes: Uint8Array.of(7) },
    });
    expect(reasonOf(one.onAccept(accept(3, 1, 7)).reply)).toBe("recovering");
  });

  it("leaves a recovery for a usual ballot while nothing was accepted in it, and keeps the promises of both", () => {
    const one = acceptor();
    one.onPrepare(prepare(5, 1));
    one.onPrepare(prepare(1, 2, [3, 4]));
    expect(reasonOf(one.onPrepare(prepare(4, 1)).reply)).toBe("promised");
    expect(one.onPrepare(prepare(6, 1)).reply.kind).toBe("promise");
    expect(reasonOf(one.onAccept(accept(1, 2, 8, [3, 4])).reply)).toBe("recovering");
  });

  it("never leaves a recovery that it accepted", () => {
    const one = acceptor();
    one.onPrepare(prepare(1, 2, [3, 4]));
    expect(one.onAccept(accept(1, 2, 8, [3, 4])).reply.kind).toBe("accepted");
    expect(reasonOf(one.onPrepare(prepare(9, 1)).reply)).toBe("recovering");
    expect(reasonOf(one.onAccept(accept(9, 1, 7)).reply)).toBe("recovering");
    expect(one.open).toBe("recovery");
    expect(one.onPrepare(prepare(2, 1, [3, 4])).reply).toMatchObject({ accepted: { bytes: Uint8Array.of(8) } });
  });

  it("lets more members be declared lost, never fewer or others", () => {
    const one = acceptor();
    one.onPrepare(prepare(1, 2, [3, 4]));
    expect(reasonOf(one.onPrepare(prepare(2, 2, [3])).reply)).toBe("other-lost");
    expect(reasonOf(one.onPrepare(prepare(2, 2, [4, 5])).reply)).toBe("other-lost");
    expect(one.onPrepare(prepare(2, 2, [3, 4, 5])).reply.kind).toBe("promise");
    expect(reasonOf(one.onAccept(accept(3, 1, 8, [3, 4, 5, 6])).reply)).toBe("other-lost");
  });

  it("never goes below a promise, whatever it is asked", () => {
    const step = fc.record({
      kind: fc.constantFrom("prepare", "accept"),
      round: fc.integer({ min: 1, max: 4 }),
      node: fc.integer({ min: 1, max: 2 }),
      recovery: fc.boolean(),
    });
    const law = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const one = acceptor();
      for (const { kind, round, node, recovery } of steps) {
        const before = one.memory;
        const lost = recovery ? [3, 4] : [];
        const vote =
          kind === "prepare"
            ? one.onPrepare(prepare(round, node, lost))
            : one.onAccept(accept(round, node, round, lost));
        const held = recovery ? [before.recovery, one.memory.recovery] : [before.next, one.memory.next];
        const [was, is] = held as [typeof before.next, typeof before.next];
        expect(compareBallots(is.promised, was.promised)).toBeGreaterThanOrEqual(0);
        if (vote.reply.kind === "accepted")
          expect(compareBallots({ round, node }, was.promised)).toBeGreaterThanOrEqual(0);
        if (vote.reply.kind === "refusal") expect(one.memory).toBe(before);
        if (was.accepted !== null) expect(is.accepted).not.toBeNull();
      }
    });
    fc.assert(law, { numRuns: 200 });
  });
});

describe("a round", () => {
  const voters = [1, 2, 3, 4] as NodeNumber[];
  const decree = { base, target: base + 1, lost: [] };

  it("needs more than half of the voters, each counted once, and nobody else", () => {
    expect([1, 2, 3, 4, 5].map(majorityOf)).toEqual([1, 2, 2, 3, 3]);
    const round = new Round(decree, { round: 1, node: 1 }, voters);
    round.phase = "preparing";
    expect(round.onPromise(1 as NodeNumber, null, null)).toBe(false);
    expect(round.onPromise(1 as NodeNumber, null, null)).toBe(false);
    expect(round.onPromise(9 as NodeNumber, null, null)).toBe(false);
    expect(round.onPromise(2 as NodeNumber, null, null)).toBe(false);
    expect(round.silentVoters()).toEqual([3, 4]);
    expect(round.onPromise(3 as NodeNumber, null, null)).toBe(true);
    round.proposeRing(Uint8Array.of(1));
    expect(round.silentVoters()).toEqual(voters);
    expect([1, 2, 2, 9].map((number) => round.onAccepted(number as NodeNumber))).toEqual([false, false, false, false]);
    expect(round.onAccepted(4 as NodeNumber)).toBe(true);
  });

  it("keeps the accepted ring of the highest ballot", () => {
    const round = new Round(decree, { round: 9, node: 1 }, voters);
    const held = (r: number, node: number): { ballot: { round: number; node: number }; bytes: Uint8Array } => {
      return { ballot: { round: r, node }, bytes: Uint8Array.of(r, node) };
    };
    round.onPromise(1 as NodeNumber, held(2, 3), null);
    round.onPromise(2 as NodeNumber, null, held(1, 1));
    round.onPromise(3 as NodeNumber, held(2, 1), null);
    expect(round.accepted).toEqual(held(2, 3));
    expect(round.acceptedNext).toEqual(held(1, 1));
    expect(round.is(base + 1, { round: 9, node: 1 })).toBe(true);
    expect(round.is(base + 1, noBallot)).toBe(false);
  });
});
