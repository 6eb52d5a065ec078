/**
 * MemberWatch: whole nodes as the judges of membership see them: who lives, since when, and every change of a table, told
 * as the members' own harness tells it (member-world.ts). A node is watched from its boot on; it sees no difference.
 */
import type { NodeId } from "../base/ids.ts";
import { type Instant, instant, never } from "../base/time.ts";
import type { MemberView } from "../membership/member.ts";
import type { Node } from "../node/node.ts";
import type { MemberEvent, MemberPlace } from "./member-event.ts";
import type { SimNode } from "./process.ts";

/** One life of a node on its seat. */
class NodePlace implements MemberPlace {
  readonly life: number;
  readonly #seat: SimNode;
  readonly #node: Node;
  /** When it was first seen to have an incarnation: before, it said nothing. */
  #speaksSince: Instant = never;

  constructor(seat: SimNode, node: Node) {
    this.life = seat.life;
    this.#seat = seat;
    this.#node = node;
  }

  get name(): string {
    return this.#seat.name;
  }

  get id(): NodeId {
    return this.#node.shared.nodeId;
  }

  get alive(): boolean {
    return this.#seat.alive && this.#seat.life === this.life && this.#node.shared.fencedBy === "";
  }

  get paused(): boolean {
    return this.#seat.paused;
  }

  get disturbedAt(): Instant {
    return instant(Math.max(this.#seat.disturbedAt, this.#speaksSince));
  }

  get incarnation(): number {
    return this.#node.shared.membership?.incarnation ?? 0;
  }

  get healthFactor(): number {
    return this.#node.shared.membership?.health.factor ?? 1;
  }

  look(now: Instant): void {
    if (this.#speaksSince === never && this.incarnation > 0) this.#speaksSince = now;
  }

  belief(about: MemberPlace): MemberView | undefined {
    return this.#node.shared.membership?.member(about.id);
  }
}

/** Judges of membership in whole clusters. */
export interface MemberJudge {
  look?(now: Instant, place: MemberPlace): void;
  onEvent(event: MemberEvent): void;
}

/** The members of one world. */
export class MemberWatch {
  readonly #judges: MemberJudge[] = [];
  /** By seat, its last life. */
  readonly #places: (NodePlace | undefined)[] = [];
  readonly #byId = new Map<NodeId, NodePlace>();
  readonly #excused = new Set<NodeId>();

  /** What happens to this id is beyond what membership promises: it lives twice, or its directory is from the past. */
  excuse(id: NodeId): void {
    this.#excused.add(id);
  }

  add(judge: MemberJudge): void {
    this.#judges.push(judge);
  }

  /** A node begins a life on that seat. */
  onBoot(seat: SimNode, node: Node): void {
    const place = new NodePlace(seat, node);
    // What the life before has said may still be on its way.
    const before = this.#places[seat.position];
    if (before !== undefined) this.#lookAt(seat.disturbedAt, before);
    this.#places[seat.position] = place;
    this.#byId.set(place.id, place);
    node.shared.watchMembers = (at, member, before) => {
      const about = this.#byId.get(member.id);
      if (about === undefined || this.#excused.has(about.id)) return;
      const { state, incarnation, accuser } = member;
      const event = { at, seat: place, about, state, before, incarnation, accuser };
      for (const judge of this.#judges) judge.onEvent(event);
    };
  }

  /** Looks at every member itself; to be called several times a second. */
  look(now: Instant): void {
    for (const place of this.#places) {
      if (place === undefined) continue;
      place.look(now);
      this.#lookAt(now, place);
    }
  }

  #lookAt(now: Instant, place: NodePlace): void {
    if (!this.#excused.has(place.id)) for (const judge of this.#judges) judge.look?.(now, place);
  }

  /** Those who sit there now. */
  placesOf(seats: readonly number[]): MemberPlace[] {
    return seats.flatMap((seat) => this.#places[seat] ?? []);
  }

  /** What one of them believes of another. */
  readonly beliefOf = (seat: MemberPlace, about: MemberPlace): MemberView | undefined =>
    (seat as NodePlace).belief(about);
}
