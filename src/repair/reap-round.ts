/**
 * ReapRound: one certificate: the keys of one partition that are asked about, who has yet to answer, and what stands
 * against each key so far. It says when all have answered; what follows is the reaper's to do.
 */
import type { NodeNumber } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import type { Instant } from "../base/time.ts";
import type { ReapReply } from "../wire/gen/codecs.ts";
import { type Candidate, withoutActor } from "./reap-candidate.ts";
import { ReapVerdict } from "./reap-verdict.ts";

/** What is asked: a `ReapRequest`. */
export interface ReapQuestion {
  readonly epoch: number;
  readonly partition: number;
  readonly n: number;
  readonly keys: readonly Candidate[];
}

/** From the first question to the last answer. */
export class ReapRound {
  readonly id: number;
  readonly owners: readonly NodeNumber[];
  /** The certified part of it, once `certify` was called. */
  request: ReapQuestion;
  committing = false;
  deadline: Instant;
  readonly #waiting: Set<NodeNumber>;
  /** Per key: the first thing that somebody had against it. */
  #verdicts: Uint8Array;

  constructor(
    id: number,
    request: ReapQuestion,
    members: readonly NodeNumber[],
    owners: readonly NodeNumber[],
    deadline: Instant,
  ) {
    this.id = id;
    this.request = request;
    this.owners = owners;
    this.deadline = deadline;
    this.#waiting = new Set(members);
    this.#verdicts = new Uint8Array(request.keys.length);
  }

  /** Takes a member's word; null: there is none. Returns whether it was the last one. */
  onPrepared(member: NodeNumber, reply: ReapReply | null): boolean {
    if (!this.#waiting.delete(member)) return false;
    this.#note(reply);
    if (reply !== null) {
      const { actorHigh, actorLow } = reply;
      const keys = this.request.keys.map((key) => ({
        ...key,
        entries: withoutActor(key.entries, actorHigh, actorLow),
      }));
      for (const [i, { hashHigh, hashLow, entries }] of keys.entries()) {
        if ((hashHigh | hashLow) === 0 && entries.length === 0) this.#object(i, ReapVerdict.inUse);
      }
      this.request = { ...this.request, keys };
    }
    return this.#waiting.size === 0;
  }

  /** Takes an owner's word, likewise. */
  onCommitted(owner: NodeNumber, reply: ReapReply | null): boolean {
    if (!this.#waiting.delete(owner)) return false;
    this.#note(reply);
    return this.#waiting.size === 0;
  }

  /** The time is over: who has said nothing by now stands against all of it. */
  onSilence(): void {
    this.#waiting.clear();
    this.#note(null);
  }

  #note(reply: ReapReply | null): void {
    for (let i = 0; i < this.#verdicts.length; i += 1) {
      this.#object(i, reply === null ? ReapVerdict.silent : (reply.verdicts[i] ?? ReapVerdict.silent));
    }
  }

  #object(i: number, verdict: number): void {
    if (this.#verdicts[i] === ReapVerdict.clear) this.#verdicts[i] = verdict;
  }

  /** What stands against a key; `clear`: nothing so far. */
  verdictOf(i: number): number {
    return this.#verdicts[i] as number;
  }

  /** All have answered: leaves the keys that nothing stands against, for the owners to forget. Returns how many are left out. */
  certify(): number {
    const keys = this.request.keys.filter((_, i) => this.verdictOf(i) === ReapVerdict.clear);
    for (const verdict of this.#verdicts)
      if (verdict !== ReapVerdict.clear) mark(marksByVerdict[verdict] ?? "reap.blocked");
    const hindered = this.#verdicts.length - keys.length;
    this.request = { ...this.request, keys };
    this.#verdicts = new Uint8Array(keys.length);
    this.committing = true;
    for (const owner of this.owners) this.#waiting.add(owner);
    return hindered;
  }
}

/** Marks of the rare branches, by verdict. */
const marksByVerdict: readonly string[] = [
  "",
  "reap.blocked-by-other-ring",
  "reap.blocked-by-transfer",
  "reap.blocked-by-unsynced",
  "reap.blocked-by-difference",
  "reap.blocked-by-hint",
  "reap.blocked-by-copy",
  "reap.blocked-by-unreadable",
  "reap.blocked-by-silence",
  "reap.blocked-by-actor",
];
