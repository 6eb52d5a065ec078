/**
 * ownership-never-gaps (I-12): a node deletes a copy of its own only when some owner, as the newest ring has it, holds all
 * that the copy says; and where a ring puts a newcomer in the place of a member, the newcomer has by then everything that
 * the other one's disk held, or a fallback keeps it for the newcomer, which it could not be given. Judged by what disks were seen to take, when the deletion is handed to the engine and when
 * the first node saves the ring; where a copy in memory is all that was promised, by what owners have in memory, too. What
 * went with the power or was damaged before anybody could take it over is nobody's account here.
 */
import type { Instant } from "../../base/time.ts";
import type { SiblingSet } from "../../version/sibling-set.ts";
import { mergeVersions, VersionVector } from "../../version/version-vector.ts";
import { versionText } from "../history.ts";
import type { RecordWatch } from "../ledger.ts";
import type { Report } from "../violation.ts";

/** The ring as far as this needs it. */
export interface OwnersView {
  /** The seats of a key's owners in the newest ring. */
  owners(key: string): readonly number[];
  /** Whether the node on that seat was given up, so that nobody can have asked it. */
  isLost(seat: number): boolean;
  partitionOf(key: string): number;
  /** The seat of the node that has this number, or -1. */
  seatOf(number: number): number;
  /** What of a key nobody needs any more, by certificate. */
  forgotten(key: string): VersionVector;
  /** What of a key the node on that seat has in memory, in the mode that asks for no more; nothing in others. */
  inMemory(seat: number, key: string): VersionVector;
}

interface KeptHint {
  readonly node: number;
  readonly key: string;
  readonly target: number;
  readonly version: VersionVector;
}

/** Watches copies come and go, and rings. */
export class OwnershipNeverGaps implements RecordWatch {
  readonly #view: OwnersView;
  readonly #report: Report;
  /** By seat: what its disk holds of each key. */
  readonly #held: Map<number, Map<string, VersionVector>> = new Map();
  /** Copies that are damaged where they lie: they still count as held by an owner, but nobody can take them over. */
  readonly #damaged: Set<string> = new Set();
  /** By seat: what it must hold of each key when it becomes an owner, of those there were when its copying began. */
  readonly #owed: Map<number, Map<string, VersionVector>> = new Map();
  /** By seat: the partitions that it has begun to copy. */
  readonly #copying: Map<number, Set<number>> = new Map();
  /** By holder, target and key: what fallbacks keep for others. */
  readonly #hints: Map<string, KeptHint> = new Map();
  /** By key: its owners in the ring before. */
  readonly #owners: Map<string, readonly number[]> = new Map();

  constructor(view: OwnersView, report: Report) {
    this.#view = view;
    this.#report = report;
  }

  onRecord(_now: Instant, node: number, key: string, set: SiblingSet, target: number): void {
    if (target !== 0) this.onHintFound(node, key, set, target);
  }

  onHintFound(node: number, key: string, set: SiblingSet, target: number): void {
    this.#hints.set(`${node}/${target}/${key}`, { node, key, target, version: set.version });
  }

  onHintDropped(_now: Instant, node: number, key: string, target: number): void {
    this.#hints.delete(`${node}/${target}/${key}`);
  }

  #versionAt(seat: number, key: string): VersionVector {
    return this.#held.get(seat)?.get(key) ?? VersionVector.empty;
  }

  /** Of that, what can be read. */
  #readable(seat: number, key: string): VersionVector {
    return this.#damaged.has(`${seat}/${key}`) ? VersionVector.empty : this.#versionAt(seat, key);
  }

  /** Whether that seat holds all that a version covers and that somebody may still need, or a hint for it does. */
  #accounts(seat: number, key: string, version: VersionVector): boolean {
    let known = mergeVersions(this.#versionAt(seat, key), this.#view.forgotten(key));
    known = mergeVersions(known, this.#view.inMemory(seat, key));
    for (const hint of this.#hints.values()) {
      if (hint.key === key && this.#view.seatOf(hint.target) === seat) known = mergeVersions(known, hint.version);
    }
    return known.coversAll(version);
  }

  onCopy(seat: number, key: string, set: SiblingSet): void {
    innerOf(this.#held, seat).set(key, mergeVersions(this.#readable(seat, key), set.version));
    this.#damaged.delete(`${seat}/${key}`);
    if (!this.#owners.has(key)) this.#owners.set(key, this.#view.owners(key));
  }

  /** What its disk still holds is told again. */
  onRecount(seat: number): void {
    this.#held.delete(seat);
    for (const [name, { node }] of this.#hints) if (node === seat) this.#hints.delete(name);
  }

  onCopyDamaged(seat: number, key: string): void {
    this.#damaged.add(`${seat}/${key}`);
  }

  onCopyDropped(now: Instant, seat: number, key: string): void {
    const version = this.#readable(seat, key);
    this.#held.get(seat)?.delete(key);
    const owners = this.#view.owners(key);
    if (version.size === 0 || owners.some((owner) => this.#accounts(owner, key, version))) return;
    this.#blame(now, key, `node ${seat + 1} deletes ${versionText(version)}, which no owner holds`);
  }

  /** The node on seat `to` begins to copy the partition, to come in the place of the one on seat `from`. */
  onCopying(to: number, from: number, partition: number): void {
    const begun = this.#copying.get(to) ?? new Set();
    this.#copying.set(to, begun.add(partition));
    for (const key of this.#owners.keys()) {
      if (this.#view.partitionOf(key) === partition) innerOf(this.#owed, to).set(key, this.#versionAt(from, key));
    }
  }

  /** A ring is there that nobody has seen before, and the view is of it. */
  onRing(now: Instant): void {
    for (const [key, before] of this.#owners) {
      const after = this.#view.owners(key);
      this.#owners.set(key, after);
      const gone = before.filter((seat) => !after.includes(seat));
      const come = after.filter((seat) => !before.includes(seat));
      const [from, to] = [gone[0], come[0]];
      if (from === undefined || to === undefined || this.#view.isLost(from)) continue;
      const owed = this.#owed.get(to)?.get(key) ?? this.#unknownBefore(to, from, key);
      const version = sharedVersion(owed, this.#readable(from, key));
      if (this.#accounts(to, key, version)) continue;
      this.#blame(now, key, `node ${to + 1} owns in place of node ${from + 1} and lacks of ${versionText(version)}`);
    }
  }

  /** Of a key that nobody had when the copying began nothing is owed: its writes have been acknowledged in both lists. */
  #unknownBefore(to: number, from: number, key: string): VersionVector {
    const begun = this.#copying.get(to)?.has(this.#view.partitionOf(key)) === true;
    return begun ? VersionVector.empty : this.#versionAt(from, key);
  }

  #blame(at: Instant, key: string, text: string): void {
    this.#report({ at, invariant: "ownership-never-gaps", key, text });
  }
}

/** What of a version the other one covers, too. */
function sharedVersion(version: VersionVector, other: VersionVector): VersionVector {
  let shared = VersionVector.empty;
  for (let i = 0; i < version.size; i += 1) {
    const { actorHigh, actorLow, counter } = version.entry(i);
    const common = Math.min(counter, other.counterOf(actorHigh, actorLow));
    if (common > 0) shared = shared.with({ actorHigh, actorLow, counter: common });
  }
  return shared;
}

function innerOf(outer: Map<number, Map<string, VersionVector>>, seat: number): Map<string, VersionVector> {
  let inner = outer.get(seat);
  if (inner === undefined) {
    inner = new Map();
    outer.set(seat, inner);
  }
  return inner;
}
