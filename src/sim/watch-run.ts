/** WatchRun: the invariants that are judged at every event of a run, put in their places. Those of its end are in phases.ts. */
import { Durability } from "../base/durability.ts";
import { VersionVector } from "../version/version-vector.ts";
import type { Cluster } from "./cluster.ts";
import { inMemory } from "./in-memory.ts";
import { CountersRise } from "./invariants/counters-rise.ts";
import { DeletedStaysDeleted } from "./invariants/deleted-stays-deleted.ts";
import { DotsUnique } from "./invariants/dots-unique.ts";
import { HintsComeHome } from "./invariants/hints-come-home.ts";
import { IncarnationsRise } from "./invariants/incarnations-rise.ts";
import type { NoFalseDead } from "./invariants/no-false-dead.ts";
import { OneRingPerEpoch } from "./invariants/one-ring-per-epoch.ts";
import { OwnershipNeverGaps } from "./invariants/ownership-never-gaps.ts";
import { StampsRise } from "./invariants/stamps-rise.ts";
import type { RunPlan } from "./plan.ts";
import type { Report } from "./violation.ts";

/** With more loss than this false deaths are a matter of chance. */
const judgedLossPerMille = 50;

/** What is to be watched, and who is told. */
export interface WatchRequest {
  readonly cluster: Cluster;
  readonly plan: RunPlan;
  readonly noFalseDead: NoFalseDead;
  /** Whether the node on that seat has been given up with what it held. */
  readonly isLost: (seat: number) => boolean;
  readonly report: Report;
}

/** Begins to watch; before the cluster boots. */
export function watchRun(request: WatchRequest): void {
  watchMembers(request);
  watchRings(request);
  watchRecords(request);
}

function watchMembers({ cluster, plan, noFalseDead, report }: WatchRequest): void {
  cluster.membership.add(new IncarnationsRise(report));
  if (plan.datagrams.lossPerMille <= judgedLossPerMille) cluster.membership.add(noFalseDead);
}

function watchRings({ cluster, plan, isLost, report }: WatchRequest): void {
  const { ledger, rings } = cluster;
  const oneRing = new OneRingPerEpoch(report);
  const noGaps = new OwnershipNeverGaps(
    {
      owners: (key) => cluster.owners(key),
      isLost,
      partitionOf: (key) => cluster.partitionOf(key),
      seatOf: (number) => cluster.seatOf(number),
      forgotten: (key) => ledger.forgotten(key),
      inMemory: (seat, key) => {
        const set = plan.durability === Durability.memory ? inMemory(cluster, seat, key) : undefined;
        return set?.version ?? VersionVector.empty;
      },
    },
    report,
  );
  rings.watch((saved) => {
    oneRing.onSave(saved);
    if (saved.isNews) noGaps.onRing(saved.at);
  });
  rings.watchKept((kept) => oneRing.onKept(kept));
  rings.watchCopying((seat, { partition, replaced }) => {
    noGaps.onCopying(seat, cluster.seatOf(replaced), partition);
  });
  ledger.watch(noGaps);
}

function watchRecords({ cluster, plan, report }: WatchRequest): void {
  const { ledger, world } = cluster;
  ledger.watch(new HintsComeHome(cluster, report));
  ledger.watch(new DeletedStaysDeleted(cluster, report));
  ledger.watch(new DotsUnique((key) => cluster.partitionOf(key), report));
  ledger.watch(new StampsRise(report));
  if (plan.durability === Durability.memory) return;
  const numberOf = (seat: number): number => cluster.nodeAt(seat)?.shared.number ?? 0;
  const lifeOf = (seat: number): number => world.nodes[seat]?.life ?? 0;
  ledger.watch(new CountersRise(numberOf, lifeOf, report));
}
