/**
 * Seat: where one node of the model does its work: the real `Replica` with its actors and hints, and the real `ReapService`,
 * over a disk that is a value. A state's node takes its seat, does one thing to its end, and leaves as another value. Nothing
 * comes between what a replica does to one key from its read to its write, because it holds the key; so one thing at a time
 * is all there is to interleave.
 */

import { assert } from "../../base/assert.ts";
import { utf8 } from "../../base/bytes.ts";
import { fullKeyOf } from "../../base/full-key.ts";
import { Hash64, hashKey } from "../../base/hash.ts";
import { type NodeNumber, nodeNumber, type PartitionId } from "../../base/ids.ts";
import { type Instant, instant } from "../../base/time.ts";
import { ReadRule } from "../../handoff/transfer.ts";
import { Metrics } from "../../metrics/metrics.ts";
import { ReapService } from "../../node/reap-service.ts";
import type { ReplicaOrigin } from "../../node/request.ts";
import type { StoreAsker } from "../../node/store-questions.ts";
import type { ReapQuestion } from "../../repair/reap-round.ts";
import { type ActorEffects, Actors, type Incarnation } from "../../replica/actors.ts";
import { HybridClock } from "../../replica/hybrid-clock.ts";
import { Replica, type ReplicaEffects, ReplicaKind, ReplicaOp } from "../../replica/replica.ts";
import type { Ring } from "../../ring/ring.ts";
import type { ReapReply } from "../../wire/gen/codecs.ts";
import { ModelDisk } from "./disk.ts";
import { fallback, type NodeModel, owners } from "./state.ts";

/** Counters per lease: no model mints that many. */
const leaseStep = 1_000;
const limits = { waitersMax: 8, busyMax: 8, keepRecentForSeconds: 1_000, retriesMax: 1 };
/** All writes are of one second: their order is never asked. */
export const second = 1_000;
const now: Instant = instant(1_000_000);

/** The key of the model, and where it lies on the ring. */
export interface ModelKey {
  readonly fullKey: Uint8Array;
  readonly hashHigh: number;
  readonly hashLow: number;
  readonly partition: PartitionId;
}

/** The first key, of the bucket "b", whose preference list is the owners and then the fallback. */
export function modelKey(ring: Ring): ModelKey {
  const hash = new Hash64();
  for (let i = 0; i < 1_000; i += 1) {
    const fullKey = fullKeyOf(utf8("b"), utf8(`k${i}`));
    hashKey(fullKey, hash);
    const partition = ring.partitionOf(hash.high);
    const list = ring.preferenceList(partition, owners.length);
    const fits = list[owners.length] === fallback && owners.every((owner, at) => list[at] === owner);
    if (fits) return { fullKey, hashHigh: hash.high, hashLow: hash.low, partition };
  }
  throw new Error("no key belongs to these nodes");
}

/** One node's place; taken by the same node of one state after the other. */
export class Seat implements ReplicaEffects<ReplicaOrigin>, ActorEffects {
  readonly number: NodeNumber;
  readonly #ring: Ring;
  readonly #key: ModelKey;
  readonly #reaps: ReapService;
  readonly #ops: ReplicaOp<ReplicaOrigin>[] = [];
  #settling: { readonly asker: StoreAsker; readonly token: number } | null = null;
  #disk: ModelDisk = new ModelDisk([]);
  #actors: Actors;
  #replica: Replica<ReplicaOrigin>;
  #incarnation = 0;
  #doubt = 0;

