/**
 * Repairing: the part of a node that keeps replicas equal without anybody asking (Dynamo 4.7). It
 * is on from the start and never off. It compares trees with peers in turn, answers theirs, runs the comparisons that
 * transfers ask for, and reads its own store through against its trees. How much of the node it may have is granted in
 * credits by `Background`.
 */

import { Durability } from "../base/durability.ts";
import { statusOk, wireOf } from "../base/errors.ts";
import { bucketOf, keyOf } from "../base/full-key.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { LogFields } from "../base/log.ts";
import { after, type DurationUs, type Instant, never } from "../base/time.ts";
import { ReadRule, WriteRule } from "../handoff/transfer.ts";
import type { ExchangeResult } from "../repair/exchange.ts";
import { type TreeId, treeN, treePartition } from "../repair/merkle-tree.ts";
import { type Answer, type Question, questionCodecs, replyCodecs } from "../repair/questions.ts";
import { RepairSchedule } from "../repair/schedule.ts";
import { Scrub, type ScrubEffects, type ScrubResult, type WrongLeaf } from "../repair/scrub.ts";
import type { RecordPage, Store } from "../storage/store.ts";
import type { Encoder, MessageCodec } from "../wire/codec.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType, WritePurpose } from "../wire/frame-types.ts";
import { ReplicaWriteRequest } from "../wire/gen/codecs.ts";
import { Comparisons } from "./comparisons.ts";
import { ExchangeSeat, type SeatHost, type TreeAsker } from "./exchange-seat.ts";
import { LocalRecords, type RunLocally } from "./local-records.ts";
import { Mending } from "./mending.ts";
import { Part, type Route } from "./part.ts";
import { PeerQuestions } from "./peer-questions.ts";
import type { Peer, Peers } from "./peers.ts";
import { RepairReport } from "./repair-report.ts";
import type { Session } from "./session.ts";
import { sharedTrees } from "./shared-trees.ts";
import type { NodeState } from "./state.ts";
import type { StoreAsker, StoreQuestions } from "./store-questions.ts";
import { TreeService, treeQuestionTypes } from "./tree-service.ts";

/** How often credits are granted. */
const grantEveryUs: DurationUs = 100_000;
/** Leaves and batches of keys per second, for everything that compares, with all slices. */
const creditsPerSecond = 4_000;
/** Pages per second of the scrub, with all slices. */
const scrubPagesPerSecond = 40;
const scrubKeys = 512;
const scrubBytes = 512 * 1024;
/** Damaged records per second that are written anew, with all slices. */
const mendsPerSecond = 320;
const pushTimeoutUs = 10_000_000;
/** How long after a ring a node looks which trees it shares now: as with all that moves between two looks, peers refuse. */
const updateAfterUs = 150_000;
const updateTurns = 4;

const connectionLost = wireOf("CONNECTION_LOST");

/** What a part that works on the store is given. */
export interface PartResources {
  readonly shared: NodeState;
  readonly peers: Peers;
  readonly run: RunLocally;
  /** Both are there from `onStarted` on. */
  readonly store: () => Store;
  readonly questions: () => StoreQuestions;
}

/** A question about trees, or a pushed record, under way at a peer. */
interface AskedPeer {
  readonly asker: TreeAsker;
  readonly id: number;
  readonly push: boolean;
}

/** What there is once the store is open. */
class Works {
  readonly service: TreeService;
  readonly seat: ExchangeSeat;
  readonly comparisons: Comparisons;
  readonly schedule: RepairSchedule;
  readonly scrub: Scrub;
  readonly mending: Mending;
  readonly report: RepairReport;

  constructor(part: Repairing, host: SeatHost, resources: PartResources) {
    const { shared, peers, questions, store } = resources;
    const { leaves, records } = host;
    const { partitions } = shared.ring;
    const treeOf = (fullKey: Uint8Array): number => shared.ring.policyOf(bucketOf(fullKey)).n;
    const mayCompare = (tree: TreeId): boolean => part.mayCompare(tree);
    this.service = new TreeService({ shared, leaves, questions: questions(), records, mayCompare });
    this.seat = new ExchangeSeat(host, false, (now, result) => part.onExchanged(now, result));
    this.comparisons = new Comparisons(host, (partition) => !part.isRebuilding(partition));
    this.schedule = new RepairSchedule({
      effects: { begin: (_now, request) => part.wantExchange(request) },
      reachable: (peer) => peers.of(peer)?.state === "ok",
      passUs: shared.config.repairPassMs * 1000,
    });
    const roundUs = shared.config.scrubRoundMs * 1000;
    this.scrub = new Scrub({ effects: part, leaves, batches: store(), treeOf, partitions, roundUs });
    this.mending = new Mending(host, (now, partition, leaf) => this.scrub.rebuildLeaf(now, partition, leaf));
    this.report = new RepairReport(host, (tree) => part.mayCompare(tree));
  }
}

