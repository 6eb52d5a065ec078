/**
 * Mending: `Mender` bound to this node: who the other owners are, how they are asked (as one side of an exchange asks the
 * other), and what people are told of damaged records.
 */
import { codeOf, type Status, statusOk } from "../base/errors.ts";
import { bucketOf } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import type { NodeNumber, PartitionId } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import { isLost, WriteRule } from "../handoff/transfer.ts";
import { type MendEffects, Mender } from "../repair/mender.ts";
import { treeIdOf } from "../repair/merkle-tree.ts";
import type { Answer } from "../repair/questions.ts";
import { bringsRecord, Relation } from "../repair/relation.ts";
import { leafOfHash, partitionBitsOf } from "../storage/keys.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { SeatHost, TreeAsker } from "./exchange-seat.ts";
import type { RecordAsker } from "./local-records.ts";

/** Where a key lies. */
interface KeyPlace {
  readonly partition: PartitionId;
  readonly n: number;
  readonly leaf: number;
}

/** Told of a leaf that is to be made true. */
export type RebuildLeaf = (now: Instant, partition: number, leaf: number) => void;

/** One per node. */
export class Mending implements MendEffects, RecordAsker, TreeAsker {
  readonly mender: Mender = new Mender(this);
  readonly #host: SeatHost;
  readonly #rebuildLeaf: RebuildLeaf;
  readonly #hash: Hash64 = new Hash64();

  constructor(host: SeatHost, rebuildLeaf: RebuildLeaf) {
    this.#host = host;
    this.#rebuildLeaf = rebuildLeaf;
  }

  /** A damaged record was found. */
  found(now: Instant, fullKey: Uint8Array, flaw: string, target: number): void {
    if (!this.mender.found(now, fullKey, target)) return;
    const { partition } = this.#placeOf(fullKey);
    const { env, journal } = this.#host.shared;
    env.log.error("a stored record is damaged: it is fetched from the other owners", { partition, target, flaw });
    if (this.mender.size > 1) return;
    const what = target === 0 ? "a stored record" : `a record kept for node ${target},`;
    journal.note("repair", `${what} of partition ${partition} is damaged, and is fetched from the other owners`);
  }

  #placeOf(fullKey: Uint8Array): KeyPlace {
    const { ring } = this.#host.shared;
    hashKey(fullKey, this.#hash);
    const { high } = this.#hash;
    const n = ring.policyOf(bucketOf(fullKey)).n;
    return { partition: ring.partitionOf(high), n, leaf: leafOfHash(high, partitionBitsOf(ring.partitions)) };
  }

  readRecord(now: Instant, id: number, fullKey: Uint8Array, target: number): void {
    if (target === 0) this.#host.records.read(now, this, id, fullKey);
    else this.#host.records.readHints(now, this, id, fullKey, target);
  }

  othersOf(fullKey: Uint8Array, target: number): readonly NodeNumber[] | null {
    const { shared } = this.#host;
    const { ring, number } = shared;
    const { partition, n } = this.#placeOf(fullKey);
    if (target === 0 && shared.writeRule(partition, n) !== WriteRule.accept) return null;
    const owners = [...ring.preferenceList(partition, n).subarray(0, n)] as NodeNumber[];
    return owners.filter((owner) => owner !== number && owner !== target && !isLost(ring, owner, shared));
  }

  fetch(now: Instant, id: number, peer: NodeNumber, fullKey: Uint8Array): void {
    const { partition, n } = this.#placeOf(fullKey);
    const held = [{ fullKey, version: [], hashHigh: 0, hashLow: 0 }];
    const body = { tree: treeIdOf(n, partition), held, preview: false };
    this.#host.ask(now, this, id, peer, { type: FrameType.RECORD_FETCH, body });
  }

  overwrite(now: Instant, id: number, fullKey: Uint8Array, target: number, sealed: Uint8Array | null): void {
    const { records } = this.#host;
    if (target !== 0) records.mendHint(now, this, id, fullKey, target, sealed);
    else if (sealed !== null) records.merge(now, this, id, fullKey, sealed, true);
  }

  mended(now: Instant, fullKey: Uint8Array, target: number, lost: boolean): void {
    const { partition, leaf } = this.#placeOf(fullKey);
    if (target === 0) this.#rebuildLeaf(now, partition, leaf);
    const { env, journal } = this.#host.shared;
    if (lost) {
      const text = "a damaged hint was deleted, and no owner holds its key: what was kept here alone is lost";
      env.log.error(text, { partition, target });
      journal.note("repair", `${text} (partition ${partition}, for node ${target})`);
    } else env.log.info("a damaged record was written anew", { partition, target });
    if (this.mender.size === 0) journal.note("repair", "all damaged records that were found have been written anew");
  }

  stays(_now: Instant, fullKey: Uint8Array, why: string): void {
    const { partition } = this.#placeOf(fullKey);
    const text = "a damaged record cannot be written anew yet: who asks this node for it gets an error";
    this.#host.shared.env.log.error(text, { partition, why });
    this.#host.shared.journal.note("repair", `${text} (partition ${partition}: ${why})`);
  }

  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    this.mender.onRecord(now, id, sealed, error);
  }

  onAnswer(now: Instant, id: number, status: Status, answer: Answer | null): void {
    const [fetched] = answer?.type === FrameType.RECORD_FETCH ? answer.body.records : [];
    if (status !== statusOk || fetched === undefined || fetched.relation === Relation.unreadable) {
      const why = status === statusOk ? "could not read its own" : `answered ${codeOf(status)}`;
      this.mender.onFetched(now, id, null, `another owner ${why}`);
    } else this.mender.onFetched(now, id, bringsRecord(fetched.relation) ? fetched.record : null, null);
  }

  onMoved(now: Instant, id: number, status: Status): void {
    this.mender.onWritten(now, id, status === statusOk ? null : `it could not be written: ${codeOf(status)}`);
  }
}
