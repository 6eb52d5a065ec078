/**
 * Messages about choosing rings (`ring/consensus-messages.ts`) as frames and back, and the acceptor's memory as the
 * payload of its state file. They are one-way frames with frame id 0. What is read here is copied: the consensus keeps it.
 */
import { noBytes } from "../base/bytes.ts";
import { type NodeNumber, nodeNumber } from "../base/ids.ts";
import type { BallotMemory, DecreeVotes } from "../ring/consensus-acceptor.ts";
import {
  type AcceptedRing,
  type Ballot,
  noBallot,
  type RingMessage,
  type RingMessageBody,
  type RingStamp,
  refusalReasons,
} from "../ring/consensus-messages.ts";
import { decode, encode, type Fields, type MessageCodec } from "./codec.ts";
import type { Frame } from "./frame.ts";
import { FrameType } from "./frame-types.ts";
import {
  BallotFile,
  RingAccept,
  RingAccepted,
  type RingBallot,
  RingChosen,
  RingDigest,
  RingPrepare,
  RingPromise,
  RingPull,
  RingRefusal,
  type RingStamp as RingStampMessage,
} from "./gen/codecs.ts";
import { WireError } from "./wire-error.ts";

/** Sends a frame: what `FrameWriter.send` does with type, codec and message. */
export type SendRingFrame = <T>(type: FrameType, codec: MessageCodec<T>, message: Fields<T>) => boolean;

/** Gives the frame of a message to `send`, and returns what that returns. */
export function sendRingMessage(message: RingMessage, send: SendRingFrame): boolean {
  const { stamp } = message;
  switch (message.kind) {
    case "digest":
      return send(FrameType.RING_DIGEST, RingDigest, { stamp });
    case "pull":
      return send(FrameType.RING_PULL, RingPull, { stamp });
    case "chosen":
      return send(FrameType.RING_CHOSEN, RingChosen, { stamp, ring: message.bytes });
    case "prepare": {
      const { base, target, lost, ballot } = message;
      return send(FrameType.RING_PREPARE, RingPrepare, { stamp, base, target, lost, ballot });
    }
    case "promise": {
      const { target, ballot, accepted, acceptedNext } = message;
      return send(FrameType.RING_PROMISE, RingPromise, {
        ...{ stamp, target, ballot, accepted: accepted?.ballot ?? null, ring: accepted?.bytes ?? noBytes },
        ...{ acceptedNext: acceptedNext?.ballot ?? null, ringNext: acceptedNext?.bytes ?? noBytes },
      });
    }
    case "accept": {
      const { base, target, lost, ballot, bytes } = message;
      return send(FrameType.RING_ACCEPT, RingAccept, { stamp, base, target, lost, ballot, ring: bytes });
    }
    case "accepted":
      return send(FrameType.RING_ACCEPTED, RingAccepted, { stamp, target: message.target, ballot: message.ballot });
    case "refusal": {
      const { target, ballot, promised } = message;
      const reason = 1 + refusalReasons.indexOf(message.reason);
      return send(FrameType.RING_REFUSAL, RingRefusal, { stamp, target, ballot, reason, promised });
    }
  }
}

/**
 * The message in a frame's body, which is copied. Null if the type is none of these. Throws `WireError` or `RingtailError`
 * (`INVALID_ARGUMENT`) if the body makes no sense.
 */
export function readRingMessage(frame: Frame): RingMessage | null {
  const read = readers.get(frame.type);
  return read === undefined ? null : read(frame);
}

type Reader = (frame: Frame) => RingMessage;

