/**
 * LocalRecords: reads and merges that a part of the node asks of the own replica, outside of any client's request. The
 * replica answers while it is on the stack, maybe inside the very call, and a core must not be called from inside its own
 * effects; so answers gather here until the part settles.
 */
import { Durability } from "../base/durability.ts";
import { type Status, statusOk } from "../base/errors.ts";
import { bucketOf } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import { emptyList } from "../base/one-shape.ts";
import { after, type DurationUs, type Instant } from "../base/time.ts";
import { ReplicaKind, ReplicaOp } from "../replica/replica.ts";
import type { ReplicaOrigin, ReplicaTask } from "./request.ts";
import type { NodeState } from "./state.ts";

/** Longest wait for the own replica. */
const patienceUs: DurationUs = 10_000_000;

/** Who asked; `id` is its own. */
export interface RecordAsker {
  /** The record, which belongs to the receiver; null: there is none, or, with an error, it cannot be read. */
  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void;
  /** The record is merged; a status other than 0: it is not. */
  onMoved(now: Instant, id: number, status: Status): void;
}

/** Has the own replica do an op in the next `settle` of the node; `Coordination.run`. */
export type RunLocally = (op: ReplicaOp<ReplicaOrigin>) => void;

class Task implements ReplicaTask {
  readonly asker: RecordAsker;
  readonly id: number;
  readonly #ended: Task[];
  reads = false;
  sealed: Uint8Array | null = null;
  status: Status = statusOk;
  message = "";

  constructor(asker: RecordAsker, id: number, ended: Task[]) {
    this.asker = asker;
    this.id = id;
    this.#ended = ended;
  }

  onReplicaDone(_now: Instant, op: ReplicaOp<ReplicaOrigin>): void {
    this.reads = op.kind === ReplicaKind.read || op.kind === ReplicaKind.readHints;
    this.sealed = this.reads && op.sealed !== null ? op.sealed.slice() : null;
    this.status = op.status;
    this.message = op.message;
    this.#ended.push(this);
  }
}

/** One per part. */
export class LocalRecords {
  readonly #shared: Pick<NodeState, "ring">;
  readonly #run: RunLocally;
  readonly #hash: Hash64 = new Hash64();
  readonly #ended: Task[] = emptyList();

  constructor(shared: Pick<NodeState, "ring">, run: RunLocally) {
    this.#shared = shared;
    this.#run = run;
  }

  /** Reads the own record of a key, whose bytes are copied. */
  read(now: Instant, asker: RecordAsker, id: number, fullKey: Uint8Array): void {
    this.#run(this.#newOp(now, ReplicaKind.read, new Task(asker, id, this.#ended), fullKey));
  }

  /**
   * Merges a record, its checksum verified, into the own one. All bytes are copied. `mends`: it is synced, and takes the
   * place of a damaged one.
   */
  merge(
    now: Instant,
    asker: RecordAsker,
    id: number,
    fullKey: Uint8Array,
    sealed: Uint8Array,
    mends: boolean = false,
  ): void {
    const op = this.#newOp(now, ReplicaKind.write, new Task(asker, id, this.#ended), fullKey);
    op.sealed = sealed.slice();
    op.durability = mends ? Durability.durable : Durability.buffered;
    op.mends = mends;
    this.#run(op);
  }

  /** Merges a record of a copy into a replica that was empty before it, as `merge` does (`ReplicaOp.copied`). */
  mergeCopied(now: Instant, asker: RecordAsker, id: number, fullKey: Uint8Array, sealed: Uint8Array): void {
    const op = this.#newOp(now, ReplicaKind.write, new Task(asker, id, this.#ended), fullKey);
    op.sealed = sealed.slice();
    op.copied = true;
    this.#run(op);
  }

  /** Has a record, whose bytes are copied, take the place of a damaged hint for `target`; null: nothing does. */
  mendHint(
    now: Instant,
    asker: RecordAsker,
    id: number,
    fullKey: Uint8Array,
    target: number,
    sealed: Uint8Array | null,
  ): void {
    const kind = sealed === null ? ReplicaKind.dropHint : ReplicaKind.keepHint;
    const op = this.#newOp(now, kind, new Task(asker, id, this.#ended), fullKey);
    op.sealed = sealed === null ? null : sealed.slice();
    op.target = target;
    // As old as the damaged one.
    op.second = 0xffff_ffff;
    op.durability = Durability.durable;
    op.mends = true;
    this.#run(op);
  }

  /** Reads what this node keeps of a key for `target`, or, merged, for all others (0). */
  readHints(now: Instant, asker: RecordAsker, id: number, fullKey: Uint8Array, target: number = 0): void {
    const op = this.#newOp(now, ReplicaKind.readHints, new Task(asker, id, this.#ended), fullKey);
    op.target = target;
    this.#run(op);
  }

  #newOp(now: Instant, kind: ReplicaKind, task: Task, fullKey: Uint8Array): ReplicaOp<ReplicaOrigin> {
    const { ring } = this.#shared;
    const op = new ReplicaOp<ReplicaOrigin>(kind, task, fullKey.slice());
    hashKey(op.fullKey, this.#hash);
    op.hashHigh = this.#hash.high;
    op.hashLow = this.#hash.low;
    op.partition = ring.partitionOf(op.hashHigh);
    op.n = ring.policyOf(bucketOf(op.fullKey)).n;
    op.deadline = after(now, patienceUs);
    return op;
  }

  /** Tells the askers what has ended. */
  settle(now: Instant): void {
    while (this.#ended.length > 0) {
      for (const task of this.#ended.splice(0)) {
        const { asker, id, status } = task;
        if (!task.reads) asker.onMoved(now, id, status);
        else asker.onRecord(now, id, task.sealed, status === statusOk ? null : task.message);
      }
    }
  }
}
