/**
 * RingProposals: one ring per epoch. The ring after this one is chosen by a majority of this one's members that have
 * not left, by single-decree Paxos: a majority promises a ballot, then a majority accepts a ring under it. Whoever
 * finds a ring that was accepted before must propose that one, so a chosen ring stays chosen.
 *
 * Three roles in every node. The acceptor (consensus-acceptor.ts) votes; no vote leaves before it is on disk. The
 * proposer (consensus-proposer.ts) asks for votes: for an operator's change, or to finish a ring that was accepted here
 * and whose fate was not told within two seconds, also after a restart. The learner, here, takes chosen rings as facts,
 * skips those that it missed, and saves before it acts. Gets and puts need none of this.
 *
 * Alarms: two rings of one epoch (nobody is right: both nodes stop voting until an operator decides), and a voter whose
 * disk went back in time (its votes count no more).
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { wireOf } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { after, type Instant, never } from "../base/time.ts";
import { Acceptor, type BallotMemory, noMemory } from "./consensus-acceptor.ts";
import type { RingProposalsOptions } from "./consensus-effects.ts";
import {
  type EncodedRing,
  noBallot,
  type RefusalReason,
  type RingAcceptMessage,
  type RingMessage,
  type RingMessageBody,
  type RingPrepareMessage,
  type RingStamp,
} from "./consensus-messages.ts";
import type { StampVerdict } from "./consensus-peers.ts";
import { Proposer } from "./consensus-proposer.ts";
import { isDecreeAfter, votersIn, votersOf } from "./consensus-request.ts";
import { ConsensusState } from "./consensus-state.ts";
import type { Ring } from "./ring.ts";
import { digestText } from "./ring-digest.ts";

export type { BallotMemory } from "./consensus-acceptor.ts";
export type { RingBytesCodec, RingProposalsEffects, RingProposalsOptions } from "./consensus-effects.ts";
export type { EncodedRing, RingMessage } from "./consensus-messages.ts";

/** An answer that waits until the vote is on disk. */
interface UnsavedVote {
  readonly to: NodeNumber;
  readonly reply: RingMessageBody | null;
  readonly memory: BallotMemory;
}

/** One node's part in choosing rings. */
export class RingProposals {
  readonly #state: ConsensusState;
  readonly #proposer: Proposer;
  readonly #unsaved = new Map<number, UnsavedVote>();
  #digestAt: Instant = never;
  #tickAt: Instant = never;
  #tokens = 0;
  #entered = false;

  constructor(options: RingProposalsOptions) {
    this.#state = new ConsensusState(options);
    this.#proposer = new Proposer(this.#state);
  }

  /** The ring on disk. */
  get ring(): EncodedRing {
    return this.#state.ring;
  }

  /** Whether this node votes and proposes: no alarm, its votes not lost, a member of the ring. */
  get votes(): boolean {
    return this.#state.votes;
  }

  /** How many other nodes were heard since the start. */
  get heardCount(): number {
    return this.#state.peers.heardCount;
  }

