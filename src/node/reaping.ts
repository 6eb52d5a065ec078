/**
 * Reaping: the part of a node that forgets what nobody needs any more (repair/reaper.ts), bound to its store and its peers;
 * its answers when others ask (reap-service.ts); and what `ringtail explain` wants to know of a key (explain-service.ts).
 */
import { statusOk, wireOf } from "../base/errors.ts";
import { bucketOf } from "../base/full-key.ts";
import type { NodeNumber } from "../base/ids.ts";
import { emptyList } from "../base/one-shape.ts";
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import type { ReapQuestion } from "../repair/reap-round.ts";
import { Reaper, type ReaperEffects } from "../repair/reaper.ts";
import type { Ring } from "../ring/ring.ts";
import type { RecordPage } from "../storage/store.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { ReapReply, ReapRequest } from "../wire/gen/codecs.ts";
import { ExplainService } from "./explain-service.ts";
import { Part, type Route } from "./part.ts";
import { PeerQuestions } from "./peer-questions.ts";
import type { Peer } from "./peers.ts";
import { type ReapResources, ReapService } from "./reap-service.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import type { StoreAsker } from "./store-questions.ts";
import { Ticket } from "./ticket.ts";

/** How often credits are granted. */
const grantEveryUs: DurationUs = 100_000;
/** Pages and rounds per second, with all slices. */
const stepsPerSecond = 40;
const pageKeys = 256;
const pageBytes = 256 * 1024;

/** A question under way at a member. */
interface AskedMember {
  readonly id: number;
  readonly member: NodeNumber;
  readonly commits: boolean;
}

/** An answer that the reaper has not been given yet. */
interface Left extends AskedMember {
  readonly reply: ReapReply | null;
}

/** One per node. */
export class Reaping extends Part implements ReaperEffects, StoreAsker {
  readonly #resources: ReapResources;
  readonly #shared: NodeState;
  readonly #service: ReapService;
  readonly #asked: PeerQuestions<AskedMember>;
  #explain: ExplainService | undefined = undefined;
  #reaper: Reaper | undefined = undefined;
  readonly #left: Left[] = emptyList();
  #grantAt: Instant = never;
  #rest = 0;
  #stopping = false;

  constructor(resources: ReapResources) {
    super();
    this.#resources = resources;
    this.#shared = resources.shared;
    this.#service = new ReapService(resources);
    this.#asked = new PeerQuestions(resources.peers);
  }

  /** The core, once the store is open: for checkers. */
  get core(): Reaper | undefined {
    return this.#reaper;
  }

  override get routes(): readonly Route[] {
    return [
      { type: FrameType.REAP_PREPARE, roles: ["node"] },
      { type: FrameType.REAP_COMMIT, roles: ["node"] },
      { type: FrameType.EXPLAIN, roles: ["client"] },
    ];
  }

  override get asks(): readonly number[] {
    return [FrameType.REAP_PREPARE, FrameType.REAP_COMMIT];
  }

