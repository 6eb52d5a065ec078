/**
 * The proposer of one node: it runs rounds (consensus-round.ts), one at a time, for an operator's request or to finish
 * a ring that this node has accepted and whose fate nobody told. A refused round waits a random while and tries a
 * higher ballot, so that two proposers do not hinder each other for ever.
 */
import { assert } from "../base/assert.ts";
import { RingtailError, wireOf } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { after, type Instant, instant, never } from "../base/time.ts";
import type { Ballot, Decree, EncodedRing, RingPromiseMessage, RingRefusalMessage } from "./consensus-messages.ts";
import { decreeAfter, type Outcome, outcomeOf, type RingRequest, recoveryFlaw, votersIn } from "./consensus-request.ts";
import { Round } from "./consensus-round.ts";
import { type ConsensusState, encodedRing } from "./consensus-state.ts";
import type { Ring } from "./ring.ts";

/** Runs rounds; told of every event that bears on them. */
export class Proposer {
  readonly #state: ConsensusState;
  #request: RingRequest | null = null;
  #round: Round | null = null;
  /** The highest round heard of since this ring came. */
  #roundsSeen = 0;
  #failures = 0;
  /** No round is begun before. */
  #roundAfter: Instant = instant(0);
  #finishAt: Instant = never;

  constructor(state: ConsensusState) {
    this.#state = state;
  }

  /** Takes on a change of the ring, or decides at once that it cannot be. */
  propose(now: Instant, token: number, ring: Ring): void {
    const state = this.#state;
    const refusal = this.#requestRefusal();
    const target = state.newest.ring.epoch + 1;
    if (refusal !== null) this.#decide(now, token, refusal);
    else if (ring.epoch !== target) {
      const message = `the change was made for epoch ${ring.epoch - 1}, the ring is at ${target - 1}`;
      this.#decide(now, token, { status: wireOf("BASE_EPOCH_CHANGED"), message });
    } else {
      const deadline = after(now, state.timing.requestUs);
      const wanted = encodedRing(state.options.codec, ring);
      this.#request = { token, wanted, lost: [], target, notBefore: now, deadline, offered: false };
      this.#roundAfter = now;
    }
  }

  /** Takes on a recovery: those named lost are asked whether they are there, and given time to speak. */
  recover(now: Instant, token: number, named: readonly NodeNumber[]): void {
    const state = this.#state;
    const lost = [...named].sort((a, b) => a - b);
    const refusal = this.#requestRefusal() ?? this.#recoverRefusal(now, lost);
    if (refusal !== null) {
      this.#decide(now, token, refusal);
      return;
    }
    const { target } = decreeAfter(state.ring.ring, lost);
    const notBefore = after(now, state.timing.lostUs);
    const deadline = after(notBefore, state.timing.requestUs);
    this.#request = { token, wanted: null, lost, target, notBefore, deadline, offered: false };
    this.#round = null;
    this.#roundAfter = notBefore;
    for (const number of lost) state.post(now, number, { kind: "pull" });
  }

  #requestRefusal(): Outcome | null {
    const { fenced, stopped, votes } = this.#state;
    if (this.#request !== null) return { status: wireOf("OVERLOADED"), message: "another change is being decided" };
    if (fenced) return { status: wireOf("PERMISSION_DENIED"), message: "this node is no member of the ring" };
    if (votes) return null;
    const why = stopped ? "two rings of one epoch were seen" : "this node's votes were lost";
    return { status: wireOf("STORAGE_FAILED"), message: `this node may not change the ring: ${why}` };
  }

