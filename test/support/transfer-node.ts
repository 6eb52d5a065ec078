/**
 * A node of the transfer world: a real `Transfers` core over a fake store and a fake disk. Its store holds, per key, the
 * set of write ids that the record reflects, so merging is union and "covers" is "holds". All that is written is on disk
 * at once (a crash is a crash of the process); the state file lags behind, as it does in a node.
 */
import { hexOf } from "../../src/base/bytes.ts";
import { statusOk, wireOf } from "../../src/base/errors.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import type { NodeNumber, PartitionId } from "../../src/base/ids.ts";
import { Rng } from "../../src/base/rng.ts";
import type { Instant } from "../../src/base/time.ts";
import type { ErasedPage } from "../../src/handoff/page-delete.ts";
import { type ReadRule, type Transfer, WriteRule } from "../../src/handoff/transfer.ts";
import type { Compared, Covered, TransferEffects, TransferEvent } from "../../src/handoff/transfer-effects.ts";
import { Transfers } from "../../src/handoff/transfers.ts";
import type { Ring } from "../../src/ring/ring.ts";
import { keyAfter, recordKey } from "../../src/storage/keys.ts";
import type { RecordPage } from "../../src/storage/store-events.ts";
import { decode, encode, type MessageCodec } from "../../src/wire/codec.ts";
import {
  TransferCloseReply,
  TransferCloseRequest,
  TransferPullReply,
  TransferPullRequest,
  TransfersFile,
} from "../../src/wire/gen/codecs.ts";
import type { TransferWorld } from "./transfer-world.ts";

/** Where a key belongs. */
export interface Place {
  /** `diskKey` in hexadecimal digits. */
  readonly name: string;
  readonly diskKey: Uint8Array;
  readonly partition: PartitionId;
  readonly n: number;
}

/** One record of the fake store. */
export interface Held extends Place {
  readonly fullKey: Uint8Array;
  readonly ids: Set<number>;
}

function bytesOfIds(ids: ReadonlySet<number>): Uint8Array {
  return Uint8Array.from([...ids].flatMap((id) => [id & 255, id >>> 8]));
}

function idsOf(bytes: Uint8Array): number[] {
  const ids: number[] = [];
  for (let i = 0; i < bytes.length; i += 2) ids.push((bytes[i] as number) | ((bytes[i + 1] as number) << 8));
  return ids;
}

function overTheWire<T>(codec: MessageCodec<T>, message: T): T {
  const bytes = encode(codec, message as never);
  return decode(codec, bytes, 0, bytes.length);
}

/** Which replica a message is about. */
interface About {
  readonly partition: number;
  readonly n: number;
}

/** A node with all its lives. */
export class TransferNode implements TransferEffects {
  readonly number: NodeNumber;
  readonly world: TransferWorld;
  /** By the disk key in hexadecimal digits. */
  readonly store: Map<string, Held> = new Map();
  /** On disk. */
  ring: Ring;
  file: Uint8Array | null = null;
  /** Undefined: the process is down. */
  core: Transfers | undefined = undefined;
  life = 0;
  readonly gaveUps: number[] = [];
  /** Kept for others. */
  hints = 0;
  /** Names of records that nobody can read. */
  readonly damaged: Set<string> = new Set();
  /** Partitions whose trees still count a damaged record that was deleted. */
  readonly miscounted: Set<number> = new Set();
  readonly #askers: Map<
    number,
    { readonly node: TransferNode; readonly life: number; readonly token: number; readonly about: About }
  > = new Map();
  #nextReply = 1;
  #uncovered = 0;

  constructor(world: TransferWorld, number: number, ring: Ring) {
    this.world = world;
    this.number = number as NodeNumber;
    this.ring = ring;
  }

  get alive(): boolean {
    return this.core !== undefined;
  }

  boot(trusted: boolean): void {
    const saved = this.file === null ? null : decode(TransfersFile, this.file, 0, this.file.length);
    this.life += 1;
    const rng = new Rng(this.number * 1000 + this.life);
    const { ring, number: me, world } = this;
    this.core = new Transfers({ me, ring, effects: this, config: world.config, rng, saved, trusted });
    this.core.start(world.now);
    this.#tickLater();
  }

  crash(): void {
    this.core = undefined;
    this.life += 1;
    this.#askers.clear();
  }

