/**
 * AdminService: what operators ask of a node besides changes of the ring: who belongs to the cluster and who lives
 * (MEMBERS), and what happened lately (EVENTS). The answers are this node's own view; it asks nobody.
 */
import type { NodeId } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import { type MemberView, stateName } from "../membership/member.ts";
import type { Member } from "../ring/ring.ts";
import type { Fields } from "../wire/codec.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  EventsReply,
  EventsRequest,
  type Member as MemberMessage,
  type MemberRow,
  MembersReply,
  MembersRequest,
} from "../wire/gen/codecs.ts";
import { memberToMessage } from "../wire/ring-codec.ts";
import { Part, type Route } from "./part.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

/** Where the service looks. */
export interface AdminSources {
  /** What membership knows of one of the others. */
  memberOf(id: NodeId): MemberView | undefined;
  /** This node's own incarnation. */
  incarnation(): number;
  /** Nodes that have reported here lately and are in no ring. */
  waiting(now: Instant): readonly Fields<MemberMessage>[];
}

export class AdminService extends Part {
  readonly #shared: NodeState;
  readonly #sources: AdminSources;

  constructor(shared: NodeState, sources: AdminSources) {
    super();
    this.#shared = shared;
    this.#sources = sources;
  }

  override get routes(): readonly Route[] {
    return [
      { type: FrameType.MEMBERS, roles: ["client"] },
      { type: FrameType.EVENTS, roles: ["client"] },
    ];
  }

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    if (frame.type === FrameType.EVENTS) {
      this.#onEvents(session, frame);
      return;
    }
    frame.decode(MembersRequest);
    const { ringOrNone: ring, number, epoch, fencedBy, ringMaker } = this.#shared;
    session.answer(frame, MembersReply, {
      epoch,
      number,
      ringMaker: ring === undefined ? 0 : ringMaker(),
      members: ring === undefined ? [] : ring.members.map((member) => this.#rowOf(now, member)),
      waiting: this.#sources.waiting(now),
      fenced: fencedBy,
    });
  }

  #rowOf(now: Instant, member: Member): Fields<MemberRow> {
    const { nodeId, startedAt, epoch } = this.#shared;
    const seconds = (since: Instant): number => Math.floor((now - since) / 1_000_000);
    const common = { member: memberToMessage(member) };
    if (member.id === nodeId) {
      const incarnation = this.#sources.incarnation();
      return { ...common, state: "alive", incarnation, stateSeconds: seconds(startedAt), epoch };
    }
    const view = this.#sources.memberOf(member.id);
    if (view === undefined) return { ...common, state: member.status === "left" ? "left" : "unknown" };
    return {
      ...common,
      state: view.heardAt === 0 && view.incarnation === 0 ? "unknown" : stateName(view.state),
      flapping: view.flapping,
      incarnation: view.incarnation,
      stateSeconds: seconds(view.changedAt),
      loopDelayUs: view.loopDelayUs,
      epoch: view.epoch,
    };
  }

  #onEvents(session: Session, frame: Frame): void {
    const { after, sinceMs } = frame.decode(EventsRequest);
    const { journal } = this.#shared;
    const events = journal.after(after, sinceMs).map(({ sequence, at, kind, text }) => {
      return { sequence, atMs: at, kind, text };
    });
    session.answer(frame, EventsReply, { events, last: journal.last });
  }
}
