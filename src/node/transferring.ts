/**
 * Transferring: the part of a node that moves partitions to their new owners and knows which of its replicas are
 * complete (Dynamo 6.2). The thinking is in `handoff/transfers.ts`; here its questions become frames, scans, merges and
 * files. It also sets the rules by which this node answers replica requests.
 */
import { type Status, statusOk, wireOf } from "../base/errors.ts";
import { bucketOf } from "../base/full-key.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { Rng } from "../base/rng.ts";
import { Slab } from "../base/slab.ts";
import { type Instant, never } from "../base/time.ts";
import { pageBytes } from "../handoff/page-merge.ts";
import type { Transfer } from "../handoff/transfer.ts";
import {
  type Compared,
  type Covered,
  defaultTransferConfig,
  type TransferEffects,
  type TransferEvent,
} from "../handoff/transfer-effects.ts";
import { Transfers } from "../handoff/transfers.ts";
import { treeIdOf } from "../repair/merkle-tree.ts";
import type { Actors } from "../replica/actors.ts";
import type { Ring } from "../ring/ring.ts";
import type { DeletedPage, RecordPage } from "../storage/store.ts";
import { checkRecord } from "../version/record.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  TransferCloseReply,
  TransferCloseRequest,
  TransferConfirmedReply,
  TransferConfirmedRequest,
  TransferPullReply,
  TransferPullRequest,
  TransferStatusReply,
  TransferStatusRequest,
} from "../wire/gen/codecs.ts";
import { recordsPerPullMax, transferRowsMax } from "../wire/limits.ts";
import { transferBytesPerSecondMax } from "./background.ts";
import type { Comparisons } from "./comparisons.ts";
import { LocalRecords, type RecordAsker } from "./local-records.ts";
import { loadTransfers, transfersBytes } from "./node-files.ts";
import { Part, type Route } from "./part.ts";
import { PeerQuestions } from "./peer-questions.ts";
import type { Peer } from "./peers.ts";
import type { PartResources } from "./repairing.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import type { StoreAsker } from "./store-questions.ts";
import { Ticket } from "./ticket.ts";

/** Copies received at a time: each waits a while for its comparisons, so few would leave the node idle. */
const copiesMax = 16;
/** Replicas compared at a time to become complete again: mostly their trees are equal, and comparing them is waiting. */
const regainsMax = 64;
const ticketsMax = 4_096;

const connectionLost = wireOf("CONNECTION_LOST");
const invalidArgument = wireOf("INVALID_ARGUMENT");

/** What the part is given besides. */
export interface TransferResources extends PartResources {
  readonly actors: () => Actors;
  /** Compares trees; there from `onStarted` on. */
  readonly comparisons: () => Comparisons;
  /** Makes trees true that count what is not there. */
  readonly rebuildTrees: (now: Instant, partition: PartitionId) => void;
  /** All that was in doubt about this directory at the boot is on stable storage. */
  readonly doubtsSaved: () => void;
}

/** One per node. */
export class Transferring extends Part implements TransferEffects, StoreAsker, RecordAsker {
  readonly #resources: TransferResources;
  readonly #shared: NodeState;
  readonly #records: LocalRecords;
  readonly #received;
  /** By the core's tokens. */
  readonly #asked: PeerQuestions<number>;
  readonly #tickets: Slab<Ticket> = new Slab(ticketsMax);
  /** The n that each page under way is read for. */
  readonly #pageOf: Map<number, number> = new Map();
  #core: Transfers | undefined = undefined;
  /** What could not be asked at all. */
  #refusedMerges: number[] = [];
  /** Pairs of (id, since), to be told when the part settles. */
  #confirmed: number[] = [];
  #rate = 0;
  #inDoubt = true;

  constructor(resources: TransferResources) {
    super();
    this.#resources = resources;
    this.#shared = resources.shared;
    this.#records = new LocalRecords(resources.shared, resources.run);
    this.#asked = new PeerQuestions(resources.peers);
    this.#received = resources.shared.metrics.counter("transfer_bytes_received");
  }

