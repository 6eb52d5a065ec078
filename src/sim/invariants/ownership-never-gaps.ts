/**
 * ownership-never-gaps (I-12): a node deletes a copy of its own only when some owner, as the newest ring has it, holds all
 * that the copy says; and where a ring puts a newcomer in the place of a member, the newcomer has by then everything that
 * the other one's disk held. Judged by what disks were seen to take, when the deletion is handed to the engine and when
 * the first node saves the ring. A copy that was in memory alone is nobody's account here.
 */
import type { DurationUs, Instant } from "../../base/time.ts";
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
  /** How long a put may be under way. */
  readonly inFlightUs: DurationUs;
}

/** What one disk holds of a key. */
class Copy {
  version: VersionVector = VersionVector.empty;
  /** Since when it holds how much: of those that are older than a put can take, only the last is kept. */
  #log: { readonly at: Instant; readonly version: VersionVector }[] = [];

  add(at: Instant, version: VersionVector, inFlightUs: DurationUs): void {
    this.version = mergeVersions(this.version, version);
    const settled = this.#log.findLastIndex((entry) => entry.at + inFlightUs <= at);
    this.#log = [...this.#log.slice(Math.max(0, settled)), { at, version: this.version }];
  }

  /** What it held at that time, which is less than a put's time before the last addition. */
  heldAt(at: number): VersionVector {
    return this.#log.findLast((entry) => entry.at <= at)?.version ?? VersionVector.empty;
  }
}

const nothing = new Copy();

/** Watches copies come and go, and rings. */
export class OwnershipNeverGaps implements RecordWatch {
  readonly #view: OwnersView;
  readonly #report: Report;
  /** By seat: what its disk holds of each key. */
  readonly #held: Map<number, Map<string, Copy>> = new Map();
  /** By key: its owners in the ring before. */
  readonly #owners: Map<string, readonly number[]> = new Map();

  constructor(view: OwnersView, report: Report) {
    this.#view = view;
    this.#report = report;
  }

  onRecord(): void {}

  #heldBy(seat: number): Map<string, Copy> {
    let held = this.#held.get(seat);
    if (held === undefined) {
      held = new Map();
      this.#held.set(seat, held);
    }
    return held;
  }

  #copyAt(seat: number, key: string): Copy {
    return this.#heldBy(seat).get(key) ?? nothing;
  }

  onCopy(at: Instant, seat: number, key: string, set: SiblingSet): void {
    const held = this.#heldBy(seat);
    const copy = held.get(key) ?? new Copy();
    held.set(key, copy);
    copy.add(at, set.version, this.#view.inFlightUs);
    if (!this.#owners.has(key)) this.#owners.set(key, this.#view.owners(key));
  }

  /** What its disk still holds is told again. */
  onBoot(seat: number): void {
    this.#held.delete(seat);
  }

  onCopyDropped(now: Instant, seat: number, key: string): void {
    const { version } = this.#copyAt(seat, key);
    this.#heldBy(seat).delete(key);
    const owners = this.#view.owners(key);
    if (owners.some((owner) => this.#copyAt(owner, key).version.coversAll(version))) return;
    if (version.size === 0) return;
    this.#blame(now, key, `node ${seat + 1} deletes ${versionText(version)}, which no owner holds`);
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
      const version = this.#copyAt(from, key).heldAt(now - this.#view.inFlightUs);
      if (this.#copyAt(to, key).version.coversAll(version)) continue;
      this.#blame(now, key, `node ${to + 1} owns in place of node ${from + 1} and lacks of ${versionText(version)}`);
    }
  }

  #blame(at: Instant, key: string, text: string): void {
    this.#report({ at, invariant: "ownership-never-gaps", key, text });
  }
}