  #recoverRefusal(now: Instant, lost: readonly NodeNumber[]): Outcome | null {
    const { peers, timing, self, ring } = this.#state;
    const flaw = lost.includes(self) ? "this node itself is named" : recoveryFlaw(ring.ring, lost);
    if (flaw !== null) return { status: wireOf("INVALID_ARGUMENT"), message: flaw };
    const speaks = lost.find((number) => peers.heardWithin(now, number, timing.lostUs));
    return speaks === undefined ? null : notLost(speaks);
  }

  /** A node has spoken: if it is named lost, the recovery is off. */
  onHeard(now: Instant, from: NodeNumber): void {
    if (this.#request?.lost.includes(from)) this.end(now, notLost(from));
  }

  /** Ends the request, if there is one. */
  end(now: Instant, outcome: Outcome): void {
    const request = this.#request;
    if (request === null) return;
    this.#request = null;
    // A round in which a ring was offered goes on: that ring may be chosen, and must not stay half-chosen.
    if (this.#round?.phase !== "accepting") this.#round = null;
    this.#decide(now, request.token, outcome);
  }

  #decide(now: Instant, token: number, outcome: Outcome): void {
    this.#state.effects.decided(now, token, outcome.status, outcome.message);
  }

  /** The round is void: this node votes no more, or a newer ring is known. */
  abandon(): void {
    this.#round = null;
  }

  /** A newer ring is on disk: everything begins anew, and a request may have its outcome. */
  onRing(now: Instant, ring: EncodedRing): void {
    this.#round = null;
    this.#roundsSeen = 0;
    this.#failures = 0;
    this.#finishAt = never;
    const outcome = this.#request === null ? null : outcomeOf(this.#request, ring);
    if (outcome !== null) this.end(now, outcome);
  }

  /** Somebody's ballot was seen. */
  onBallot(ballot: Ballot): void {
    this.#roundsSeen = Math.max(this.#roundsSeen, ballot.round);
  }

  /** Whoever has accepted a ring, and is not told how it ended, runs a round itself. */
  armFinish(now: Instant): void {
    const { acceptor, timing, options } = this.#state;
    this.#finishAt = acceptor.open === null ? never : after(now, timing.finishUs + options.rng.below(timing.finishUs));
  }

  /** No request, no round of this node's, and no ring that it has accepted and not seen chosen. */
  get isAtRest(): boolean {
    return this.#request === null && this.#round === null && this.#state.acceptor.open === null;
  }

  tick(now: Instant): void {
    if (this.#request !== null && now >= this.#request.deadline) this.end(now, noMajority(this.#request));
    if (this.#round !== null) this.#resend(now, this.#round);
    else if (this.#state.votes && this.#state.saving === null && now >= this.#roundAfter) this.#maybeBegin(now);
  }

  #maybeBegin(now: Instant): void {
    const { open, memory } = this.#state.acceptor;
    if (this.#request !== null && now >= this.#request.notBefore) {
      this.#begin(now, open === "recovery" ? memory.lost : this.#request.lost);
    } else if (open !== null && now >= this.#finishAt) {
      mark("ring.finish");
      this.#begin(now, open === "recovery" ? memory.lost : []);
    }
  }

  #begin(now: Instant, lost: readonly NodeNumber[]): void {
    const { ring, acceptor, self, timing } = this.#state;
    const decree: Decree = decreeAfter(ring.ring, lost);
    const round = 1 + Math.max(this.#roundsSeen, acceptor.roundOf(lost.length > 0));
    this.#roundsSeen = round;
    this.#round = new Round(decree, { round, node: self }, votersIn(decree, ring.ring));
    this.#round.askAgain(now, timing.resendUs);
    this.#state.post(now, self, { kind: "prepare", ...decree, ballot: this.#round.ballot });
  }

  onPromise(now: Instant, from: NodeNumber, message: RingPromiseMessage): void {
    const state = this.#state;
    const round = this.#round;
    if (round === null || !round.is(message.target, message.ballot) || round.phase === "accepting") return;
    for (const accepted of [message.accepted, message.acceptedNext]) {
      if (accepted !== null && state.open(accepted.bytes) === null) return;
    }
    const majority = round.onPromise(from, message.accepted, message.acceptedNext);
    if (from === state.self && round.phase === "opening") {
      // The own promise is on disk: no later life of this node uses the ballot again.
      round.phase = "preparing";
      if (!majority) this.#ask(now, round);
    }
    if (majority) this.#offer(now, round);
  }

  /** A majority has promised: now a ring is to be accepted. */
  #offer(now: Instant, round: Round): void {
    const bytes = round.accepted?.bytes ?? this.#ownRing(now, round);
    if (bytes === null) {
      this.#round = null;
      return;
    }
    if (this.#request !== null && round.accepted === null) this.#request.offered = true;
    round.proposeRing(bytes);
    round.askAgain(now, this.#state.timing.resendUs);
    this.#ask(now, round);
  }

  /** The ring that the request wants; null if there is no such request any more. */
  #ownRing(now: Instant, round: Round): Uint8Array | null {
    const request = this.#request;
    const { lost, target } = round.decree;
    if (request === null || request.lost.length !== lost.length) return null;
    if (request.wanted !== null) return request.wanted.ring.epoch === target ? request.wanted.bytes : null;
    const { ring, options } = this.#state;
    const newest = round.acceptedNext === null ? ring : (this.#state.open(round.acceptedNext.bytes) ?? ring);
    try {
      return options.codec.encode(options.planRecovery(newest.ring, lost, target));
    } catch (error) {
      if (!(error instanceof RingtailError)) throw error;
      this.end(now, { status: wireOf(error.code), message: error.message });
      return null;
    }
  }

  /** Asks those who have not answered. */
  #ask(now: Instant, round: Round): void {
    const { decree, ballot, bytes } = round;
    for (const number of round.silentVoters()) {
      if (bytes === null) this.#state.post(now, number, { kind: "prepare", ...decree, ballot });
      else this.#state.post(now, number, { kind: "accept", ...decree, ballot, bytes });
    }
  }

  #resend(now: Instant, round: Round): void {
    if (now < round.resendAt) return;
    round.askAgain(now, Math.min(2 * round.resendUs, this.#state.timing.resendUsMax));
    if (round.phase !== "opening") this.#ask(now, round);
  }

  /** Returns the ring that this vote has chosen, or null. */
  onAccepted(from: NodeNumber, target: number, ballot: Ballot): EncodedRing | null {
    const round = this.#round;
    if (round === null || round.bytes === null || !round.is(target, ballot) || !round.onAccepted(from)) return null;
    const chosen = this.#state.open(round.bytes);
    assert(chosen !== null, "what was proposed is a ring");
    return chosen;
  }

  onRefusal(now: Instant, from: NodeNumber, message: RingRefusalMessage): void {
    const round = this.#round;
    if (round === null || !round.is(message.target, message.ballot) || message.reason === "silent") return;
    this.onBallot(message.promised);
    this.#round = null;
    this.#failures += 1;
    const { timing, options } = this.#state;
    const most = Math.min(timing.backOffUs * 2 ** Math.min(this.#failures, 16), timing.backOffUsMax);
    this.#roundAfter = after(now, options.rng.between(timing.backOffUs >>> 1, most));
    this.armFinish(now);
    if (message.reason === "not-lost" || message.reason === "other-lost") this.#onRecoveryRefused(now, from, message);
  }

  #onRecoveryRefused(now: Instant, from: NodeNumber, message: RingRefusalMessage): void {
    if (this.#request?.wanted !== null) return;
    const text =
      message.reason === "not-lost"
        ? `node ${from} was heard, or has heard, of a node that is named as lost`
        : `node ${from} has agreed to a recovery without other nodes: name those too`;
    this.end(now, { status: wireOf("INVALID_ARGUMENT"), message: text });
  }
}

function noMajority(request: RingRequest): Outcome {
  return request.offered
    ? { status: wireOf("DEADLINE_EXCEEDED"), message: "no majority has agreed yet; the change may still be chosen" }
    : { status: wireOf("QUORUM_NOT_MET"), message: "no majority of the members has answered; nothing was changed" };
}

function notLost(number: NodeNumber): Outcome {
  return { status: wireOf("INVALID_ARGUMENT"), message: `node ${number} answers: it is not lost` };
}
