/**
 * OwnMember: this node as the others are to see it. Its incarnation only rises, also over crashes: it is taken from a
 * lease that is on disk before it is used, and a new life starts above the lease. Raising it is how a node refutes
 * (SWIM section 4.2), and how it tells that its address or flags have changed.
 */
import { assert } from "../base/assert.ts";
import { idBytes, type NodeId } from "../base/ids.ts";
import type { Fields } from "../wire/codec.ts";
import type { GossipHead } from "../wire/gen/codecs.ts";
import { type MemberMeta, MemberState, type StoreProgress, type Update } from "./member.ts";

/** Incarnations leased at a time; half of them used up, more are leased. */
export const incarnationLease = 64;
/** Nobody believes an incarnation above it: a node must be able to refute. */
export const incarnationMax: number = 0xffff_ffff - incarnationLease * 2;

/** The ring as it is told to others: epoch and hash. */
export interface RingDigest {
  /** 0: no ring. */
  readonly epoch: number;
  readonly hashHigh: number;
  readonly hashLow: number;
}

export class OwnMember {
  readonly id: NodeId;
  readonly idBytes: Uint8Array;
  /** Drawn for this life. */
  readonly boot: number;
  meta: MemberMeta;
  digest: RingDigest = { epoch: 0, hashHigh: 0, hashLow: 0 };
  loopDelayUs = 0;
  readonly #progress: () => StoreProgress;
  leaving = false;
  #incarnation = 0;
  /** What the file on disk leases. */
  #durableTop: number;
  /** Raise to this as soon as the lease reaches it. */
  #wanted: number;

  constructor(options: {
    readonly id: NodeId;
    readonly boot: number;
    readonly meta: MemberMeta;
    readonly storedTop: number;
    readonly progress: () => StoreProgress;
  }) {
    this.id = options.id;
    this.idBytes = idBytes(options.id);
    this.boot = options.boot;
    this.meta = options.meta;
    this.#progress = options.progress;
    this.#durableTop = options.storedTop;
    this.#wanted = options.storedTop + 1;
  }

  /** 0 until the first lease is on disk: nothing may be said before. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** The lease to write next. */
  get topToSave(): number {
    return Math.max(this.#wanted, this.#incarnation) + incarnationLease;
  }

  /** Whether a file with `topToSave` should be written now. */
  get wantsLease(): boolean {
    return this.#wanted > this.#durableTop || this.#incarnation + incarnationLease / 2 > this.#durableTop;
  }

  /** A lease is on disk. Returns true if the incarnation rose by it. */
  leased(top: number): boolean {
    assert(top >= this.#durableTop, "a lease shrank");
    this.#durableTop = top;
    return this.#rise();
  }

  /** Asks for an incarnation of at least `least`, and above the present one. Returns true if it has it at once. */
  raise(least: number): boolean {
    this.#wanted = Math.max(this.#wanted, least, this.#incarnation + 1);
    return this.#rise();
  }

  #rise(): boolean {
    if (this.#wanted <= this.#incarnation || this.#wanted > this.#durableTop) return false;
    this.#incarnation = this.#wanted;
    return true;
  }

  /** What to say of this node. */
  update(): Update {
    const state = this.leaving ? MemberState.left : MemberState.alive;
    return { ...this.meta, id: this.id, incarnation: this.#incarnation, state, accuser: "" };
  }

  /** Who speaks, for a message; an object of its own. */
  head(): Fields<GossipHead> {
    const { epoch, hashHigh, hashLow } = this.digest;
    return {
      nodeId: this.idBytes,
      number: this.meta.number,
      incarnation: this.#incarnation,
      boot: this.boot,
      epoch,
      ringHashHigh: hashHigh,
      ringHashLow: hashLow,
      loopDelayUs: this.loopDelayUs,
      ...this.#progress(),
    };
  }
}
