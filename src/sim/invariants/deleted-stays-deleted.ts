/**
 * deleted-stays-deleted (I-9): what a node forgets for good was on every owner's stable storage, and nobody keeps a hint
 * with anything that it supersedes; and once it is forgotten, no record on any disk, own copy or hint, ever shows a value
 * that it had superseded. Judged at each write, by what the disks are given.
 */
import type { Instant } from "../../base/time.ts";
import type { Ring } from "../../ring/ring.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import type { VersionVector } from "../../version/version-vector.ts";
import type { Cluster } from "../cluster.ts";
import { versionText } from "../history.ts";
import type { RecordWatch } from "../ledger.ts";
import type { Report } from "../violation.ts";

interface Kept {
  readonly node: number;
  readonly key: string;
  readonly set: SiblingSet;
}

/** Watches every record that a node writes, and every one that it forgets. */
export class DeletedStaysDeleted implements RecordWatch {
  readonly #cluster: Cluster;
  readonly #report: Report;
  /** Hints, by node, key and target. */
  readonly #kept = new Map<string, Kept>();

  constructor(cluster: Cluster, report: Report) {
    this.#cluster = cluster;
    this.#report = report;
  }

  onRecord(now: Instant, node: number, key: string, set: SiblingSet, target: number): void {
    if (target !== 0) this.#kept.set(`${node}/${target}/${key}`, { node, key, set });
    const forgotten = this.#cluster.ledger.forgotten(key);
    if (forgotten.size === 0 || !showsAny(set, forgotten)) return;
    this.#blame(
      now,
      key,
      `node ${node + 1} writes a value that was superseded and forgotten: ${versionText(forgotten)}`,
    );
  }

  onForgotten(now: Instant, node: number, key: string, set: SiblingSet): void {
    if (set.siblings.some(({ tombstone }) => !tombstone)) this.#blame(now, key, `node ${node + 1} forgets a value`);
    this.#judge(now, node, key, set.version);
  }

  onPruned(now: Instant, node: number, key: string, entries: VersionVector): void {
    this.#judge(now, node, key, entries);
  }

  #judge(now: Instant, node: number, key: string, version: VersionVector): void {
    const { ledger } = this.#cluster;
    const ring = this.#cluster.nodeAt(node)?.ring;
    if (ring === undefined) return;
    for (const seat of this.#cluster.owners(key, ring)) {
      if (ledger.hasSynced(seat, key, version)) continue;
      this.#blame(now, key, `node ${node + 1} forgets ${versionText(version)}, which node ${seat + 1} never synced`);
    }
    for (const kept of this.#kept.values()) {
      if (kept.key !== key || !showsAny(kept.set, version) || this.#hasLeft(ring, kept.node)) continue;
      this.#blame(
        now,
        key,
        `node ${node + 1} forgets ${versionText(version)}, and node ${kept.node + 1} keeps a hint of it`,
      );
    }
  }

  /** Nobody takes anything from a node that has left, so what it still keeps comes back to nobody. */
  #hasLeft({ members }: Ring, seat: number): boolean {
    return members.find(({ address }) => this.#cluster.seatAt(address) === seat)?.status === "left";
  }

  #blame(at: Instant, key: string, text: string): void {
    this.#report({ at, invariant: "deleted-stays-deleted", key, text });
  }

  onHintDropped(_now: Instant, node: number, key: string, target: number): void {
    this.#kept.delete(`${node}/${target}/${key}`);
  }

  onRecount(node: number): void {
    for (const name of [...this.#kept.keys()]) if (name.startsWith(`${node}/`)) this.#kept.delete(name);
  }

  onHintFound(node: number, key: string, set: SiblingSet, target: number): void {
    this.#kept.set(`${node}/${target}/${key}`, { node, key, set });
  }
}

/** Whether a value is among the siblings whose write this version covers. */
function showsAny(set: SiblingSet, version: VersionVector): boolean {
  return set.siblings.some(({ tombstone, dots }) => !tombstone && version.coversAny(dots));
}
