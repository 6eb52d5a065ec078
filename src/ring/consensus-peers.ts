/**
 * What is remembered of the other nodes while this one runs: when each was heard, when each was last sent or asked for
 * a ring, and where each stood. A node's epoch and votes are on its disk before it speaks of them, so they never go
 * back; where they do, its disk was put back to an earlier state, and it may vote again where it has voted.
 */
import type { NodeNumber } from "../base/ids.ts";
import { after, type DurationUs, type Instant, instant } from "../base/time.ts";
import type { RingStamp } from "./consensus-messages.ts";

/**
 * What a stamp says of its sender: all is well; a message of an earlier life that came late; it has gone back, if it
 * says so once more; it has gone back.
 */
export type StampVerdict = "good" | "late" | "doubtful" | "rolled-back";

/** Between the first sign that a node has gone back and the second: nothing sent by an earlier life is on its way then. */
const doubtUs: DurationUs = 1_000_000;
const pastLivesMax = 8;
const longAgo: Instant = instant(-1e12);

interface Peer {
  life: number;
  epoch: number;
  votes: number;
  readonly pastLives: number[];
  /** 0: none. */
  doubtedLife: number;
  doubtedAt: Instant;
  distrusted: boolean;
}

/** All others, by number. */
export class RingPeers {
  readonly #peers = new Map<NodeNumber, Peer>();
  readonly #heardAt = new Map<NodeNumber, Instant>();
  readonly #pushedAt = new Map<NodeNumber, Instant>();
  readonly #pulledAt = new Map<NodeNumber, Instant>();

  /** How many others were heard since this node started. */
  get heardCount(): number {
    return this.#heardAt.size;
  }

  /** The node has said something, over whatever way. */
  heard(now: Instant, from: NodeNumber): void {
    this.#heardAt.set(from, now);
  }

  /** Whether the node was heard less than `us` ago. */
  heardWithin(now: Instant, from: NodeNumber, us: DurationUs): boolean {
    return after(this.#heardAt.get(from) ?? longAgo, us) > now;
  }

  /** Whether its votes have gone back. */
  isDistrusted(from: NodeNumber): boolean {
    return this.#peers.get(from)?.distrusted ?? false;
  }

  /** Whether a ring may be sent to it now; then it is counted as sent. */
  mayPush(now: Instant, to: NodeNumber, everyUs: DurationUs): boolean {
    return isDue(this.#pushedAt, now, to, everyUs);
  }

  /** Whether it may be asked for its ring now; then it is counted as asked. */
  mayPull(now: Instant, to: NodeNumber, everyUs: DurationUs): boolean {
    return isDue(this.#pulledAt, now, to, everyUs);
  }

  /** Those whose next stamp tells whether their votes went back. */
  *doubted(): Generator<NodeNumber> {
    for (const [number, peer] of this.#peers) if (peer.doubtedLife !== 0 && !peer.distrusted) yield number;
  }

  /** Whether there are any. */
  get hasDoubts(): boolean {
    return !this.doubted().next().done;
  }

  /** Judges and remembers a stamp. */
  judge(now: Instant, from: NodeNumber, stamp: RingStamp): StampVerdict {
    const peer = this.#peers.get(from);
    if (peer === undefined) {
      const { life, epoch, votes } = stamp;
      const first = { life, epoch, votes, pastLives: [], doubtedLife: 0, doubtedAt: longAgo, distrusted: false };
      this.#peers.set(from, first);
      return "good";
    }
    if (peer.distrusted) return "rolled-back";
    if (peer.pastLives.includes(stamp.life)) return "late";
    if (stamp.life !== peer.life) {
      if (stamp.epoch < peer.epoch || stamp.votes < peer.votes) return this.#doubt(now, peer, stamp);
      peer.pastLives.push(peer.life);
      if (peer.pastLives.length > pastLivesMax) peer.pastLives.shift();
      peer.life = stamp.life;
    }
    peer.doubtedLife = 0;
    peer.epoch = Math.max(peer.epoch, stamp.epoch);
    peer.votes = Math.max(peer.votes, stamp.votes);
    return "good";
  }

  #doubt(now: Instant, peer: Peer, stamp: RingStamp): StampVerdict {
    if (peer.doubtedLife !== stamp.life) {
      peer.doubtedLife = stamp.life;
      peer.doubtedAt = now;
      return "doubtful";
    }
    if (after(peer.doubtedAt, doubtUs) > now) return "doubtful";
    peer.distrusted = true;
    return "rolled-back";
  }
}

function isDue(times: Map<NodeNumber, Instant>, now: Instant, number: NodeNumber, everyUs: DurationUs): boolean {
  if (after(times.get(number) ?? longAgo, everyUs) > now) return false;
  times.set(number, now);
  return true;
}