  /** Tells the others where this node stands, and goes on with what the last run left open. Called once, first. */
  start(now: Instant): void {
    this.#enter();
    const { acceptor, ring, options, effects, self } = this.#state;
    if (acceptor.memory.silent) {
      if (options.memory?.silent !== true) this.#saveVote(now, self, null);
      effects.rolledBack(now, self);
    }
    if (!this.#state.isMember(ring.ring)) this.#fence(now);
    this.#proposer.armFinish(now);
    this.#armDigest(now);
    for (const number of this.#others()) this.#state.post(now, number, { kind: "digest" });
    this.#leave(now);
  }

  /** Asks for `ring` to be chosen as the next one: `decided` follows. Its epoch names the ring that it was made from. */
  propose(now: Instant, token: number, ring: Ring): void {
    this.#enter();
    this.#proposer.propose(now, token, ring);
    this.#proposer.tick(now);
    this.#leave(now);
  }

  /** Asks for a ring without these members, who are lost for good and a majority with them: `decided` follows. */
  recover(now: Instant, token: number, lost: readonly NodeNumber[]): void {
    this.#enter();
    this.#proposer.recover(now, token, lost);
    this.#leave(now);
  }

  /**
   * An operator has decided which of two rings of one epoch it is. If it is this node's, the node votes again and heeds
   * no other ring of that epoch; false: it is not. Who holds another takes the next ring that the others choose.
   */
  accept(now: Instant, digest: string): boolean {
    const { ring } = this.#state;
    if (digestText(ring.hash) !== digest) return false;
    this.#enter();
    this.#state.stopped = false;
    this.#state.accepted = ring.ring.epoch;
    this.#proposer.armFinish(now);
    this.#leave(now);
    return true;
  }

  /** A ping or its answer has told where `from` stands. */
  onDigest(now: Instant, from: NodeNumber, epoch: number, hashHigh: number, hashLow: number): void {
    this.#enter();
    this.#hear(now, from);
    this.#compare(now, from, epoch, hashHigh, hashLow);
    this.#leave(now);
  }

  /** A message of another node, whose number the link has proved. The message's bytes are kept. */
  onMessage(now: Instant, from: NodeNumber, message: RingMessage): void {
    this.#enter();
    this.#hear(now, from);
    const { stamp } = message;
    const verdict = this.#judge(now, from, stamp);
    if (verdict !== "late") {
      this.#compare(now, from, stamp.epoch, stamp.hashHigh, stamp.hashLow);
      if (message.kind === "chosen") this.#onChosen(now, from, message.bytes);
      else if (stamp.epoch < this.#state.ring.ring.epoch) this.#push(now, from);
      else if (message.kind === "pull") this.#state.post(now, from, { kind: "digest" });
      else if (verdict === "rolled-back") this.#distrust(now, from, message);
      else if (verdict === "good" && this.#isOwnRing(stamp)) this.#onVoting(now, from, message);
    }
    this.#leave(now);
  }

  /** A peer was asked for its ring, in the way that clients ask, and this is it: chosen, for no other is told. */
  learn(now: Instant, from: NodeNumber, bytes: Uint8Array): void {
    this.#enter();
    this.#onChosen(now, from, bytes);
    this.#leave(now);
  }

  /** What was given to `saveBallot` or `saveRing` is on stable storage. */
  onPersisted(now: Instant, token: number): void {
    this.#enter();
    const vote = this.#unsaved.get(token);
    const { saving } = this.#state;
    if (vote !== undefined) this.#onVoteSaved(now, token, vote);
    else if (saving?.token === token) this.#adopt(now, saving.ring);
    this.#leave(now);
  }

  /** When `tick` is due: often while something is being decided or doubted, else when others are to be told again. */
  nextTick(): Instant {
    return this.#tickAt;
  }

  tick(now: Instant): void {
    this.#enter();
    this.#tickAt = never;
    if (now >= this.#digestAt) this.#sendDigest(now);
    for (const number of this.#state.peers.doubted()) this.#pull(now, number);
    this.#proposer.tick(now);
    this.#leave(now);
  }

  #others(): readonly NodeNumber[] {
    return votersOf(this.#state.ring.ring).filter((number) => number !== this.#state.self);
  }

  #hear(now: Instant, from: NodeNumber): void {
    assert(from !== this.#state.self, "what is heard comes from somebody else");
    this.#state.peers.heard(now, from);
    this.#proposer.onHeard(now, from);
  }

  // The learner.

  #compare(now: Instant, from: NodeNumber, epoch: number, hashHigh: number, hashLow: number): void {
    const { ring, newest } = this.#state;
    if (epoch === ring.ring.epoch && !this.#isOwnRing({ epoch, hashHigh, hashLow })) this.#alarm(now, from, epoch);
    if (epoch > newest.ring.epoch && !canary("skip-ring-pull")) this.#pull(now, from);
  }

  #isOwnRing({ epoch, hashHigh, hashLow }: Pick<RingStamp, "epoch" | "hashHigh" | "hashLow">): boolean {
    const { ring } = this.#state;
    return epoch === ring.ring.epoch && ring.hash.high === hashHigh && ring.hash.low === hashLow;
  }

  #pull(now: Instant, from: NodeNumber): void {
    const { peers, timing } = this.#state;
    if (peers.mayPull(now, from, timing.transferUs)) this.#state.post(now, from, { kind: "pull" });
  }

  #push(now: Instant, to: NodeNumber): void {
    const { peers, timing, ring } = this.#state;
    if (peers.mayPush(now, to, timing.transferUs)) this.#state.post(now, to, { kind: "chosen", bytes: ring.bytes });
  }

  #onChosen(now: Instant, from: NodeNumber, bytes: Uint8Array): void {
    const ring = this.#state.open(bytes);
    if (ring !== null) this.#learn(now, from, ring);
  }

  #learn(now: Instant, from: NodeNumber, learned: EncodedRing): void {
    const { ring, saving, afterSaving, newest } = this.#state;
    const { epoch } = learned.ring;
    for (const known of [ring, saving?.ring, afterSaving]) {
      if (known?.ring.epoch !== epoch) continue;
      if (known.hash.high !== learned.hash.high || known.hash.low !== learned.hash.low) this.#alarm(now, from, epoch);
      return;
    }
    if (epoch < newest.ring.epoch) return;
    this.#proposer.abandon();
    if (saving !== null) this.#state.afterSaving = learned;
    else this.#save(now, learned);
  }

  #save(now: Instant, ring: EncodedRing): void {
    this.#tokens += 1;
    this.#state.saving = { ring, token: this.#tokens };
    this.#state.effects.saveRing(now, ring, this.#tokens);
  }

