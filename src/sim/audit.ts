/**
 * Audit: what an invariant may look at when a run is over and everything has been healed and read: history, ledger,
 * disks, and the nodes themselves. One file per invariant lies in invariants/; some also watch while the run goes on.
 */
import { utf8Text } from "../base/bytes.ts";
import { keyOf } from "../base/full-key.ts";
import type { Instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { Cluster } from "./cluster.ts";
import type { Report } from "./violation.ts";

/** An invariant as it is judged once, at the end. */
export interface Invariant {
  readonly name: string;
  check(audit: Audit): void;
}

export class Audit {
  readonly cluster: Cluster;
  readonly report: Report;
  readonly ring: Ring;
  /** Per node: what its disk holds, key's name -> sealed record. */
  readonly disks: readonly ReadonlyMap<string, Uint8Array>[];

  constructor(cluster: Cluster, ring: Ring, report: Report) {
    this.cluster = cluster;
    this.ring = ring;
    this.report = report;
    this.disks = cluster.drives.map((drive) => {
      const held = new Map<string, Uint8Array>();
      for (const [fullKey, sealed] of drive.records()) held.set(utf8Text(keyOf(fullKey)), sealed);
      return held;
    });
  }

  get now(): Instant {
    return this.cluster.world.now;
  }

  /** The seats (positions) of a key's owners, in the order of its preference list. */
  owners(key: string): number[] {
    return this.cluster.owners(key);
  }

  /** The seats of those who are in the cluster at the end. */
  get members(): readonly number[] {
    return this.cluster.members();
  }

  blame(invariant: string, text: string, key?: string): void {
    this.report(key === undefined ? { at: this.now, invariant, text } : { at: this.now, invariant, text, key });
  }
}
