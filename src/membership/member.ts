/**
 * Member: one node as membership sees it, and the precedence of claims about it (SWIM section 4.2).
 *
 * Claims about one member are totally ordered by (incarnation, state), states in the order alive, suspect, dead, left.
 * A claim is believed if it stands above the one that is held, so nodes that have heard the same claims, in any order
 * and however often, believe the same. Only the member itself raises its incarnation: that is how it refutes.
 *
 * Liveness is not ownership: nothing here changes the ring.
 */
import { type NodeId, nodeIdOf } from "../base/ids.ts";
import { type Instant, instant } from "../base/time.ts";
import type { FlapScore } from "./flap.ts";

/** The numbers of the schema's `MemberState`; in ascending precedence at equal incarnation. */
export const MemberState = { alive: 1, suspect: 2, dead: 3, left: 4 } as const;
export type MemberState = (typeof MemberState)[keyof typeof MemberState];

const stateNames = ["unknown", "alive", "suspect", "dead", "left"] as const;

/** A state's name, for people. */
export function stateName(state: MemberState): string {
  return stateNames[state];
}

/** A bit of a member's `flags`: it takes no writes. */
export const flagReadOnly = 1;

/** What a member says about itself besides that it lives. */
export interface MemberMeta {
  /** The ring's number of it; 0 while it has none. */
  readonly number: number;
  /** host:port, of its TCP and UDP listener alike. */
  readonly address: string;
  readonly versionMin: number;
  readonly versionMax: number;
  /** Bits: `flagReadOnly`. */
  readonly flags: number;
}

/** A claim about one member. Of a claim that it is suspect or dead only id, incarnation, state and accuser count. */
export interface Update extends MemberMeta {
  readonly id: NodeId;
  readonly incarnation: number;
  readonly state: MemberState;
  /** Who says that it is suspect or dead; "" otherwise. */
  readonly accuser: NodeId | "";
}

/** What of a claim decides. */
export interface Standing {
  readonly incarnation: number;
  readonly state: MemberState;
}

/** Whether a claim stands above what is held: a higher incarnation, or the same and a later state. */
export function supersedes(claim: Standing, held: Standing): boolean {
  if (claim.incarnation !== held.incarnation) return claim.incarnation > held.incarnation;
  return claim.state > held.state;
}

/** How far a node's store has come, ever; what falls behind it has lost writes that it had. */
export interface StoreProgress {
  /** Starts at which the directory was known to lack writes: each begins a new count. */
  readonly losses: number;
  /** Batches written; 0: nothing is known. */
  readonly batches: number;
}

/** Of a node that has told nothing. */
export const noProgress: StoreProgress = { losses: 0, batches: 0 };

/** Whether a store that had come so far is not, now, where it was. */
export function isBehind(now: StoreProgress, seen: StoreProgress): boolean {
  return now.losses === seen.losses ? now.batches < seen.batches : now.losses < seen.losses;
}

/** A member as others of its kind hand it to people and to routing: read it, keep it, do not change it. */
export interface MemberView extends Update {
  /** When its state last changed, as seen here. */
  readonly changedAt: Instant;
  /** When a message of its own last arrived here; 0: never in this life. */
  readonly heardAt: Instant;
  /** The epoch of its ring when it was last heard; 0: it had none, or was never heard in this life. */
  readonly epoch: number;
  /** How late its event loop ran, by its own word, when it was last heard. */
  readonly loopDelayUs: number;
  /** What it last told of its store in this node's life. */
  readonly progress: StoreProgress;
  /** It dies and returns so often that it should be routed around although it is alive. */
  readonly flapping: boolean;
  /** Alive, or suspect and not yet dead: worth a message. */
  readonly reachable: boolean;
}

/** One row of the member table. Only this folder changes one. */
export class Member implements MemberView {
  readonly id: NodeId;
  number: number;
  address: string;
  versionMin: number;
  versionMax: number;
  flags: number;
  incarnation: number;
  state: MemberState;
  accuser: NodeId | "";
  changedAt: Instant;
  heardAt: Instant = instant(0);
  epoch = 0;
  loopDelayUs = 0;
  progress: StoreProgress = noProgress;
  flapping = false;
  /** Made at its first death: most members of a large cluster never need one. */
  flaps: FlapScore | undefined = undefined;
  /** When it was last said that it answers over TCP only. */
  udpAlarmAt: Instant | undefined = undefined;

  constructor(now: Instant, update: Update) {
    this.id = update.id;
    this.number = update.number;
    this.address = update.address;
    this.versionMin = update.versionMin;
    this.versionMax = update.versionMax;
    this.flags = update.flags;
    this.incarnation = update.incarnation;
    this.state = update.state;
    this.accuser = update.accuser;
    this.changedAt = now;
  }

  get reachable(): boolean {
    return this.state <= MemberState.suspect;
  }
}

/** The node id in a field of 16 bytes, or "" for a field of any other length. */
export function idOrNone(bytes: Uint8Array): NodeId | "" {
  return bytes.length === 16 ? nodeIdOf(bytes) : "";
}
