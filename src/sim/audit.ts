/**
 * Audit: what an invariant may look at when a run is over and everything has been healed and read: history, ledger,
 * disks, and the nodes themselves. One file per invariant lies in invariants/; some also watch while the run goes on.
 */
import { utf8Text } from "../base/bytes.ts";
import { keyOf } from "../base/full-key.ts";
import type { Instant } from "../base/time.ts";
import type { Ring } from "../ring/ring.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import type { Cluster } from "./cluster.ts";
import type { Report } from "./violation.ts";

/** An invariant as it is judged once, at the end. */
export interface Invariant {
  readonly name: string;
  check(audit: Audit): void;
}

function nameOf(fullKey: Uint8Array): string {
  return utf8Text(keyOf(fullKey));
}

export class Audit {
  readonly cluster: Cluster;
  readonly report: Report;
  readonly ring: Ring;
  /** Per node: what its disk holds, as full keys and sealed records. */
  readonly records: readonly (readonly (readonly [Uint8Array, Uint8Array])[])[];
  /** The same, key's name -> sealed record. */
  readonly disks: readonly ReadonlyMap<string, Uint8Array>[];

  constructor(cluster: Cluster, ring: Ring, report: Report) {
    this.cluster = cluster;
    this.ring = ring;
    this.report = report;
    this.records = cluster.drives.map((drive) => [...drive.records()]);
    this.disks = this.records.map((held) => new Map(held.map(([fullKey, sealed]) => [nameOf(fullKey), sealed])));
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

  /** A sealed record of one of them, opened. */
  open(sealed: Uint8Array): SiblingSet {
    return this.cluster.ledger.opened.open(sealed);
  }

  blame(invariant: string, text: string, key?: string): void {
    this.report(key === undefined ? { at: this.now, invariant, text } : { at: this.now, invariant, text, key });
  }
}
