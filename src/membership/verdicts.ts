/**
 * Verdicts: what is believed of each member. Claims come in from gossip, state syncs and this node's own probes; those
 * that supersede what is held change the table, start or end a suspicion, and are passed on. Every node does the same
 * with the same claims, so all come to believe the same.
 */
import type { NodeId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { type DurationUs, type Instant, instant, never } from "../base/time.ts";
import { membersMax } from "../wire/limits.ts";
import { FlapScore } from "./flap.ts";
import { Member, MemberState, supersedes, type Update } from "./member.ts";
import type { MemberTable } from "./member-table.ts";
import type { Profile } from "./profile.ts";
import { Suspicion } from "./suspicion.ts";

/** What follows from verdicts. */
export interface VerdictEffects {
  /** The member's row has changed; `before`: its state until now, undefined for a newcomer. */
  changed(now: Instant, member: Member, before: MemberState | undefined): void;
  /** Its flap damping set in or ended. */
  flappingChanged(now: Instant, member: Member): void;
  /** Tell everybody. */
  spread(now: Instant, update: Update): void;
}

/** Between two looks whether damped members have calmed down. */
const flapCheckUs: DurationUs = 5_000_000;

export class Verdicts {
  readonly #profile: Profile;
  readonly #table: MemberTable;
  readonly #self: NodeId;
  readonly #effects: VerdictEffects;
  readonly #suspicions = new Map<NodeId, Suspicion>();
  /** Ids that left the ring for good: no late gossip brings them back. */
  readonly #removed = new Set<NodeId>();
  readonly #flapping = new Set<Member>();
  #flapCheckAt: Instant = never;
  #nextDeadline: Instant = never;

  constructor(options: {
    readonly profile: Profile;
    readonly table: MemberTable;
    readonly self: NodeId;
    readonly effects: VerdictEffects;
  }) {
    this.#profile = options.profile;
    this.#table = options.table;
    this.#self = options.self;
    this.#effects = options.effects;
  }

  /** Members that are suspect now. */
  get suspicions(): number {
    return this.#suspicions.size;
  }

  /** Takes in a claim about another member. `quiet`: do not pass it on. Returns whether it was news. */
  apply(now: Instant, update: Update, quiet: boolean): boolean {
    const member = this.#table.get(update.id);
    if (member === undefined) return this.#learn(now, update, quiet);
    if (supersedes(update, member)) {
      this.#believe(now, member, update, quiet);
      return true;
    }
    const confirms = update.state === MemberState.suspect && update.incarnation === member.incarnation;
    if (confirms && member.state === MemberState.suspect) this.#confirm(now, update);
    return false;
  }

  /** A row from a file, a ring or a first claim. Nothing happens for ids that are known, removed, or one too many. */
  #learn(now: Instant, update: Update, quiet: boolean): boolean {
    const full = this.#table.members.length >= membersMax;
    if (full || update.address === "" || update.id === this.#self || this.#removed.has(update.id)) return false;
    const member = new Member(now, update);
    this.#table.add(member);
    if (member.state === MemberState.suspect) this.#beginSuspicion(now, member, update.accuser);
    if (!quiet) this.#effects.spread(now, update);
    this.#effects.changed(now, member, undefined);
    return true;
  }

  #believe(now: Instant, member: Member, update: Update, quiet: boolean): void {
    const before = member.state;
    member.incarnation = update.incarnation;
    member.accuser = update.accuser;
    if (update.number !== 0) member.number = update.number;
    if (update.state === MemberState.alive) adopt(member, update);
    if (update.state !== before) {
      this.#table.setState(member, update.state);
      member.changedAt = now;
    }
    this.#endSuspicion(member.id);
    if (update.state === MemberState.suspect) this.#beginSuspicion(now, member, update.accuser);
    if (update.state === MemberState.dead && before <= MemberState.suspect) this.#died(now, member);
    if (!quiet) this.#effects.spread(now, update);
    this.#effects.changed(now, member, before);
  }

  #beginSuspicion(now: Instant, member: Member, accuser: NodeId | ""): void {
    const suspicion = new Suspicion(now, {
      member: member.id,
      incarnation: member.incarnation,
      accuser: accuser === "" ? this.#self : accuser,
      profile: this.#profile,
      members: this.#table.reachable + 1,
    });
    this.#suspicions.set(member.id, suspicion);
    this.#findNext();
  }

  #endSuspicion(id: NodeId): void {
    if (this.#suspicions.delete(id)) this.#findNext();
  }

  #confirm(now: Instant, update: Update): void {
    const suspicion = this.#suspicions.get(update.id);
    if (suspicion === undefined || update.accuser === "" || !suspicion.confirm(update.accuser)) return;
    mark("membership.confirmed");
    this.#findNext();
    this.#effects.spread(now, update);
  }

  #findNext(): void {
    let next: Instant = never;
    for (const suspicion of this.#suspicions.values()) if (suspicion.deadline < next) next = suspicion.deadline;
    this.#nextDeadline = next;
  }

  /** This node's own probe has failed. */
  suspect(now: Instant, member: Member): void {
    if (!member.reachable) return;
    this.apply(now, claimAbout(member, MemberState.suspect, this.#self), false);
  }

  #died(now: Instant, member: Member): void {
    member.flaps ??= new FlapScore();
    member.flaps.penalise(now);
    if (member.flapping || !member.flaps.verdict(now, false)) return;
    member.flapping = true;
    this.#flapping.add(member);
    if (this.#flapCheckAt === never) this.#flapCheckAt = instant(now + flapCheckUs);
    mark("membership.flapping");
    this.#effects.flappingChanged(now, member);
  }

  /** The member is forgotten, and stays so whatever is said about it. */
  remove(id: NodeId): Member | undefined {
    this.#removed.add(id);
    const member = this.#table.get(id);
    if (member === undefined) return undefined;
    this.#endSuspicion(id);
    this.#flapping.delete(member);
    this.#table.remove(member);
    return member;
  }

  /** A removed id may be learned again. */
  readmit(id: NodeId): void {
    this.#removed.delete(id);
  }

  /** After a stall: no suspicion ends before `until`, so that what came meanwhile is heard first. */
  postpone(until: Instant): void {
    for (const suspicion of this.#suspicions.values()) suspicion.postpone(until);
    this.#findNext();
  }

  /** Ends the suspicions whose time is over: their members are dead. */
  tick(now: Instant): void {
    while (this.#nextDeadline <= now) {
      for (const suspicion of [...this.#suspicions.values()]) {
        if (suspicion.deadline > now) continue;
        const member = this.#table.get(suspicion.member) as Member;
        this.apply(now, claimAbout(member, MemberState.dead, this.#self), false);
      }
    }
    if (this.#flapCheckAt > now) return;
    for (const member of [...this.#flapping]) {
      if (member.flaps?.verdict(now, true) === true) continue;
      member.flapping = false;
      this.#flapping.delete(member);
      this.#effects.flappingChanged(now, member);
    }
    this.#flapCheckAt = this.#flapping.size === 0 ? never : instant(now + flapCheckUs);
  }

  /** When `tick` has something to do. */
  next(): Instant {
    return this.#nextDeadline < this.#flapCheckAt ? this.#nextDeadline : this.#flapCheckAt;
  }
}

function adopt(member: Member, update: Update): void {
  // Equal texts are not replaced, so that those of a large table stay shared.
  if (member.address !== update.address) member.address = update.address;
  member.versionMin = update.versionMin;
  member.versionMax = update.versionMax;
  member.flags = update.flags;
}

/** A claim of `accuser`'s about a member as it stands here. */
export function claimAbout(member: Member, state: MemberState, accuser: NodeId | ""): Update {
  const { id, number, address, incarnation, versionMin, versionMax, flags } = member;
  return { id, number, address, incarnation, state, accuser, versionMin, versionMax, flags };
}