/** One per node. */
export class Repairing extends Part implements ScrubEffects, StoreAsker {
  readonly #resources: PartResources;
  readonly #shared: NodeState;
  readonly #records: LocalRecords;
  readonly #asked: PeerQuestions<AskedPeer>;
  /** Partitions whose trees must be made true before they are compared. */
  readonly #rebuilding: Set<number> = new Set();
  /** Whether this node holds a copy of the tree that no list names. */
  holdsGivenUp: (partition: number, n: number) => boolean = () => false;
  #works: Works | undefined = undefined;
  #wanted: Parameters<ExchangeSeat["begin"]>[1] | null = null;
  #finished: ExchangeResult | null = null;
  #grantAt: Instant = never;
  /** Pages of the scrub are few: what is not granted yet, in thousandths. */
  #scrubRest = 0;
  #updateAt: Instant = never;
  #stopping = false;

  constructor(resources: PartResources) {
    super();
    this.#resources = resources;
    this.#shared = resources.shared;
    this.#records = new LocalRecords(resources.shared, resources.run);
    this.#asked = new PeerQuestions(resources.peers);
  }

  override get routes(): readonly Route[] {
    const ofPeers = treeQuestionTypes.map((type): Route => ({ type, roles: ["node"] }));
    const ofPeople = [FrameType.REPAIR_STATUS, FrameType.REPAIR_PREVIEW];
    return [...ofPeers, ...ofPeople.map((type): Route => ({ type, roles: ["client"] }))];
  }

  override get asks(): readonly number[] {
    return [...treeQuestionTypes, FrameType.RECORD_PUSH];
  }

  override onStarted(now: Instant): void {
    const { shared, store, questions } = this.#resources;
    const host: SeatHost = {
      shared,
      leaves: {
        wordsOf: (n, partition) => store().leaves.wordsOf(n, partition),
        hurry: (partition) => store().hurry(partition),
      },
      questions: questions(),
      records: this.#records,
      windowUs: shared.config.repairWindowMs * 1000,
      ask: (_at, asker, id, peer, question) => this.#ask(asker, id, peer, question),
      push: (_at, asker, id, peer, fullKey, sealed) => this.#push(asker, id, peer, fullKey, sealed),
    };
    const works = new Works(this, host, this.#resources);
    this.#works = works;
    shared.onDamaged = (at, fullKey, flaw, target) => works.mending.found(at, fullKey, flaw, target);
    this.#grantAt = after(now, grantEveryUs);
    this.#updateAt = now;
    if (shared.hasHole)
      this.rebuildTrees(
        now,
        Array.from({ length: shared.ring.partitions }, (_, p) => p),
      );
  }

  // Frames.

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    const works = this.#works;
    if (works === undefined) session.fail(frame, wireOf("NOT_SYNCED"), "the node is starting");
    else if (frame.type === FrameType.REPAIR_STATUS) {
      const { background } = this.#shared;
      works.report.onStatus(now, works, background.slices, session, frame);
    } else if (frame.type === FrameType.REPAIR_PREVIEW) works.report.onPreview(now, session, frame);
    else works.service.onRequest(now, session, frame);
  }

