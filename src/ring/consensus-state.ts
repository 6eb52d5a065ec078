/**
 * What the roles of one node's consensus share: the ring that it holds, the ones that are being saved, its acceptor, and
 * the way out of it. Messages to oneself wait until the event is done, so that a role never calls itself.
 */
import { equalBytes } from "../base/bytes.ts";
import type { NodeNumber } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import { Acceptor, noMemory } from "./consensus-acceptor.ts";
import {
  type RingBytesCodec,
  type RingProposalsEffects,
  type RingProposalsOptions,
  type RingProposalsTiming,
  ringProposalsTiming,
} from "./consensus-effects.ts";
import type { EncodedRing, RingMessageBody, RingStamp } from "./consensus-messages.ts";
import { RingPeers } from "./consensus-peers.ts";
import type { Ring } from "./ring.ts";
import { ringHash } from "./ring-digest.ts";

/** A ring with its bytes and hash. */
export function encodedRing(codec: RingBytesCodec, ring: Ring): EncodedRing {
  const bytes = codec.encode(ring);
  return { ring, bytes, hash: ringHash(bytes) };
}

/** One node's consensus, as its roles see it. */
export class ConsensusState {
  readonly options: RingProposalsOptions;
  readonly effects: RingProposalsEffects;
  readonly timing: RingProposalsTiming;
  readonly self: NodeNumber;
  readonly peers: RingPeers = new RingPeers();
  /** What this node says to itself, in order. */
  readonly toSelf: RingMessageBody[] = [];
  /** On disk. */
  ring: EncodedRing;
  acceptor: Acceptor;
  /** The votes that are on disk: a stamp never tells of more. */
  votesSaved: number;
  /** A newer ring on its way to disk, and the token of its save. */
  saving: { readonly ring: EncodedRing; readonly token: number } | null = null;
  /** A ring newer than that one. */
  afterSaving: EncodedRing | null = null;
  /** Another ring of this one's epoch was seen. */
  stopped = false;
  /** The epoch of the ring that an operator has accepted here; 0: none. */
  accepted = 0;
  fenced = false;
  /** What was opened last: a ring comes again when it is accepted and when it is chosen, and opening one takes long. */
  #opened: EncodedRing | null = null;

  constructor(options: RingProposalsOptions) {
    this.options = options;
    this.effects = options.effects;
    this.timing = options.timing ?? ringProposalsTiming;
    this.self = options.self;
    this.ring = options.ring;
    const { epoch } = options.ring.ring;
    const found = options.memory ?? noMemory(epoch, 0, false);
    // Votes about a ring that this disk does not hold: the ring's file is older than the ballot's.
    const silent = found.silent || found.epoch > epoch;
    this.acceptor = new Acceptor(found.epoch === epoch ? { ...found, silent } : noMemory(epoch, found.votes, silent));
    this.votesSaved = found.votes;
  }

  /** The newest ring known, on disk or not. */
  get newest(): EncodedRing {
    return this.afterSaving ?? this.saving?.ring ?? this.ring;
  }

  /** Whether this node votes and proposes: no alarm, its votes not lost, a member of its ring. */
  get votes(): boolean {
    return !this.stopped && !this.fenced && !this.acceptor.memory.silent;
  }

  /** Whether this very node is a member of `ring` that has not left. */
  isMember(ring: Ring): boolean {
    const member = ring.member(this.self);
    return member !== undefined && member.id === this.options.nodeId && member.status !== "left";
  }

  /** The ring in bytes from elsewhere; null if they are none, or one of another cluster. */
  open(bytes: Uint8Array): EncodedRing | null {
    if (equalBytes(bytes, this.ring.bytes)) return this.ring;
    if (this.#opened !== null && equalBytes(bytes, this.#opened.bytes)) return this.#opened;
    let ring: Ring;
    try {
      ring = this.options.codec.decode(bytes);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      mark("ring.unreadable");
      return null;
    }
    if (ring.clusterId !== this.ring.ring.clusterId) return null;
    this.#opened = { ring, bytes, hash: ringHash(bytes) };
    return this.#opened;
  }

  /** Sends to another node, or puts aside for this one. */
  post(now: Instant, to: NodeNumber, body: RingMessageBody): void {
    if (to === this.self) this.toSelf.push(body);
    else this.effects.send(now, to, { ...body, stamp: this.stamp() });
  }

  /** Where this node stands. */
  stamp(): RingStamp {
    const { ring, hash } = this.ring;
    const { high, low } = hash;
    return { epoch: ring.epoch, hashHigh: high, hashLow: low, votes: this.votesSaved, life: this.options.life };
  }
}