const readers: ReadonlyMap<number, Reader> = new Map<number, Reader>([
  [FrameType.RING_DIGEST, reader(RingDigest, () => ({ kind: "digest" }))],
  [FrameType.RING_PULL, reader(RingPull, () => ({ kind: "pull" }))],
  [FrameType.RING_CHOSEN, reader(RingChosen, (body) => ({ kind: "chosen", bytes: body.ring.slice() }))],
  [FrameType.RING_PREPARE, reader(RingPrepare, (body) => ({ kind: "prepare", ...decreeOf(body) }))],
  [FrameType.RING_PROMISE, reader(RingPromise, promiseOf)],
  [
    FrameType.RING_ACCEPT,
    reader(RingAccept, (body) => ({ kind: "accept", ...decreeOf(body), bytes: body.ring.slice() })),
  ],
  [
    FrameType.RING_ACCEPTED,
    reader(RingAccepted, ({ target, ballot }) => ({ kind: "accepted", target, ballot: ballotOf(ballot) })),
  ],
  [FrameType.RING_REFUSAL, reader(RingRefusal, refusalOf)],
]);

function reader<T extends { readonly stamp: RingStampMessage | null }>(
  codec: MessageCodec<T>,
  open: (body: T) => RingMessageBody,
): Reader {
  return (frame) => {
    const body = frame.decode(codec);
    return { ...open(body), stamp: stampOf(body.stamp) };
  };
}

function stampOf(stamp: RingStampMessage | null): RingStamp {
  if (stamp === null) throw new WireError("a message about rings has no stamp");
  const { epoch, hashHigh, hashLow, votes, life } = stamp;
  return { epoch, hashHigh, hashLow, votes, life };
}

function ballotOf(ballot: RingBallot | null): Ballot {
  return ballot === null ? noBallot : { round: ballot.round, node: ballot.node };
}

function lostOf(lost: readonly number[]): readonly NodeNumber[] {
  return lost.map(nodeNumber);
}

function decreeOf(body: RingPrepare | RingAccept): {
  readonly base: number;
  readonly target: number;
  readonly ballot: Ballot;
  readonly lost: readonly NodeNumber[];
} {
  return { base: body.base, target: body.target, ballot: ballotOf(body.ballot), lost: lostOf(body.lost) };
}

function acceptedOf(ballot: RingBallot | null, ring: Uint8Array): AcceptedRing | null {
  return ballot === null ? null : { ballot: ballotOf(ballot), bytes: ring.slice() };
}

function promiseOf(body: RingPromise): RingMessageBody {
  return {
    kind: "promise",
    target: body.target,
    ballot: ballotOf(body.ballot),
    accepted: acceptedOf(body.accepted, body.ring),
    acceptedNext: acceptedOf(body.acceptedNext, body.ringNext),
  };
}

function refusalOf(body: RingRefusal): RingMessageBody {
  const reason = refusalReasons[body.reason - 1];
  if (reason === undefined) throw new WireError(`unknown reason ${body.reason} of a refused vote`);
  const promised = ballotOf(body.promised);
  return { kind: "refusal", target: body.target, ballot: ballotOf(body.ballot), reason, promised };
}

/** The payload of the state file "ballot". */
export function encodeBallotMemory(memory: BallotMemory): Uint8Array {
  const { epoch, votes, silent, next, recovery, lost, recovering } = memory;
  return encode(BallotFile, {
    ...{ epoch, votes, silent, lost, recovering },
    ...{ promised: next.promised, accepted: next.accepted?.ballot ?? null, ring: next.accepted?.bytes ?? noBytes },
    recoveryPromised: recovery.promised,
    recoveryAccepted: recovery.accepted?.ballot ?? null,
    recoveryRing: recovery.accepted?.bytes ?? noBytes,
  });
}

/** The memory in the payload of the state file "ballot", copied. Throws `WireError` if it makes no sense. */
export function decodeBallotMemory(payload: Uint8Array): BallotMemory {
  const file = decode(BallotFile, payload, 0, payload.length);
  const { epoch, votes, silent, recovering } = file;
  const next: DecreeVotes = { promised: ballotOf(file.promised), accepted: acceptedOf(file.accepted, file.ring) };
  const accepted = acceptedOf(file.recoveryAccepted, file.recoveryRing);
  const recovery: DecreeVotes = { promised: ballotOf(file.recoveryPromised), accepted };
  return { epoch, votes, silent, next, recovery, lost: lostOf(file.lost), recovering };
}