  #tickLater(): void {
    this.#later(5_000, () => {
      const core = this.core as Transfers;
      if (core.nextTick() <= this.world.now) core.tick(this.world.now);
      if (core.nextTick() <= this.world.now) throw new Error("a tick that is due again at once");
      this.#tickLater();
    });
  }

  /** Runs `act` in a while, if this life lasts. */
  #later(us: number, act: () => void): void {
    const life = this.life;
    this.world.at(us, () => {
      if (this.life === life && this.alive) act();
    });
  }

  #soon(act: () => void): void {
    this.#later(50 + this.world.rng.below(2000), act);
  }

  takeRing(ring: Ring): void {
    if (ring.epoch <= this.ring.epoch) return;
    this.ring = ring;
    this.core?.onRing(this.world.now, ring);
  }

  // The replica path.

  place(fullKey: Uint8Array): Place {
    const name = hexOf(fullKey);
    let place = this.world.places.get(name);
    if (place === undefined) {
      const hash = new Hash64();
      hashKey(fullKey, hash);
      const diskKey = recordKey(fullKey, hash.high, hash.low).slice();
      const n = this.ring.policyOf(fullKey.subarray(1, 1 + (fullKey[0] as number))).n;
      place = { diskKey, name: hexOf(diskKey), partition: this.ring.partitionOf(hash.high), n };
      this.world.places.set(name, place);
    }
    return place;
  }

  merge(fullKey: Uint8Array, ids: Iterable<number>): void {
    const { diskKey, name, partition, n } = this.place(fullKey);
    let held = this.store.get(name);
    if (held === undefined) {
      held = { name, diskKey, fullKey: fullKey.slice(), partition, n, ids: new Set() };
      this.store.set(name, held);
    }
    for (const id of ids) held.ids.add(id);
  }

  idsAt(fullKey: Uint8Array): ReadonlySet<number> {
    return this.store.get(this.place(fullKey).name)?.ids ?? new Set();
  }

  of(partition: number, n: number): Held[] {
    const held = [...this.store.values()].filter((one) => one.partition === partition && one.n === n);
    return held.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A replica write with the coordinator's epoch; `ack` runs here when it is stored. */
  replicaWrite(fullKey: Uint8Array, id: number, epoch: number, ack: () => void): void {
    if (this.core === undefined || !this.#mayAct(fullKey, epoch)) return;
    const { partition, n } = this.place(fullKey);
    if (this.core.writeRule(partition, n) !== WriteRule.accept) return;
    this.#later(this.world.rng.below(this.world.writeUs), () => {
      this.merge(fullKey, [id]);
      ack();
    });
  }

  /** What a reader with a ring of that epoch learns here. */
  readRule(fullKey: Uint8Array, epoch: number): ReadRule | "silent" {
    if (this.core === undefined || !this.#mayAct(fullKey, epoch)) return "silent";
    const { partition, n } = this.place(fullKey);
    return this.core.readRule(partition, n);
  }

  #mayAct(fullKey: Uint8Array, epoch: number): boolean {
    if (epoch > this.ring.epoch) {
      this.newerRing();
      return false;
    }
    return epoch >= (this.ring.fences[this.place(fullKey).partition] as number);
  }

  // Effects.

  persist(_now: Instant, file: Uint8Array, token: number): void {
    const { world } = this;
    const life = this.life;
    world.at(100 + world.rng.below(3000), () => {
      // A crash may come before or after the rename.
      if (this.life !== life && world.rng.chance(500)) return;
      if (this.life === life || this.life === life + 1) this.file = world.planted === "forgets" ? this.file : file;
      if (this.life === life) this.core?.onPersisted(world.now, token);
    });
  }

  pull(_now: Instant, to: NodeNumber, request: TransferPullRequest, token: number): void {
    this.world.credits.set(`${this.number}:${this.life}:${token}`, request.creditBytes);
    const asked = overTheWire(TransferPullRequest, request);
    const from = request.cursor.length === 0 ? "from the start" : "from the cursor";
    this.#tell(request, `asks ${to} for a page ${from}`);
    this.#ask(to, asked, token, (node, replyTo) => node.core?.onPull(this.world.now, this.number, asked, replyTo));
  }

  close(_now: Instant, to: NodeNumber, request: TransferCloseRequest, token: number): void {
    const asked = overTheWire(TransferCloseRequest, request);
    this.#tell(request, `asks ${to} to answer no more reads`);
    this.#ask(to, asked, token, (node, replyTo) => node.core?.onClose(this.world.now, this.number, asked, replyTo));
  }

  #tell(about: About, line: string): void {
    this.world.tell(about.partition, about.n, `${this.number} ${line}`);
  }

  #ask(to: NodeNumber, about: About, token: number, deliver: (node: TransferNode, replyTo: number) => void): void {
    const life = this.life;
    this.world.send(this.number, to, (node) => {
      if (node.core === undefined) return;
      const replyTo = node.#nextReply;
      node.#nextReply += 1;
      node.#askers.set(replyTo, { node: this, life, token, about });
      deliver(node, replyTo);
    });
  }

  answerPull(_now: Instant, replyTo: number, status: number, reply: TransferPullReply | null): void {
    const message = reply === null ? null : overTheWire(TransferPullReply, reply);
    const count = message === null ? `no page (status ${status})` : `${message.keys.length} records`;
    const more = message === null ? "" : message.cursor.length === 0 ? ", the last" : ", more follow";
    this.#answer(replyTo, status, `${count}${more}`, (core, token, asker) => {
      if (message === null) throw new Error("a page without a page");
      this.world.checkCredit(`${asker.number}:${asker.life}:${token}`, message);
      core.onPulled(this.world.now, token, message);
    });
  }

  answerClose(_now: Instant, replyTo: number, status: number, reply: TransferCloseReply | null): void {
    if (reply !== null) overTheWire(TransferCloseReply, reply);
    const what = status === statusOk ? "closed, and will stay so" : `not closed (status ${status})`;
    this.#answer(replyTo, status, what, (core, token) => core.onClosed(this.world.now, token));
  }

  #answer(
    replyTo: number,
    status: number,
    what: string,
    deliver: (core: Transfers, token: number, asker: TransferNode) => void,
  ): void {
    const asker = this.#askers.get(replyTo);
    if (asker === undefined) return;
    this.#askers.delete(replyTo);
    this.#tell(asker.about, `answers ${asker.node.number}: ${what}`);
    this.world.send(this.number, asker.node.number, (node) => {
      if (node.core === undefined || node.life !== asker.life) return;
      if (status === statusOk) deliver(node.core, asker.token, node);
      else node.core.onAskFailed(this.world.now, asker.token, status);
    });
  }

  reportConfirmed(_now: Instant, transfer: Transfer): void {
    const { id, since } = transfer;
    this.#tell(transfer, "reports that it is confirmed");
    this.world.sendToAdmin(id, since);
  }

  newerRing(): void {
    this.#soon(() => this.takeRing(this.world.newest));
  }

  scanPage(
    _now: Instant,
    partition: PartitionId,
    n: number,
    cursor: Uint8Array | null,
    bytesMax: number,
    token: number,
  ): void {
    this.#soon(() => {
      const from = cursor === null ? "" : hexOf(cursor);
      const rest = this.of(partition, n).filter((held) => held.name >= from);
      let bytes = 0;
      let count = 0;
      while (count < rest.length && bytes < bytesMax) {
        bytes += (rest[count] as Held).fullKey.length + 2 * (rest[count] as Held).ids.size;
        count += 1;
      }
      const taken = rest.slice(0, count);
      const page: RecordPage = {
        fullKeys: taken.map((held) => held.fullKey),
        records: taken.map((held) => bytesOfIds(held.ids)),
        unreadable: [],
        cursor: count === rest.length ? null : keyAfter((taken[count - 1] as Held).diskKey),
      };
      this.core?.onScanned(this.world.now, token, this.world.rng.chance(this.world.troublePerMille) ? null : page);
    });
  }

  mergeRecord(
    _now: Instant,
    _partition: PartitionId,
    _n: number,
    fullKey: Uint8Array,
    record: Uint8Array,
    token: number,
  ): void {
    this.#soon(() => {
      const fails = this.world.rng.chance(this.world.troublePerMille);
      if (!fails) this.merge(fullKey, idsOf(record));
      this.core?.onMerged(this.world.now, token, fails ? wireOf("OVERLOADED") : statusOk);
    });
  }

  deletePage(_now: Instant, partition: PartitionId, n: number, cursor: Uint8Array | null, token: number): void {
    this.#soon(() => {
      const from = cursor === null ? "" : hexOf(cursor);
      const rest = this.of(partition, n).filter((held) => held.name >= from);
      const taken = rest.slice(0, 2);
      for (const held of taken) {
        this.store.delete(held.name);
        if (this.damaged.delete(held.name)) this.miscounted.add(partition);
      }
      this.#tell({ partition, n }, `deletes ${taken.length} records`);
      const last = taken[taken.length - 1];
      const more = rest.length > taken.length && last !== undefined;
      const page: ErasedPage = { deleted: taken.length, cursor: more ? keyAfter(last.diskKey) : null };
      this.core?.onDeleted(this.world.now, token, page);
    });
  }

  syncStore(_now: Instant, token: number): void {
    this.#later(500, () => this.core?.onStoreSynced(this.world.now, token));
  }

  rebuildTrees(_now: Instant, partition: PartitionId): void {
    this.#soon(() => {
      this.#tell({ partition, n: 3 }, "reads the partition through: its tree says nothing any more");
      this.miscounted.delete(partition);
    });
  }

  keepsHints(): boolean {
    return this.hints > 0;
  }

  holds(partition: PartitionId, n: number): boolean {
    if (this.miscounted.has(partition)) return true;
    for (const held of this.store.values()) if (held.partition === partition && held.n === n) return true;
    return false;
  }

  /** Compares twice, with more than a write's time between, and merges both ways each time. */
  compareTrees(_now: Instant, partition: PartitionId, n: number, peer: NodeNumber, token: number): void {
    const { world } = this;
    const end = (outcome: Compared): void => {
      this.#tell({ partition, n }, `compares its tree with ${peer}'s: ${outcome}`);
      this.core?.onCompared(world.now, token, outcome);
    };
    if (world.planted === "blind-comparison") {
      this.#soon(() => end("equal"));
      return;
    }
    this.#soon(() => {
      const first = this.#exchange(partition, n, peer);
      if (first === "failed") {
        end(first);
        return;
      }
      this.#later(2 * world.writeUs + 1000, () => {
        const second = this.#exchange(partition, n, peer);
        end(first === "equal" ? second : second === "failed" ? second : "different");
      });
    });
  }

  #exchange(partition: PartitionId, n: number, peer: NodeNumber): Compared {
    const other = this.world.node(peer);
    if (!other.alive || this.world.rng.chance(this.world.troublePerMille)) return "failed";
    const before = other.digest(partition, n) === this.digest(partition, n);
    for (const held of other.of(partition, n)) this.merge(held.fullKey, held.ids);
    for (const held of this.of(partition, n)) other.merge(held.fullKey, held.ids);
    return before ? "equal" : "different";
  }

  digest(partition: PartitionId, n: number): string {
    return this.of(partition, n)
      .map((held) => `${held.name}=${[...held.ids].sort((a, b) => a - b).join(",")}`)
      .join(" ");
  }

  /** Records that no owner covers are merged by one of them the second time. */
  compareKeys(_now: Instant, partition: PartitionId, n: number, owners: readonly NodeNumber[], token: number): void {
    this.#soon(() => {
      const alive = owners.map((owner) => this.world.node(owner)).filter((node) => node.alive);
      const missing = this.of(partition, n).filter(
        (held) => !alive.some((node) => [...held.ids].every((id) => node.idsAt(held.fullKey).has(id))),
      );
      const outcome: Covered =
        missing.length === 0 ? "covered" : alive.length === owners.length ? "uncovered" : "failed";
      if (outcome === "uncovered") this.#uncovered += 1;
      if (outcome === "uncovered" && this.#uncovered % 2 === 0) {
        for (const held of missing) alive[0]?.merge(held.fullKey, held.ids);
      }
      this.#tell({ partition, n }, `compares its keys with those of ${owners.join(", ")}: ${outcome}`);
      this.core?.onCovered(this.world.now, token, outcome);
    });
  }

  isDead(number: NodeNumber): boolean {
    return this.world.seemsDead(number);
  }

  everyMemberAt(epoch: number): boolean {
    return this.world.nodes.every((node) => node.ring.epoch >= epoch);
  }

  memberAt(number: NodeNumber, epoch: number): boolean {
    return this.world.planted === "reopens-at-once" || this.world.node(number).ring.epoch >= epoch;
  }

  gaveUp(_now: Instant, partition: PartitionId): void {
    this.gaveUps.push(partition);
  }

  leftOut(_now: Instant, partition: PartitionId, n: number, owners: readonly NodeNumber[]): void {
    this.#tell({ partition, n }, `is synced again, without ${owners.join(", ")}`);
  }

  happened(_now: Instant, event: TransferEvent, transfer: Transfer): void {
    this.#tell(transfer, `* ${event}`);
    this.world.events.set(event, (this.world.events.get(event) ?? 0) + 1);
  }
}