  override get routes(): readonly Route[] {
    return [
      { type: FrameType.TRANSFER_PULL, roles: ["node"] },
      { type: FrameType.TRANSFER_CLOSE, roles: ["node"] },
      { type: FrameType.TRANSFER_CONFIRMED, roles: ["node"] },
      { type: FrameType.TRANSFER_STATUS, roles: ["client", "node"] },
    ];
  }

  override get asks(): readonly number[] {
    return [FrameType.TRANSFER_PULL, FrameType.TRANSFER_CLOSE, FrameType.TRANSFER_CONFIRMED];
  }

  /** The core, once the store is open: for checkers, and for who must know what is complete. */
  get core(): Transfers | undefined {
    return this.#core;
  }

  override onStarted(now: Instant): void {
    const shared = this.#shared;
    const saved = loadTransfers(shared.env.stateFiles) ?? null;
    const { background } = shared;
    this.#rate = background.shareOf(transferBytesPerSecondMax);
    const seed = new DataView(shared.env.randomBytes(4).buffer).getUint32(0);
    const core = new Transfers({
      me: shared.number,
      ring: shared.ring,
      effects: this,
      config: { ...defaultTransferConfig, copiesMax, regainsMax, bytesPerSecond: this.#rate },
      rng: new Rng(seed),
      saved,
      trusted: saved !== null || shared.isFirstBoot,
    });
    this.#core = core;
    shared.readRule = (partition, n) => core.readRule(partition, n);
    shared.writeRule = (partition, n) => core.writeRule(partition, n);
    shared.transfersOpen = () => core.open;
    shared.ringSettled = () => core.ringSettled;
    core.start(now);
    if (shared.doubt === null) return;
    shared.env.log.warn("every replica of this node is compared with the others before it answers reads", {
      reason: shared.doubt,
    });
    core.loseAllSynced(now);
  }

  override onRing(now: Instant, ring: Ring): void {
    if (this.#core !== undefined) this.#core.onRing(now, ring);
  }

  // Frames.

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    const core = this.#core;
    const { type } = frame;
    if (core === undefined) session.fail(frame, wireOf("NOT_SYNCED"), "the node is starting");
    else if (type === FrameType.TRANSFER_CONFIRMED) {
      const { transfers, epoch } = frame.decode(TransferConfirmedRequest);
      this.#onPeerEpoch(now, session, epoch);
      session.answer(frame, TransferConfirmedReply, { epoch: this.#shared.epoch });
      this.#shared.onConfirmed(now, transfers);
    } else if (type === FrameType.TRANSFER_STATUS) {
      frame.decode(TransferStatusRequest);
      const rows = core.report(now).slice(0, transferRowsMax);
      session.answer(frame, TransferStatusReply, { epoch: this.#shared.epoch, rows });
    } else if (this.#tickets.full) session.fail(frame, wireOf("OVERLOADED"), "too many transfers ask");
    else if (type === FrameType.TRANSFER_PULL) {
      const request = frame.decode(TransferPullRequest);
      core.onPull(now, session.number as NodeNumber, request, this.#tickets.add(new Ticket(session, frame)) + 1);
    } else {
      const request = frame.decode(TransferCloseRequest);
      core.onClose(now, session.number as NodeNumber, request, this.#tickets.add(new Ticket(session, frame)) + 1);
    }
  }

  #onPeerEpoch(now: Instant, session: Session, epoch: number): void {
    if (session.number !== 0 && epoch > this.#shared.epoch) this.#shared.onNewerEpoch(now, session.number, epoch);
  }

  #takeTicket(replyTo: number): Ticket {
    const ticket = this.#tickets.get(replyTo - 1) as Ticket;
    this.#tickets.remove(replyTo - 1);
    return ticket;
  }

  answerPull(_now: Instant, replyTo: number, status: Status, reply: TransferPullReply | null): void {
    const ticket = this.#takeTicket(replyTo);
    if (reply === null) ticket.fail(status, "");
    else ticket.answer(TransferPullReply, reply);
  }

  answerClose(_now: Instant, replyTo: number, status: Status, reply: TransferCloseReply | null): void {
    const ticket = this.#takeTicket(replyTo);
    if (reply === null) ticket.fail(status, "");
    else ticket.answer(TransferCloseReply, reply);
  }

  pull(_now: Instant, to: NodeNumber, request: TransferPullRequest, token: number): void {
    this.#asked.ask(to, FrameType.TRANSFER_PULL, TransferPullRequest, request, token);
  }

  close(_now: Instant, to: NodeNumber, request: TransferCloseRequest, token: number): void {
    this.#asked.ask(to, FrameType.TRANSFER_CLOSE, TransferCloseRequest, request, token);
  }

  reportConfirmed(_now: Instant, { id, since }: Transfer): void {
    this.#confirmed.push(id, since);
  }

  override onReply(now: Instant, peer: Peer, frame: Frame): void {
    if (frame.answers === FrameType.TRANSFER_CONFIRMED) return;
    const token = this.#asked.take(frame.frameId);
    if (token === undefined) return;
    if (frame.status !== statusOk) this.#core?.onAskFailed(now, token, frame.status);
    else if (frame.answers === FrameType.TRANSFER_CLOSE) {
      frame.decode(TransferCloseReply);
      this.#core?.onClosed(now, token);
    } else {
      const reply = frame.decode(TransferPullReply);
      this.#shared.onNewerEpoch(now, peer.number, reply.epoch);
      this.#received.value += pageBytes(reply.keys, reply.records);
      this.#core?.onPulled(now, token, reply);
    }
  }

  override onPeerUp(now: Instant, number: NodeNumber): void {
    this.#core?.onPeerUp(now, number);
  }

  override onPeerLost(_now: Instant, number: NodeNumber): void {
    this.#asked.onPeerLost(number);
  }

  newerRing(now: Instant, from: NodeNumber, epoch: number): void {
    this.#shared.onNewerEpoch(now, from, epoch);
  }

  // The own store and files.

  persist(_now: Instant, file: Uint8Array, token: number): void {
    this.#shared.saves.save("transfers", transfersBytes(file), (now) => this.#core?.onPersisted(now, token));
  }

  scanPage(
    now: Instant,
    partition: PartitionId,
    n: number,
    cursor: Uint8Array | null,
    bytesMax: number,
    token: number,
  ): void {
    this.#pageOf.set(token, n);
    const page = { partition, cursor, keysMax: recordsPerPullMax, bytesMax, token };
    this.#resources.questions().scanRecords(now, this, page);
  }

  onScanned(now: Instant, token: number, page: RecordPage | null, _error: string | null): void {
    const n = this.#pageOf.get(token) as number;
    this.#pageOf.delete(token);
    this.#core?.onScanned(now, token, page === null ? null : this.#onlyOf(page, n));
  }

  #sizeOf(fullKey: Uint8Array): number {
    return this.#shared.ring.policyOf(bucketOf(fullKey)).n;
  }

  /** The page's records of buckets with this n. */
  #onlyOf(page: RecordPage, n: number): RecordPage {
    const { cursor } = page;
    const fullKeys: Uint8Array[] = [];
    const records: Uint8Array[] = [];
    for (const [i, fullKey] of page.fullKeys.entries()) {
      if (this.#sizeOf(fullKey) !== n) continue;
      fullKeys.push(fullKey);
      records.push(page.records[i] as Uint8Array);
    }
    return { fullKeys, records, unreadable: page.unreadable.filter((key) => this.#sizeOf(key) === n), cursor };
  }

  mergeRecord(
    now: Instant,
    _partition: PartitionId,
    _n: number,
    fullKey: Uint8Array,
    record: Uint8Array,
    token: number,
  ): void {
    if (fullKey.length < 2 || checkRecord(record) !== null) this.#refusedMerges.push(token);
    else this.#records.mergeCopied(now, this, token, fullKey, record);
  }

  onMoved(now: Instant, token: number, status: Status): void {
    this.#core?.onMerged(now, token, status);
  }

  onRecord(): void {}

  deletePage(now: Instant, partition: PartitionId, n: number, cursor: Uint8Array | null, token: number): void {
    const treeOf = (fullKey: Uint8Array): number => (this.#sizeOf(fullKey) === n ? n : 0);
    this.#resources.questions().deleteRange(now, this, { partition, treeOf, cursor, token });
  }

  onDeleted(now: Instant, token: number, page: DeletedPage | null, _error: string | null): void {
    this.#core?.onDeleted(now, token, page);
  }

  syncStore(now: Instant, token: number): void {
    this.#resources.questions().syncAll(now, this, token);
  }

  onStoreSynced(now: Instant, token: number): void {
    this.#core?.onStoreSynced(now, token);
  }

  holds(partition: PartitionId, n: number): boolean {
    return this.#resources.store().leaves.holds(n, partition);
  }

  rebuildTrees(now: Instant, partition: PartitionId): void {
    this.#resources.rebuildTrees(now, partition);
  }

  compareTrees(now: Instant, partition: PartitionId, n: number, peer: NodeNumber, token: number): void {
    this.#resources.comparisons().compare(now, treeIdOf(n, partition), peer, (at, equal) => {
      const outcome: Compared = equal ? "equal" : "failed";
      this.#core?.onCompared(at, token, outcome);
    });
  }

  compareKeys(now: Instant, partition: PartitionId, n: number, owners: readonly NodeNumber[], token: number): void {
    this.#resources.comparisons().cover(now, treeIdOf(n, partition), owners, (at, covered) => {
      const outcome: Covered = covered === null ? "failed" : covered ? "covered" : "uncovered";
      this.#core?.onCovered(at, token, outcome);
    });
  }

  keepsHints(): boolean {
    const { ring } = this.#shared;
    const statusOf = (number: number): string | undefined => ring.member(number as NodeNumber)?.status;
    return this.#resources
      .store()
      .hints.targets()
      .some((target) => statusOf(target) === "member" || statusOf(target) === "joining");
  }

  // What others know.

  isDead(number: NodeNumber): boolean {
    return this.#shared.isDead(number);
  }

  everyMemberAt(epoch: number): boolean {
    return this.#shared.everyMemberAt(epoch);
  }

  memberAt(number: NodeNumber, epoch: number): boolean {
    return this.#shared.memberAt(number, epoch);
  }

  gaveUp(now: Instant, partition: PartitionId): void {
    this.#resources.actors().renew(now, partition);
  }

  leftOut(_now: Instant, partition: PartitionId, n: number, owners: readonly NodeNumber[]): void {
    const text = "a replica counts as complete again although some owners could not be compared with";
    this.#shared.env.log.warn(text, { partition, n, owners: owners.join(" ") });
    const whom = `partition ${partition}, n ${n}, without ${owners.join(", ")}`;
    this.#shared.journal.note("repair", `${text}: ${whom}`);
  }

  happened(_now: Instant, event: TransferEvent, { id, partition, n, joining, replaced }: Transfer): void {
    this.#shared.env.log.debug(`transfer ${event}`, { id, partition, n, joining, replaced });
  }

  // Time.

  override tick(now: Instant): void {
    const core = this.#core;
    if (core === undefined) return;
    const rate = this.#shared.background.shareOf(transferBytesPerSecondMax);
    if (rate !== this.#rate) {
      this.#rate = rate;
      core.setRate(now, rate);
    }
    if (core.nextTick() <= now) core.tick(now);
  }

  override nextTick(): Instant {
    return this.#core?.nextTick() ?? never;
  }

  override settle(now: Instant): void {
    const core = this.#core;
    if (core === undefined) return;
    for (const token of this.#asked.takeFailed()) core.onAskFailed(now, token, connectionLost);
    if (this.#refusedMerges.length > 0)
      for (const token of this.#refusedMerges.splice(0)) core.onMerged(now, token, invalidArgument);
    this.#records.settle(now);
    this.#tellConfirmed(now);
    if (this.#inDoubt && core.saved) {
      this.#inDoubt = false;
      this.#resources.doubtsSaved();
    }
  }

  /** Everybody is told: whoever makes the next ring is among them. */
  #tellConfirmed(now: Instant): void {
    while (this.#confirmed.length > 0) {
      const transfers = this.#confirmed.splice(0, 2 * transferRowsMax);
      const message = { epoch: this.#shared.epoch, transfers };
      for (const peer of this.#resources.peers.list) {
        peer.send(FrameType.TRANSFER_CONFIRMED, 0, TransferConfirmedRequest, message);
      }
      this.#shared.onConfirmed(now, transfers);
    }
  }
}