  constructor(number: number, ring: Ring, key: ModelKey) {
    this.number = nodeNumber(number);
    this.#ring = ring;
    this.#key = key;
    this.#actors = this.#newActors(0);
    this.#replica = this.#newReplica();
    this.#reaps = new ReapService({
      shared: {
        ring,
        number: this.number,
        epoch: ring.epoch,
        metrics: new Metrics(),
        env: { wallMs: () => second * 1_000 },
        readRule: () => (this.#doubt === 0 ? ReadRule.serve : ReadRule.notSynced),
      },
      run: (op) => this.#ops.push(op),
      actors: () => this.#actors,
      questions: () => ({
        settleLog: (_now, asker, token) => {
          this.#settling = { asker, token };
        },
      }),
    });
  }

  #newActors(counter: number): Actors {
    return new Actors({
      effects: this,
      node: this.number,
      partitions: this.#ring.partitions,
      incarnation: { high16: 0, low: this.#incarnation },
      leaseTop: counter + leaseStep,
      leaseStep,
    });
  }

  #newReplica(): Replica<ReplicaOrigin> {
    const clock = new HybridClock(() => 1000 * second);
    const replica = new Replica({ effects: this, store: this.#disk, actors: this.#actors, clock, ...limits });
    this.#disk.sink = replica;
    return replica;
  }

  /** Takes a node's place for one thing that it does. */
  take(node: NodeModel): void {
    this.#incarnation = node.incarnation;
    this.#doubt = node.doubt;
    this.#disk = new ModelDisk(node.disks);
    this.#actors = this.#newActors(node.counter);
    this.#replica = this.#newReplica();
  }

  /** The node as it is afterwards. */
  leave(): NodeModel {
    const counter = this.#actors.counterOf(this.#key.partition);
    return { disks: this.#disk.disks, incarnation: this.#incarnation, counter, doubt: this.#doubt };
  }

  /** An op on the key; `fill` says what it is about. */
  do(kind: ReplicaKind, fill: (op: ReplicaOp<ReplicaOrigin>) => void): ReplicaOp<ReplicaOrigin> {
    let ended = false;
    const onReplicaDone = (): void => {
      ended = true;
    };
    const op = new ReplicaOp<ReplicaOrigin>(kind, { onReplicaDone }, this.#key.fullKey);
    const { hashHigh, hashLow, partition } = this.#key;
    op.hashHigh = hashHigh;
    op.hashLow = hashLow;
    op.partition = partition;
    op.n = owners.length;
    op.second = second;
    fill(op);
    this.#run(op);
    assert(ended, "an op of the model ends at once");
    return op;
  }

  #run(op: ReplicaOp<ReplicaOrigin>): void {
    const replica = this.#replica;
    if (op.kind === ReplicaKind.put) replica.put(now, op);
    else if (op.kind === ReplicaKind.write) replica.write(now, op);
    else if (op.kind === ReplicaKind.forget) replica.forget(now, op);
    else if (op.kind === ReplicaKind.read || op.kind === ReplicaKind.readHints) replica.read(now, op);
    else replica.changeHint(now, op);
    replica.endTurn(now);
    this.#disk.answerAll(now);
  }

  /** The node's word about something that is to be forgotten. */
  prepareReap(question: ReapQuestion): ReapReply {
    return this.#ask((done) => this.#reaps.prepare(now, question, done));
  }

  /** Has the node forget it. */
  commitReap(question: ReapQuestion): ReapReply {
    return this.#ask((done) => this.#reaps.commit(now, question, done));
  }

  #ask(begin: (done: (reply: ReapReply | null) => void) => void): ReapReply {
    let answer: ReapReply | null = null;
    begin((reply) => {
      answer = reply;
    });
    while (answer === null) {
      for (const op of this.#ops.splice(0)) this.#run(op);
      const settling = this.#settling;
      this.#settling = null;
      if (settling !== null) {
        this.#disk.sync();
        settling.asker.onStoreSynced?.(now, settling.token);
      }
      this.#reaps.settle(now);
    }
    return answer;
  }

  // What the replica asks of its node.

  prepared(): void {}

  /** Each op has a turn of its own. */
  wantTurnEnd(): void {}

  done(at: Instant, op: ReplicaOp<ReplicaOrigin>): void {
    if ("onReplicaDone" in op.origin) op.origin.onReplicaDone(at, op);
  }

  /** The actor is a new one by now; a node would catch up besides. */
  amnesia(): void {}

  saveLease(): void {
    throw new Error("no model mints that much");
  }

  drawIncarnation(): Incarnation {
    this.#incarnation += 1;
    return { high16: 0, low: this.#incarnation };
  }
}
