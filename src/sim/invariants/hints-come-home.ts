/**
 * hints-come-home (I-7): a node deletes a hint only when the record as it was last stored in it is on its target's stable
 * storage, or is kept as a hint for another node, because the ring names another owner now. Judged when the deletion is
 * handed to the engine, by what the other disks have been seen to sync: no receipt is believed. A hint that was damaged
 * on its disk has lost what it held already.
 */
import type { Instant } from "../../base/time.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import { VersionVector } from "../../version/version-vector.ts";
import type { Cluster } from "../cluster.ts";
import { versionText } from "../history.ts";
import type { RecordWatch } from "../ledger.ts";
import type { Report } from "../violation.ts";

/** Watches every hint that a node keeps and deletes. */
export class HintsComeHome implements RecordWatch {
  readonly #cluster: Cluster;
  readonly #report: Report;
  /** By node, key and target: what the hint held when it was last written. */
  readonly #kept = new Map<string, VersionVector>();
  readonly #damaged = new Set<string>();

  constructor(cluster: Cluster, report: Report) {
    this.#cluster = cluster;
    this.#report = report;
  }

  onRecord(_now: Instant, node: number, key: string, set: SiblingSet, target: number): void {
    if (target === 0) return;
    this.#kept.set(nameOf(node, key, target), set.version);
    this.#damaged.delete(nameOf(node, key, target));
  }

  onHintDamaged(node: number, key: string, target: number): void {
    this.#damaged.add(nameOf(node, key, target));
  }

  /** What was written last may have gone with the power. */
  onRecount(node: number): void {
    for (const name of [...this.#kept.keys()]) if (name.startsWith(`${node}/`)) this.#kept.delete(name);
  }

  onHintFound(node: number, key: string, set: SiblingSet, target: number): void {
    this.#kept.set(nameOf(node, key, target), set.version);
  }

  onHintDropped(now: Instant, node: number, key: string, target: number): void {
    const version = this.#kept.get(nameOf(node, key, target)) ?? VersionVector.empty;
    this.#kept.delete(nameOf(node, key, target));
    if (this.#damaged.delete(nameOf(node, key, target))) return;
    const seat = this.#cluster.seatOf(target);
    if (seat >= 0 && this.#cluster.ledger.hasSynced(seat, key, version)) return;
    const numbers = this.#cluster.newestRing?.members.length ?? 0;
    for (let other = 1; other <= numbers; other += 1) {
      if (this.#kept.get(nameOf(node, key, other))?.coversAll(version) === true) return;
    }
    const text = `node ${node + 1} deletes the hint for node number ${target}, which never synced ${versionText(version)}`;
    this.#report({ at: now, invariant: "hints-come-home", key, text });
  }
}

function nameOf(node: number, key: string, target: number): string {
  return `${node}/${target}/${key}`;
}