  override onStarted(now: Instant): void {
    const shared = this.#shared;
    const { reapAgeMs } = shared.config;
    this.#reaper = new Reaper({
      effects: this,
      me: shared.number,
      ring: shared.ring,
      treeOf: (fullKey) => shared.ring.policyOf(bucketOf(fullKey)).n,
      ageUs: reapAgeMs * 1000,
    });
    this.#explain = new ExplainService(this.#resources, this.#service, this.#reaper);
    this.#grantAt = after(now, grantEveryUs);
  }

  override onRing(now: Instant, ring: Ring): void {
    this.#reaper?.onRing(now, ring);
  }

  // Frames.

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    if (this.#explain === undefined) session.fail(frame, wireOf("NOT_SYNCED"), "the node is starting");
    else if (frame.type === FrameType.EXPLAIN) this.#explain.onRequest(now, session, frame);
    else {
      const request = frame.decode(ReapRequest);
      if (session.number !== 0) this.#shared.onNewerEpoch(now, session.number, request.epoch);
      const keys = request.keys.map((key) => ({ ...key, fullKey: key.fullKey.slice() }));
      const ticket = new Ticket(session, frame);
      const done = (reply: ReapReply | null): void => {
        if (reply === null) ticket.fail(wireOf("OVERLOADED"), "too many are asking");
        else ticket.answer(ReapReply, reply);
      };
      if (frame.type === FrameType.REAP_PREPARE) this.#service.prepare(now, { ...request, keys }, done);
      else this.#service.commit(now, { ...request, keys }, done);
    }
  }

  override onReply(now: Instant, peer: Peer, frame: Frame): void {
    const asked = this.#asked.take(frame.frameId);
    if (asked === undefined) return;
    if (frame.status !== statusOk) {
      this.#left.push({ ...asked, reply: null });
      return;
    }
    const reply = frame.decode(ReapReply);
    this.#shared.onNewerEpoch(now, peer.number, reply.epoch);
    this.#left.push({ ...asked, reply: { ...reply, verdicts: reply.verdicts.slice() } });
  }

  override onPeerLost(_now: Instant, number: NodeNumber): void {
    this.#asked.onPeerLost(number);
  }

  // What the reaper asks.

  scan(now: Instant, id: number, partition: number, cursor: Uint8Array | null): void {
    const page = { partition, cursor, keysMax: pageKeys, bytesMax: pageBytes, token: id };
    this.#resources.questions().scanRecords(now, this, page);
  }

  onScanned(now: Instant, id: number, page: RecordPage | null): void {
    this.#reaper?.onScanned(now, id, page);
  }

  prepare(now: Instant, id: number, member: NodeNumber, request: ReapQuestion): void {
    this.#ask(now, { id, member, commits: false }, request);
  }

  commit(now: Instant, id: number, owner: NodeNumber, request: ReapQuestion): void {
    this.#ask(now, { id, member: owner, commits: true }, request);
  }

  #ask(now: Instant, asked: AskedMember, request: ReapQuestion): void {
    const { member, commits } = asked;
    if (member !== this.#shared.number) {
      const type = commits ? FrameType.REAP_COMMIT : FrameType.REAP_PREPARE;
      this.#asked.ask(member, type, ReapRequest, request, asked);
      return;
    }
    const done = (reply: ReapReply | null): void => {
      this.#left.push({ ...asked, reply });
    };
    if (commits) this.#service.commit(now, request, done);
    else this.#service.prepare(now, request, done);
  }

  inUse(partition: number, actorHigh: number, actorLow: number): boolean {
    return this.#resources.actors().isOwn(partition, actorHigh, actorLow);
  }

  // Time.

  override tick(now: Instant): void {
    const reaper = this.#reaper;
    if (reaper === undefined || this.#stopping) return;
    if (reaper.nextTick() <= now) reaper.tick(now);
    if (this.#grantAt > now) return;
    this.#grantAt = after(now, grantEveryUs);
    if (!reaper.starved) return;
    this.#rest += this.#shared.background.shareOf(stepsPerSecond * 1000) / 10;
    const steps = Math.floor(this.#rest / 1000);
    this.#rest -= steps * 1000;
    if (steps > 0) reaper.grant(now, steps);
  }

  override nextTick(): Instant {
    const reaper = this.#reaper;
    if (reaper === undefined || this.#stopping) return never;
    return (reaper.starved ? Math.min(reaper.nextTick(), this.#grantAt) : reaper.nextTick()) as Instant;
  }

  override settle(now: Instant): void {
    this.#service.settle(now);
    this.#explain?.settle(now);
    for (const asked of this.#asked.takeFailed()) this.#left.push({ ...asked, reply: null });
    if (this.#left.length === 0) return;
    for (const { id, member, commits, reply } of this.#left.splice(0)) {
      if (commits) this.#reaper?.onCommitted(now, id, member, reply);
      else this.#reaper?.onPrepared(now, id, member, reply);
    }
  }

  override stop(): void {
    this.#stopping = true;
  }
}
