/**
 * MemberTable: all other members, dead ones included, in the order in which they are probed: a shuffled list, walked
 * round and shuffled anew at its end, newcomers at random places (SWIM section 4.3). So a member is probed within 2n - 1
 * periods, and on average as often as by chance.
 */
import { assert } from "../base/assert.ts";
import type { NodeId } from "../base/ids.ts";
import type { Rng } from "../base/rng.ts";
import { type Member, MemberState } from "./member.ts";

/** Draws per member wanted before a random choice walks the list instead. */
const drawsPerPick = 6;

export class MemberTable {
  readonly #byId = new Map<NodeId, Member>();
  readonly #order: Member[] = [];
  readonly #rng: Rng;
  /** Members in each state, by its number. */
  readonly #counts: number[] = [0, 0, 0, 0, 0];
  /** The place of the member to be probed next. */
  #next = 0;

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** All of them, in no lasting order. */
  get members(): readonly Member[] {
    return this.#order;
  }

  /** Those worth a message: alive or suspect. */
  get reachable(): number {
    return this.count(MemberState.alive) + this.count(MemberState.suspect);
  }

  /** How many are in this state. */
  count(state: MemberState): number {
    return this.#counts[state] as number;
  }

  get(id: NodeId): Member | undefined {
    return this.#byId.get(id);
  }

  /** Adds a member at a random place of the probing order. */
  add(member: Member): void {
    assert(!this.#byId.has(member.id), "the member is in the table already");
    this.#byId.set(member.id, member);
    this.#counts[member.state] = this.count(member.state) + 1;
    const place = this.#rng.below(this.#order.length + 1);
    this.#order.splice(place, 0, member);
    // Whoever was next stays next: a newcomer before it waits for the next pass.
    if (place < this.#next) this.#next += 1;
  }

  /** Forgets a member. */
  remove(member: Member): void {
    assert(this.#byId.delete(member.id), "the member is not in the table");
    this.#counts[member.state] = this.count(member.state) - 1;
    const place = this.#order.indexOf(member);
    this.#order.splice(place, 1);
    if (place < this.#next) this.#next -= 1;
  }

  /** Gives a member its new state, so that the counts stay true. */
  setState(member: Member, state: MemberState): void {
    this.#counts[member.state] = this.count(member.state) - 1;
    this.#counts[state] = this.count(state) + 1;
    member.state = state;
  }

  /** Whose turn it is to be probed; undefined if nobody is reachable. */
  nextTarget(): Member | undefined {
    for (let seen = 0; seen <= this.#order.length; seen += 1) {
      if (this.#next >= this.#order.length) {
        this.#rng.shuffle(this.#order);
        this.#next = 0;
      }
      const member = this.#order[this.#next];
      this.#next += 1;
      if (member?.reachable) return member;
    }
    return undefined;
  }

  /** Up to `count` different members that fit, at random. */
  pick(count: number, fits: (member: Member) => boolean): Member[] {
    const size = this.#order.length;
    const picked: Member[] = [];
    for (let draw = 0; size > 0 && draw < count * drawsPerPick && picked.length < count; draw += 1) {
      const member = this.#order[this.#rng.below(size)] as Member;
      if (fits(member) && !picked.includes(member)) picked.push(member);
    }
    if (picked.length === count || size === 0) return picked;
    // Few fit: take them in order from a random place.
    const first = this.#rng.below(size);
    for (let i = 0; i < size && picked.length < count; i += 1) {
      const member = this.#order[(first + i) % size] as Member;
      if (fits(member) && !picked.includes(member)) picked.push(member);
    }
    return picked;
  }
}
