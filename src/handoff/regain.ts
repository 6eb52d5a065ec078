/**
 * Regain: an owner whose history may have a gap becomes synced again by comparing its tree with every other owner's, synced
 * or not. Owners that were dead for a minute are left out, and that is told: else a cluster that lost power would stay
 * shut. A few replicas at a time; nothing is saved but the result.
 */
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { after, type Instant } from "../base/time.ts";
import { retryDelay } from "./pace.ts";
import { ReadRule, replicaKey } from "./transfer.ts";
import type { Compared } from "./transfer-effects.ts";
import type { TransferTable } from "./transfer-table.ts";

class Replica {
  readonly partition: PartitionId;
  readonly n: number;
  readonly verified: NodeNumber[] = [];
  peer: NodeNumber | undefined = undefined;
  token = 0;
  attempts = 0;
  retryAt: Instant = 0 as Instant;

  constructor(partition: PartitionId, n: number) {
    this.partition = partition;
    this.n = n;
  }
}

/** The replicas of this node that are becoming synced again. */
export class Regain {
  readonly #table: TransferTable;
  readonly #replicas: Map<number, Replica> = new Map();
  /** Since when each owner that was met is dead. */
  readonly #deadSince: Map<number, Instant> = new Map();
  /** There may be replicas that nobody has looked for. */
  #search = true;

  constructor(table: TransferTable) {
    this.#table = table;
  }

  /** Replicas under way. */
  get size(): number {
    return this.#replicas.size;
  }

  /** What was compared of this replica counts no more; an answer under way finds nothing. */
  startOver(partition: number, n: number): void {
    if (this.#replicas.delete(replicaKey(partition, n))) this.#search = true;
  }

  /** When `advance` has something to do by itself. */
  get nextAt(): Instant {
    let next = Number.MAX_SAFE_INTEGER as Instant;
    for (const replica of this.#replicas.values()) {
      if (replica.token === 0 && replica.retryAt < next) next = replica.retryAt;
    }
    return next;
  }

  /** Starts what may start. */
  advance(now: Instant): void {
    if (this.#search || this.#table.lost) this.#fill();
    for (const [key, replica] of this.#replicas) {
      const { partition, n } = replica;
      if (replica.token === 0 && this.#table.readRule(partition, n) !== ReadRule.notSynced) this.#replicas.delete(key);
      else if (replica.token === 0 && now >= replica.retryAt) this.#step(now, key, replica);
    }
  }

  /** Finds owners' replicas that are not synced, until as many as allowed are under way. */
  #fill(): void {
    const table = this.#table;
    this.#search = true;
    table.lost = false;
    for (const n of table.ring.listSizes) {
      for (let p = 0 as PartitionId; p < table.ring.partitions; p = (p + 1) as PartitionId) {
        if (this.#replicas.size >= table.config.regainsMax) return;
        // First what costs nothing: nearly all are synced, and each ring has them looked through.
        if (table.synced.has(p, n) || table.readRule(p, n) !== ReadRule.notSynced) continue;
        const key = replicaKey(p, n);
        if (this.#replicas.has(key)) continue;
        if (table.pendingOf(p, n)?.joining !== table.me) this.#replicas.set(key, new Replica(p, n));
      }
    }
    this.#search = false;
  }

  #step(now: Instant, key: number, replica: Replica): void {
    const table = this.#table;
    const leftOut: NodeNumber[] = [];
    let waits = false;
    for (const owner of table.owners(replica.partition, replica.n)) {
      if (owner === table.me || replica.verified.includes(owner)) continue;
      if (!table.effects.isDead(owner)) {
        this.#deadSince.delete(owner);
        replica.peer = owner;
        replica.token = table.nextToken();
        table.effects.compareTrees(now, replica.partition, replica.n, owner, replica.token);
        return;
      }
      if (now - this.#deadFrom(now, owner) >= table.config.leaveOutUs) leftOut.push(owner);
      else waits = true;
    }
    if (waits) {
      replica.retryAt = after(now, table.config.pollUs);
      return;
    }
    this.#replicas.delete(key);
    this.#search = true;
    table.synced.set(replica.partition, replica.n);
    table.refresh(replica.partition, replica.n);
    table.saveLater(now);
    table.wake = true;
    mark("transfers.regained");
    if (leftOut.length > 0) table.effects.leftOut(now, replica.partition, replica.n, leftOut);
  }

  #deadFrom(now: Instant, owner: NodeNumber): Instant {
    const since = this.#deadSince.get(owner) ?? now;
    this.#deadSince.set(owner, since);
    return since;
  }

  /** The answer to a comparison; false: it was not one of these. */
  onCompared(now: Instant, token: number, outcome: Compared): boolean {
    for (const [key, replica] of this.#replicas) {
      if (replica.token !== token) continue;
      replica.token = 0;
      if (outcome === "equal" && replica.peer !== undefined) {
        replica.attempts = 0;
        replica.verified.push(replica.peer);
      } else {
        replica.attempts = outcome === "different" ? 1 : replica.attempts + 1;
        const { retryLeastUs, retryMostUs } = this.#table.config;
        replica.retryAt = after(now, retryDelay(replica.attempts, retryLeastUs, retryMostUs, this.#table.rng));
        return true;
      }
      if (this.#table.readRule(replica.partition, replica.n) === ReadRule.notSynced) this.#step(now, key, replica);
      else this.#replicas.delete(key);
      return true;
    }
    return false;
  }
}
