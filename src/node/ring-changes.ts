/**
 * RingChanges: how a node comes by new rings, and how operators change them: the consensus (`ring/consensus.ts`) over
 * the peers' links, with its files; rings of peers that are ahead; RING_CHANGE; and the rings of a plan under way
 * (`ring-maker.ts`).
 *
 * A chosen ring is on disk before anybody acts on it. Chosen rings and outcomes come from inside the core, so they wait
 * for `settle`.
 */
import { codeOf, RingtailError, statusOk, wireOf } from "../base/errors.ts";
import { type NodeNumber, nodeIdOf, nodeNumber } from "../base/ids.ts";
import { emptyList } from "../base/one-shape.ts";
import { Rng } from "../base/rng.ts";
import { after, type Instant, instant, never } from "../base/time.ts";
import type { RingDigest } from "../membership/own-member.ts";
import { changePolicy } from "../ring/bucket-change.ts";
import { RingProposals } from "../ring/consensus.ts";
import { type BallotMemory, noMemory } from "../ring/consensus-acceptor.ts";
import type { RingProposalsEffects } from "../ring/consensus-effects.ts";
import type { EncodedRing, RingMessage } from "../ring/consensus-messages.ts";
import { cancelPlan, commitPlan, type Newcomer, type Plan, stageChange, unstage } from "../ring/plan.ts";
import { recoveredRing } from "../ring/recovery.ts";
import type { BucketPolicy, Ring } from "../ring/ring.ts";
import { digestText } from "../ring/ring-digest.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType, RingChangeKind } from "../wire/frame-types.ts";
import {
  type BucketPolicy as BucketPolicyMessage,
  FetchRingReply,
  FetchRingRequest,
  type Member as MemberMessage,
  RingChangeReply,
  RingChangeRequest,
} from "../wire/gen/codecs.ts";
import { decodeRing, encodeRing, policyFromMessage, ringFromMessage, shortsFromBytes } from "../wire/ring-codec.ts";
import { readRingMessage, sendRingMessage } from "../wire/ring-messages.ts";
import { ballotBytes, encodedRingOf, loadBallot, ringBytes } from "./node-files.ts";
import { Part, type Route } from "./part.ts";
import type { Peer, Peers } from "./peers.ts";
import { seedOf } from "./random.ts";
import { RingMaker } from "./ring-maker.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import { Ticket } from "./ticket.ts";

/** A ring that is due and not this node's to make, or not yet, is looked at again after this. */
const makeEveryUs = 100_000;
/** Who waits for outcomes; the consensus takes one request at a time. */
const makerToken = 0;

const messageTypes: readonly number[] = [
  FrameType.RING_DIGEST,
  FrameType.RING_PULL,
  FrameType.RING_CHOSEN,
  FrameType.RING_PREPARE,
  FrameType.RING_PROMISE,
  FrameType.RING_ACCEPT,
  FrameType.RING_ACCEPTED,
  FrameType.RING_REFUSAL,
];

/** What a new ring causes in the rest of the node; called when the consensus is not on the stack. */
export interface RingChangesEffects {
  /** The ring is on disk: the whole node is to obey it. */
  adopt(now: Instant, ring: EncodedRing): void;
  /** This node is no member of that ring, which is on disk: it must not serve any more. */
  fence(now: Instant, reason: string, ring: EncodedRing): void;
}

interface Outcome {
  readonly token: number;
  readonly status: number;
  readonly message: string;
}

export class RingChanges extends Part implements RingProposalsEffects {
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #effects: RingChangesEffects;
  readonly #maker: RingMaker = new RingMaker();
  #core: RingProposals | undefined = undefined;
  #makeAt: Instant = instant(0);
  #tokens = makerToken;
  readonly #askers: Map<number, Ticket> = new Map();
  readonly #chosen: EncodedRing[] = emptyList();
  /** The ring that is to be saved. */
  #unsaved: { readonly ring: EncodedRing; readonly token: number } | undefined = undefined;
  readonly #outcomes: Outcome[] = emptyList();
  #fencing: EncodedRing | undefined = undefined;
  /** A ring of the maker's is being decided. */
  #making = false;
  #stopping = false;