  #ask(asker: TreeAsker, id: number, peer: NodeNumber, { type, body }: Question): void {
    const codec: Encoder<Question["body"]> = questionCodecs[type] as Encoder<Question["body"]>;
    this.#asked.ask(peer, type, codec, { ...body, epoch: this.#shared.epoch }, { asker, id, push: false });
  }

  #push(asker: TreeAsker, id: number, peer: NodeNumber, fullKey: Uint8Array, record: Uint8Array): void {
    const message: ReplicaWriteRequest = {
      bucket: bucketOf(fullKey),
      key: keyOf(fullKey),
      record,
      epoch: this.#shared.epoch,
      timeoutUs: pushTimeoutUs,
      durability: Durability.buffered,
      purpose: WritePurpose.readRepair,
    };
    this.#asked.ask(peer, FrameType.RECORD_PUSH, ReplicaWriteRequest, message, { asker, id, push: true });
  }

  override onReply(now: Instant, peer: Peer, frame: Frame): void {
    const asked = this.#asked.take(frame.frameId);
    if (asked === undefined) return;
    const { asker, id } = asked;
    const { status } = frame;
    if (asked.push) asker.onMoved(now, id, status);
    else if (status !== statusOk) asker.onAnswer(now, id, status, null);
    else {
      const type = frame.answers as Answer["type"];
      const codec = replyCodecs[type] as MessageCodec<Answer["body"]>;
      const body = frame.decode(codec);
      this.#shared.onNewerEpoch(now, peer.number, body.epoch);
      asker.onAnswer(now, id, statusOk, { type, body } as Answer);
    }
  }

  override onPeerUp(now: Instant): void {
    this.#works?.mending.mender.onPeerUp(now);
  }

  override onPeerLost(_now: Instant, number: NodeNumber): void {
    this.#asked.onPeerLost(number);
  }

  // Anti-entropy.

  /** Whether the tree may be compared with this node: it holds the partition, and its trees are true. */
  mayCompare(tree: TreeId): boolean {
    const n = treeN(tree);
    const partition = treePartition(tree);
    if (this.isRebuilding(partition) || n > this.#shared.ring.replicasMax) return false;
    const accepts = this.#shared.writeRule(partition as never, n) === WriteRule.accept;
    return accepts || this.holdsGivenUp(partition, n);
  }

  /** Whether the trees of the partition are still to be made true. */
  isRebuilding(partition: number): boolean {
    return this.#rebuilding.has(partition);
  }

  /** Makes the trees of these partitions true before they are compared: records may be missing under them. */
  rebuildTrees(now: Instant, partitions: readonly number[]): void {
    const doubted = partitions.filter((partition) => !this.#rebuilding.has(partition));
    for (const partition of doubted) this.#rebuilding.add(partition);
    this.#works?.scrub.rebuild(now, doubted);
  }

  /** The schedule wants this exchange: it is begun when the part settles. */
  wantExchange(request: Parameters<ExchangeSeat["begin"]>[1]): void {
    this.#wanted = request;
  }

  /** The exchange of the schedule is over. */
  onExchanged(_now: Instant, result: ExchangeResult): void {
    this.#finished = result;
  }

  /** The comparisons of transfers; from `onStarted` on. */
  get comparisons(): Comparisons | undefined {
    return this.#works?.comparisons;
  }

  /** Later, and one node after the other: a ring keeps all nodes busy at the same instant as it is. */
  override onRing(now: Instant): void {
    this.#updateAt = after(now, updateAfterUs * (1 + (this.#shared.number % updateTurns)));
  }

  #update(now: Instant): void {
    const works = this.#works;
    if (works === undefined) return;
    this.#updateAt = after(now, works.schedule.tickUs);
    const { ring, number } = this.#shared;
    const trusted = (partition: number, n: number): boolean =>
      !this.isRebuilding(partition) && this.#shared.readRule(partition as never, n) === ReadRule.serve;
    const shared = sharedTrees(ring, number, trusted);
    works.schedule.update(now, shared);
    const held = new Set<number>();
    for (const { trees } of shared) for (const tree of trees) held.add(treePartition(tree));
    works.scrub.update(now, [...held]);
  }

  // Scrub.

  scan(now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void {
    const page = { partition, cursor, keysMax: scrubKeys, bytesMax: scrubBytes, token: id };
    this.#resources.questions().scanRecords(now, this, leaf < 0 ? page : { ...page, leaf });
  }

  correct(_now: Instant, { n, partition, leaf, deltaHigh, deltaLow, expected }: WrongLeaf): void {
    this.#resources.store().leaves.correct(n, partition, leaf, deltaHigh, deltaLow);
    if (expected || this.isRebuilding(partition)) return;
    this.#alarm("a Merkle tree did not say what is stored: it was corrected", { n, partition, leaf });
  }

  unreadable(now: Instant, _partition: number, fullKey: Uint8Array): void {
    this.#works?.mending.found(now, fullKey, "it cannot be read", 0);
  }

  scrubbed(_now: Instant, { partition, complete, error }: ScrubResult): void {
    if (error !== null) this.#alarm("a partition could not be read through", { partition, error });
    else if (complete) this.#rebuilding.delete(partition);
    if (this.#rebuilding.has(partition)) this.#again.push(partition);
  }

  /** Partitions whose rebuilding failed: tried again with the next grant. */
  readonly #again: number[] = [];

  #alarm(text: string, fields: LogFields): void {
    this.#shared.env.log.error(text, fields);
    const told = Object.entries(fields).map(([name, value]) => `${name} ${value}`);
    this.#shared.journal.note("repair", `${text}: ${told.join(", ")}`);
  }

  onScanned(now: Instant, token: number, page: RecordPage | null, error: string | null): void {
    this.#works?.scrub.onScanned(now, token, page, error);
  }

  // Time.

  override tick(now: Instant): void {
    const works = this.#works;
    if (works === undefined || this.#stopping) return;
    this.#shared.background.tick(now);
    if (this.#updateAt <= now) this.#update(now);
    works.schedule.tick(now);
    const { exchange } = works.seat;
    if (exchange.nextTick() <= now) exchange.tick(now);
    works.report.tick(now);
    works.comparisons.tick(now);
    const { mender } = works.mending;
    if (mender.nextTick() <= now) mender.tick(now);
    if (works.scrub.nextTick() <= now) works.scrub.tick(now);
    if (this.#grantAt <= now) this.#grant(now, works);
  }

  /** Shares what the controller grants among those that wait for it; the scrub has a small share of its own. */
  #grant(now: Instant, works: Works): void {
    this.#grantAt = after(now, grantEveryUs);
    const { background } = this.#shared;
    const seats = [works.seat, ...works.report.seats, ...works.comparisons.seats];
    const starved = seats.filter(({ exchange }) => exchange.starved);
    const credits = Math.max(1, Math.floor(background.shareOf(creditsPerSecond) / 10));
    const each = Math.max(1, Math.floor(credits / Math.max(1, starved.length)));
    for (const { exchange } of starved) exchange.grant(now, each);
    this.#scrubRest += background.shareOf(scrubPagesPerSecond * 1000) / 10;
    const pages = Math.floor(this.#scrubRest / 1000);
    this.#scrubRest -= pages * 1000;
    if (this.#again.length > 0) works.scrub.rebuild(now, this.#again.splice(0));
    if (works.mending.mender.starved) {
      works.mending.mender.grant(now, Math.ceil(background.shareOf(mendsPerSecond) / 10));
    }
    if (pages > 0 && works.scrub.starved) works.scrub.grant(now, pages);
  }

  override nextTick(): Instant {
    const works = this.#works;
    if (works === undefined || this.#stopping) return never;
    let next = Math.min(
      this.#updateAt,
      this.#shared.background.nextTick(),
      works.schedule.nextTick(),
      works.comparisons.nextTick(),
      works.mending.mender.nextTick(),
    );
    next = Math.min(next, works.scrub.nextTick());
    next = Math.min(next, works.seat.exchange.nextTick(), works.report.nextTick());
    let starves = works.scrub.starved || this.#again.length > 0 || works.seat.exchange.starved;
    starves ||= works.mending.mender.starved;
    for (const { exchange } of works.report.seats) starves ||= exchange.starved;
    for (const { exchange } of works.comparisons.seats) starves ||= exchange.starved;
    return (starves ? Math.min(next, this.#grantAt) : next) as Instant;
  }

  override settle(now: Instant): void {
    const works = this.#works;
    if (works === undefined) return;
    for (const { asker, id, push } of this.#asked.takeFailed()) {
      if (push) asker.onMoved(now, id, connectionLost);
      else asker.onAnswer(now, id, connectionLost, null);
    }
    this.#records.settle(now);
    works.seat.settle(now);
    works.comparisons.settle(now);
    works.report.settle(now);
    const finished = this.#finished;
    this.#finished = null;
    if (finished !== null) {
      works.report.onExchanged(now, finished);
      works.schedule.onFinished(now, finished);
    }
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted !== null && !this.#stopping) works.seat.begin(now, wanted);
  }

  override stop(): void {
    this.#stopping = true;
  }
}
