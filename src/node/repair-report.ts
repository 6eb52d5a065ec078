/** RepairReport: what `ringtail repair` and `ringtail sync-point` ask of a node: how far comparing is, and previews. */
import { RingtailError, type Status, statusOk } from "../base/errors.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import { ReadRule } from "../handoff/transfer.ts";
import type { ExchangeResult } from "../repair/exchange.ts";
import { type TreeId, treeIdOf } from "../repair/merkle-tree.ts";
import type { RepairSchedule } from "../repair/schedule.ts";
import type { Scrub } from "../repair/scrub.ts";
import { leavesPerTree } from "../storage/keys.ts";
import type { Frame } from "../wire/frame.ts";
import {
  type Counter,
  type RepairPreviewPeer,
  RepairPreviewReply,
  RepairPreviewRequest,
  RepairStatusReply,
  RepairStatusRequest,
} from "../wire/gen/codecs.ts";
import { previewPeersMax, previewRowsMax } from "../wire/limits.ts";
import { slicesMax } from "./background.ts";
import { ExchangeSeat, nextTickOf, type SeatHost, settleSeats, tickSeats } from "./exchange-seat.ts";
import type { Mending } from "./mending.ts";
import type { Session } from "./session.ts";
import { Ticket } from "./ticket.ts";

/** Previews under way at once; each costs as much as a repair. */
const previewsMax = 4;

/** What a status is read from. */
export interface RepairWorks {
  readonly seat: ExchangeSeat;
  readonly schedule: RepairSchedule;
  readonly scrub: Scrub;
  readonly mending: Mending;
}

/** A pair of a tree and somebody who is to have the same one. */
interface Pair {
  readonly peer: NodeNumber;
  readonly tree: TreeId;
}

/** One preview: the owners of a partition, one after the other. */
interface Preview {
  readonly ticket: Ticket;
  readonly keysMax: number;
  readonly left: Pair[];
  readonly peers: RepairPreviewPeer[];
}

/** One per node. */
export class RepairReport {
  readonly #host: SeatHost;
  readonly #mayCompare: (tree: TreeId) => boolean;
  readonly #seats: Set<ExchangeSeat> = new Set();
  #last: { readonly result: ExchangeResult; readonly at: Instant } | null = null;

  constructor(host: SeatHost, mayCompare: (tree: TreeId) => boolean) {
    this.#host = host;
    this.#mayCompare = mayCompare;
  }

  /** Previews under way. */
  get seats(): ReadonlySet<ExchangeSeat> {
    return this.#seats;
  }

  /** An exchange of the schedule is over. */
  onExchanged(now: Instant, result: ExchangeResult): void {
    this.#last = { result, at: now };
  }

  /** REPAIR_STATUS. Throws `WireError`. */
  onStatus(now: Instant, works: RepairWorks, slices: number, session: Session, frame: Frame): void {
    const { hurry } = frame.decode(RepairStatusRequest);
    if (hurry) works.schedule.hurry(now);
    const oldest = works.schedule.oldest();
    const last = this.#last;
    session.answer(frame, RepairStatusReply, {
      epoch: this.#host.shared.epoch,
      nowUs: now,
      pairs: works.schedule.pairs,
      verifiedUs: oldest === null ? now : oldest.since,
      oldestPeer: oldest?.peer ?? 0,
      oldestTree: oldest?.tree ?? 0,
      lastPeer: last?.result.peer ?? 0,
      lastUs: last?.at ?? 0,
      lastStatus: last?.result.status ?? 0,
      lastTrees: last?.result.trees.length ?? 0,
      lastRepaired: last?.result.trees.filter(({ outcome }) => outcome === "repaired").length ?? 0,
      unsynced: this.#unsynced(),
      slices,
      slicesMax,
      counters: countersOf(works),
    });
  }

  #unsynced(): number {
    const { ring, readRule } = this.#host.shared;
    let count = 0;
    for (const n of ring.listSizes) {
      for (let p = 0 as PartitionId; p < ring.partitions; p = (p + 1) as PartitionId) {
        if (readRule(p, n) === ReadRule.notSynced) count += 1;
      }
    }
    return count;
  }

  /** REPAIR_PREVIEW: answered when all owners were compared. Throws `WireError` and `RingtailError`. */
  onPreview(now: Instant, session: Session, frame: Frame): void {
    const { partition, keysMax } = frame.decode(RepairPreviewRequest);
    const left = this.#pairsOf(partition).slice(0, previewPeersMax);
    if (this.#seats.size >= previewsMax) throw new RingtailError("OVERLOADED", "too many previews are under way");
    this.#next(now, {
      ticket: new Ticket(session, frame),
      keysMax: Math.min(keysMax, previewRowsMax),
      left,
      peers: [],
    });
  }

  #pairsOf(partition: number): Pair[] {
    const { ring, number } = this.#host.shared;
    if (partition >= ring.partitions) {
      throw new RingtailError("INVALID_ARGUMENT", `partition is ${partition}; allowed: 0 to ${ring.partitions - 1}`);
    }
    const pairs: Pair[] = [];
    let owns = false;
    for (const n of ring.listSizes) {
      if (!this.#mayCompare(treeIdOf(n, partition))) continue;
      owns = true;
      for (const owner of ring.preferenceList(partition as PartitionId, n).subarray(0, n)) {
        if (owner !== number) pairs.push({ peer: owner as NodeNumber, tree: treeIdOf(n, partition) });
      }
    }
    if (!owns) throw new RingtailError("WRONG_OWNER", `this node holds nothing of partition ${partition} to compare`);
    return pairs;
  }

  #next(now: Instant, preview: Preview): void {
    const pair = preview.ticket.session.closed ? undefined : preview.left.shift();
    if (pair === undefined) {
      const { peers, ticket } = preview;
      ticket.answer(RepairPreviewReply, { epoch: this.#host.shared.epoch, peers });
      return;
    }
    const seat = new ExchangeSeat(this.#host, false, (at, result) => {
      this.#seats.delete(seat);
      preview.peers.push(peerOf(seat, result.status, result, preview.keysMax));
      this.#next(at, preview);
    });
    this.#seats.add(seat);
    const { peer, tree } = pair;
    const trees = [{ tree, cursor: 0 }];
    seat.begin(now, { peer, trees, leavesMax: leavesPerTree, direction: "both", preview: true, untilEqual: 0 });
  }

  tick(now: Instant): void {
    tickSeats(now, this.#seats);
  }

  nextTick(): Instant {
    return nextTickOf(this.#seats);
  }

  settle(now: Instant): void {
    settleSeats(now, this.#seats);
  }
}

function peerOf(seat: ExchangeSeat, status: Status, result: ExchangeResult, keysMax: number): RepairPreviewPeer {
  const rows = seat.previewed.slice(0, keysMax).map(({ fullKey, relation, bytesHere, bytesThere }) => {
    return { fullKey, relation, bytesHere, bytesThere };
  });
  const refused = status === statusOk && result.trees[0]?.outcome === "refused";
  return { peer: result.peer, status, refused, keys: seat.previewed.length, rows };
}

function countersOf({ seat, scrub, mending }: RepairWorks): Counter[] {
  const of = (prefix: string, counters: object): Counter[] =>
    Object.entries(counters).map(([name, value]) => ({ name: `${prefix}${name}`, value: value as number }));
  return [...of("", seat.exchange.counters), ...of("scrub_", scrub.counters), ...of("mend_", mending.mender.counters)];
}