  constructor(shared: NodeState, peers: Peers, effects: RingChangesEffects) {
    super();
    this.#shared = shared;
    this.#peers = peers;
    this.#effects = effects;
    shared.onNewerEpoch = (now, from, epoch) => this.#pullFrom(now, from, epoch);
    shared.onConfirmed = (now, transfers) => this.#maker.onConfirmed(now, transfers);
  }

  override get routes(): readonly Route[] {
    const messages = messageTypes.map((type): Route => ({ type, roles: ["node"] }));
    return [...messages, { type: FrameType.RING_CHANGE, roles: ["client"] }];
  }

  override get asks(): readonly number[] {
    return [FrameType.FETCH_RING, FrameType.RING_DIGEST, FrameType.RING_PULL];
  }

  override onRing(now: Instant, ring: Ring): void {
    this.#core ??= this.#newCore(ring);
    this.#maker.onRing(now, ring);
  }

  #newCore(ring: Ring): RingProposals {
    const { env, number, nodeId } = this.#shared;
    const { stateFiles } = env;
    // Votes that are lost may contradict the next ones, so there are no next ones.
    const lost = this.#shared.mayHaveVoted ? noMemory(ring.epoch, 0, true) : null;
    return new RingProposals({
      effects: this,
      self: number,
      nodeId,
      life: Math.max(1, seedOf(env.randomBytes(4))),
      rng: new Rng(seedOf(env.randomBytes(4))),
      codec: { decode: decodeRing, encode: encodeRing },
      ring: encodedRingOf(stateFiles, ring),
      memory: loadBallot(stateFiles) ?? lost,
      planRecovery: recoveredRing,
    });
  }

  override onStarted(now: Instant): void {
    this.#core?.start(now);
  }

  override onPeerUp(_now: Instant, number: NodeNumber): void {
    const peer = this.#peers.of(number);
    if (peer !== undefined && peer.epoch > this.#shared.epoch) fetchRing(peer);
  }

  /** A peer's ring is newer, as it says itself. */
  #pullFrom(now: Instant, from: NodeNumber, epoch: number): void {
    const core = this.#core;
    if (core !== undefined && epoch > core.ring.ring.epoch && from !== this.#shared.number)
      core.onDigest(now, from, epoch, 0, 0);
  }

  /** Membership has seen another ring than this node's. */
  onDigest(now: Instant, from: NodeNumber, { epoch, hashHigh, hashLow }: RingDigest): void {
    // A digest may be older than the ring that came meanwhile.
    const core = this.#core;
    if (core !== undefined && epoch >= core.ring.ring.epoch && from !== this.#shared.number)
      core.onDigest(now, from, epoch, hashHigh, hashLow);
  }

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    if (frame.type === FrameType.RING_CHANGE) {
      this.#onChange(now, new Ticket(session, frame), frame.decode(RingChangeRequest));
      return;
    }
    const message = readRingMessage(frame);
    if (message === null || session.number === 0) return;
    const peer = this.#peers.of(session.number);
    if (peer !== undefined) peer.epoch = Math.max(peer.epoch, message.stamp.epoch);
    this.#core?.onMessage(now, session.number, message);
  }

  override onReply(now: Instant, peer: Peer, frame: Frame): void {
    if (frame.answers !== FrameType.FETCH_RING) {
      // The peer obeys a ring in which this node is no member, which nobody could tell this node.
      if (frame.status === wireOf("PERMISSION_DENIED")) fetchRing(peer);
      return;
    }
    if (frame.status !== statusOk) return;
    const { ring } = frame.decode(FetchRingReply);
    if (ring !== null) this.#core?.learn(now, peer.number, encodeRing(ringFromMessage(ring)));
  }

  /** Throws `RingtailError` if there can be no such ring. */
  #onChange(now: Instant, asker: Ticket, request: RingChangeRequest): void {
    const core = this.#core;
    if (core === undefined || this.#shared.phase === "starting" || this.#stopping)
      throw new RingtailError("OVERLOADED", "this node does not serve now: ask another");
    if (request.kind === RingChangeKind.acceptRing) {
      this.#accept(now, core, asker, request.digest);
      return;
    }
    const token = this.#tokens + 1;
    if (request.kind === RingChangeKind.stageJoin) this.#refuseTaken(request.newcomer);
    if (request.kind === RingChangeKind.stageRemove && !request.althoughAlive) this.#refuseAlive(request.member);
    if (request.kind === RingChangeKind.recover) core.recover(now, token, request.lost.map(nodeNumber));
    else core.propose(now, token, nextRingOf(this.#shared.ring, request));
    this.#tokens = token;
    this.#askers.set(token, asker);
  }

  /** Of two rings of one epoch an operator names the one that counts. */
  #accept(now: Instant, core: RingProposals, asker: Ticket, digest: string): void {
    const { epoch } = core.ring.ring;
    const own = digestText(core.ring.hash);
    if (!core.accept(now, digest)) {
      const text = `this node's ring of epoch ${epoch} has the digest ${own}: it takes the next one that the others choose`;
      throw new RingtailError("INVALID_ARGUMENT", text);
    }
    this.#shared.journal.note("ring", `an operator has accepted the ring of epoch ${epoch} with the digest ${own}`);
    asker.answer(RingChangeReply, { epoch });
  }

  /** A newcomer at the address of a dead node may be its replacement; where a member answers it is a mistake. */
  #refuseTaken(newcomer: MemberMessage | null): void {
    const there = this.#peers.list.find(({ member }) => member.address === newcomer?.address);
    if (there?.state !== "ok") return;
    const { name, number, address } = there.member;
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `${name} (node ${number}) answers at ${address}: no other can join there`,
    );
  }

  /** Removing gives a node's copies up; one that answers can hand them over. */
  #refuseAlive(number: number): void {
    if (number !== this.#shared.number && this.#peers.of(number)?.state !== "ok") return;
    const leave = "`ringtail cluster leave` moves its copies to others first";
    const text = `node ${number} answers: ${leave}, \`remove --although-alive\` gives them up`;
    throw new RingtailError("INVALID_ARGUMENT", text);
  }

  override tick(now: Instant): void {
    const core = this.#core;
    if (core === undefined) return;
    if (core.nextTick() <= now) core.tick(now);
    if (this.#nextMake() <= now) this.#makeRing(now, core);
  }

  override nextTick(): Instant {
    if (this.#core === undefined || this.#stopping) return never;
    return instant(Math.min(this.#core.nextTick(), this.#nextMake()));
  }

  #nextMake(): Instant {
    return instant(Math.max(this.#maker.due, this.#makeAt));
  }

  #makeRing(now: Instant, core: RingProposals): void {
    this.#makeAt = after(now, makeEveryUs);
    const { phase, number, ringMaker } = this.#shared;
    if (this.#making || phase !== "serving" || !core.votes || ringMaker() !== number) return;
    const ring = this.#maker.next(now);
    if (ring === null) return;
    this.#making = true;
    core.propose(now, makerToken, ring);
  }

  override settle(now: Instant): void {
    for (let ring = this.#chosen.shift(); ring !== undefined; ring = this.#chosen.shift())
      this.#effects.adopt(now, ring);
    this.#saveRing();
    for (let outcome = this.#outcomes.shift(); outcome !== undefined; outcome = this.#outcomes.shift())
      this.#answer(now, outcome);
    const ring = this.#fencing;
    if (ring === undefined) return;
    this.#fencing = undefined;
    const known = ring.ring.members.some((member) => member.id === this.#shared.nodeId);
    const what = known ? "this node has left the cluster" : "the cluster does not know this node";
    this.#effects.fence(now, `${what} (epoch ${ring.ring.epoch}): to come back, it needs an empty directory`, ring);
  }

  #answer(now: Instant, { token, status, message }: Outcome): void {
    if (token === makerToken) {
      this.#making = false;
      if (status !== statusOk) this.#maker.again(now);
      return;
    }
    const asker = this.#askers.get(token);
    if (asker === undefined) return;
    this.#askers.delete(token);
    if (status === statusOk) {
      asker.answer(RingChangeReply, { epoch: this.#shared.epoch });
      return;
    }
    this.#shared.journal.note("plan", `a change of the ring was refused: ${codeOf(status)}: ${message}`);
    asker.fail(status, message);
  }

  override stop(): void {
    this.#stopping = true;
  }

  // What the consensus asks for.

  send(_now: Instant, to: NodeNumber, message: RingMessage): void {
    const peer = this.#peers.of(to);
    if (peer !== undefined) sendRingMessage(message, (type, codec, body) => peer.send(type, 0, codec, body));
  }

  saveBallot(_now: Instant, memory: BallotMemory, token: number): void {
    this.#shared.saves.save("ballot", ballotBytes(memory), (now) => this.#core?.onPersisted(now, token));
  }

  saveRing(_now: Instant, ring: EncodedRing, token: number): void {
    this.#unsaved = { ring, token };
  }

  /** In its turn: after the ring before it was obeyed, and what followed from that is on stable storage. */
  #saveRing(): void {
    if (this.#unsaved === undefined || !this.#shared.ringSettled()) return;
    const { ring, token } = this.#unsaved;
    this.#unsaved = undefined;
    this.#shared.saves.save("ring", ringBytes(ring.bytes), (now) => this.#core?.onPersisted(now, token));
  }

  chosen(_now: Instant, ring: EncodedRing): void {
    this.#chosen.push(ring);
  }

  fenced(_now: Instant, ring: EncodedRing): void {
    this.#fencing = ring;
  }

  decided(_now: Instant, token: number, status: number, message: string): void {
    this.#outcomes.push({ token, status, message });
  }

  conflict(_now: Instant, from: NodeNumber, epoch: number): void {
    const own = digestText(this.#shared.ringHash);
    const cure = `until "ringtail cluster accept-ring --digest" says which it is; this node's is ${own}`;
    this.#shared.env.log.error("two rings of one epoch: this node votes no more", { from, epoch, own });
    this.#shared.journal.note("ring", `node ${from} holds another ring of epoch ${epoch}: both vote no more ${cure}`);
  }

  rolledBack(_now: Instant, number: NodeNumber): void {
    const own = number === this.#shared.number;
    this.#shared.env.log.error("a node's votes about rings were lost: it votes no more, replace it", { number });
    const who = own ? "this node" : `node ${number}`;
    this.#shared.journal.note("ring", `the votes of ${who} were lost: it votes no more until it is replaced`);
  }
}

/** Asks in the way of clients: a node that has left is allowed no other, and must learn that it has. */
function fetchRing(peer: Peer): void {
  peer.send(FrameType.FETCH_RING, 0, FetchRingRequest, { epoch: 0 });
}

function newcomerOf(member: MemberMessage | null): Newcomer {
  if (member === null) throw new RingtailError("INVALID_ARGUMENT", "a join names the node that is to join");
  const { nodeId, name, address, host, zone, weight } = member;
  return { id: nodeIdOf(nodeId), name, address, host, zone, weight };
}

function planFrom({ plan, goal }: RingChangeRequest): Pick<Plan, "id" | "goal"> {
  return { id: plan, goal: shortsFromBytes("goal", goal) };
}

function policyOf(policy: BucketPolicyMessage | null): BucketPolicy {
  if (policy === null) throw new RingtailError("INVALID_ARGUMENT", "a change of a bucket brings its policy");
  return policyFromMessage(policy);
}

function nextRingOf(ring: Ring, request: RingChangeRequest): Ring {
  switch (request.kind) {
    case RingChangeKind.stageJoin:
      return stageChange(ring, { kind: "join", node: newcomerOf(request.newcomer) });
    case RingChangeKind.stageLeave:
      return stageChange(ring, { kind: "leave", member: nodeNumber(request.member) });
    case RingChangeKind.stageRemove:
      return stageChange(ring, { kind: "remove", member: nodeNumber(request.member) });
    case RingChangeKind.stageReplace: {
      return stageChange(ring, {
        kind: "replace",
        member: nodeNumber(request.member),
        by: nodeNumber(request.by),
      });
    }
    case RingChangeKind.unstage:
      return unstage(ring, nodeNumber(request.member));
    case RingChangeKind.commit:
      return commitPlan(ring, planFrom(request), request.acceptViolations);
    case RingChangeKind.cancel:
      return cancelPlan(ring);
    case RingChangeKind.setBucket:
      return changePolicy(ring, policyOf(request.policy));
    default:
      throw new RingtailError("INVALID_ARGUMENT", `no such change of the ring: ${request.kind}`);
  }
}