  #adopt(now: Instant, ring: EncodedRing): void {
    const state = this.#state;
    assert(ring.ring.epoch > state.ring.ring.epoch, "epochs rise");
    const { votes, silent } = state.acceptor.memory;
    // A majority has chosen a newer one: which of two it was is decided.
    state.stopped = false;
    state.ring = ring;
    state.saving = null;
    state.acceptor = new Acceptor(noMemory(ring.ring.epoch, votes, silent));
    if (state.isMember(ring.ring)) state.effects.chosen(now, ring);
    else this.#fence(now);
    this.#proposer.onRing(now, ring);
    const next = state.afterSaving;
    state.afterSaving = null;
    if (next !== null) this.#save(now, next);
  }

  #fence(now: Instant): void {
    if (this.#state.fenced) return;
    this.#state.fenced = true;
    this.#proposer.abandon();
    mark("ring.fenced");
    this.#state.effects.fenced(now, this.#state.ring);
  }

  // Alarms.

  #alarm(now: Instant, from: NodeNumber, epoch: number): void {
    if (this.#state.stopped || this.#state.accepted === epoch) return;
    this.#state.stopped = true;
    this.#proposer.abandon();
    mark("ring.epoch.conflict");
    this.#state.effects.conflict(now, from, epoch);
    this.#state.post(now, from, { kind: "digest" });
    const message = `node ${from} holds another ring of epoch ${epoch}: both vote no more until an operator decides`;
    this.#proposer.end(now, { status: wireOf("STORAGE_FAILED"), message });
  }

  #judge(now: Instant, from: NodeNumber, stamp: RingStamp): StampVerdict {
    const { peers, effects } = this.#state;
    const known = peers.isDistrusted(from);
    const verdict = peers.judge(now, from, stamp);
    if (verdict === "rolled-back" && !known) {
      mark("ring.voter.rolled-back");
      effects.rolledBack(now, from);
      this.#state.post(now, from, refusal(0, noBallot, "rolled-back"));
    }
    return verdict;
  }

  /** Votes of a node that may have voted otherwise before. */
  #distrust(now: Instant, from: NodeNumber, message: RingMessageBody): void {
    if (message.kind === "refusal" || message.kind === "digest") return;
    this.#state.post(now, from, refusal(0, noBallot, "rolled-back"));
  }

  /** Others say that this node's votes went back: it casts none any more. */
  #fallSilent(now: Instant): void {
    const { acceptor, effects, self } = this.#state;
    if (acceptor.memory.silent) return;
    acceptor.silence();
    this.#proposer.abandon();
    this.#saveVote(now, self, null);
    effects.rolledBack(now, self);
    const message = "this node's votes were lost: replace it";
    this.#proposer.end(now, { status: wireOf("STORAGE_FAILED"), message });
  }

  // The voter.

  /** A message about a decree, of a node that stands where this one stands. */
  #onVoting(now: Instant, from: NodeNumber, message: RingMessageBody): void {
    if (message.kind === "prepare" || message.kind === "accept") this.#vote(now, from, message);
    else if (message.kind === "promise") this.#proposer.onPromise(now, from, message);
    else if (message.kind === "accepted") {
      const chosen = this.#proposer.onAccepted(from, message.target, message.ballot);
      if (chosen !== null) this.#onChoice(now, chosen);
    } else if (message.kind === "refusal") {
      if (message.reason === "rolled-back") this.#fallSilent(now);
      else this.#proposer.onRefusal(now, from, message);
    }
  }

  /** A majority has accepted: from here on the ring is a fact. */
  #onChoice(now: Instant, chosen: EncodedRing): void {
    const told = new Set([...this.#others(), ...votersOf(chosen.ring)]);
    told.delete(this.#state.self);
    for (const number of told) this.#state.post(now, number, { kind: "chosen", bytes: chosen.bytes });
    this.#learn(now, this.#state.self, chosen);
  }

  #vote(now: Instant, from: NodeNumber, message: RingPrepareMessage | RingAcceptMessage): void {
    const { ring, saving, acceptor } = this.#state;
    if (saving !== null || !isDecreeAfter(message, ring.ring)) return;
    if (message.ballot.node !== from || !votersIn(message, ring.ring).includes(from)) return;
    this.#proposer.onBallot(message.ballot);
    const reason = this.#voteRefusal(now, message);
    if (reason !== null) {
      this.#state.post(now, from, refusal(message.target, message.ballot, reason));
      return;
    }
    if (message.kind === "accept" && this.#state.open(message.bytes)?.ring.epoch !== message.target) return;
    const vote = message.kind === "prepare" ? acceptor.onPrepare(message) : acceptor.onAccept(message);
    if (vote.save) this.#saveVote(now, from, vote.reply);
    else this.#state.post(now, from, vote.reply);
  }

  #voteRefusal(now: Instant, message: RingPrepareMessage | RingAcceptMessage): RefusalReason | null {
    const { votes, self, acceptor, peers, timing } = this.#state;
    if (!votes) return "silent";
    if (message.lost.includes(self)) return "not-lost";
    // Asked before the first promise alone: a recovery that may have been chosen must come to its end.
    if (acceptor.memory.lost.length > 0) return null;
    return message.lost.some((number) => peers.heardWithin(now, number, timing.lostUs)) ? "not-lost" : null;
  }

  #saveVote(now: Instant, to: NodeNumber, reply: RingMessageBody | null): void {
    this.#tokens += 1;
    const { memory } = this.#state.acceptor;
    this.#unsaved.set(this.#tokens, { to, reply, memory });
    this.#state.effects.saveBallot(now, memory, this.#tokens);
    if (reply !== null && canary("vote-before-save")) this.#state.post(now, to, reply);
  }

  #onVoteSaved(now: Instant, token: number, vote: UnsavedVote): void {
    const state = this.#state;
    this.#unsaved.delete(token);
    state.votesSaved = Math.max(state.votesSaved, vote.memory.votes);
    if (vote.reply === null || vote.memory.epoch !== state.ring.ring.epoch) return;
    this.#proposer.armFinish(now);
    if (!canary("vote-before-save")) state.post(now, vote.to, vote.reply);
  }

  // Sending.

  #armDigest(now: Instant): void {
    const { timing, options } = this.#state;
    this.#digestAt = after(now, (timing.digestUs >>> 1) + options.rng.below(timing.digestUs));
  }

  #sendDigest(now: Instant): void {
    this.#armDigest(now);
    const others = this.#others();
    if (others.length > 0) this.#state.post(now, this.#state.options.rng.pick(others), { kind: "digest" });
  }

  #enter(): void {
    assert(!this.#entered, "an effect called the consensus");
    this.#entered = true;
  }

  #leave(now: Instant): void {
    const { toSelf, self } = this.#state;
    for (let body = toSelf.shift(); body !== undefined; body = toSelf.shift()) this.#onVoting(now, self, body);
    this.#armTick(now);
    this.#entered = false;
  }

  #armTick(now: Instant): void {
    const isAtRest = this.#proposer.isAtRest && !this.#state.peers.hasDoubts;
    const soon = after(now, this.#state.timing.tickUs);
    if (isAtRest) this.#tickAt = this.#digestAt;
    else if (soon < this.#tickAt) this.#tickAt = soon;
  }
}

function refusal(target: number, ballot: typeof noBallot, reason: RefusalReason): RingMessageBody {
  return { kind: "refusal", target, ballot, reason, promised: noBallot };
}
