/**
 * TransferWorld: several nodes with real `Transfers` cores, a network that loses, repeats and reorders, and an operator who
 * moves owners about, while clients put keys under whatever ring they know (dual writes included, and fenced). Its checks
 * look at all nodes at once: no reader with any ring that is still in use may miss an acknowledged write, and a partition
 * never lacks readers.
 */
import { utf8 } from "../../src/base/bytes.ts";
import { fullKeyOf } from "../../src/base/full-key.ts";
import type { NodeNumber, PartitionId } from "../../src/base/ids.ts";
import { Rng } from "../../src/base/rng.ts";
import { after, type Instant, instant } from "../../src/base/time.ts";
import { ReadRule } from "../../src/handoff/transfer.ts";
import { defaultTransferConfig, type TransferConfig } from "../../src/handoff/transfer-effects.ts";
import { nextRing } from "../../src/ring/next-ring.ts";
import { type Member, type PendingTransfer, Ring } from "../../src/ring/ring.ts";
import type { TransferPullReply } from "../../src/wire/gen/codecs.ts";
import { defaultPolicy, fieldsOf, memberOf } from "../unit/ring/support.ts";
import { staleRule } from "./naive-rules.ts";
import { type Place, TransferNode } from "./transfer-node.ts";

/** What is planted to see whether the checks find it. */
export type Planted = "none" | "blind-comparison" | "forgets" | "single-writes" | "hasty-flip" | "reopens-at-once";

/** How a world is made. */
export interface WorldOptions {
  readonly seed: number;
  readonly planted?: Planted;
  readonly owners?: readonly number[];
  readonly members?: readonly Member[];
  /** Of 1,000 messages: lost, and as many repeated. */
  readonly lossPerMille?: number;
  readonly troublePerMille?: number;
  /** Within this time everybody has heard of a new ring, or been told by somebody who has. */
  readonly ringUs?: number;
  readonly config?: Partial<TransferConfig>;
  /** The story tells every step of this replica's transfers. */
  readonly focus?: { readonly partition: number; readonly n: number };
}

interface Job {
  readonly at: Instant;
  readonly order: number;
  readonly act: () => void;
}

interface AckedWrite {
  readonly fullKey: Uint8Array;
  readonly id: number;
}

const bucketOfThree = utf8("three");
const bucketOfTwo = utf8("two");

/** A ring of eight partitions with one bucket of n = 2 beside the default of n = 3. */
export function firstRing(owners: readonly number[], members: readonly Member[]): Ring {
  const two = { ...defaultPolicy, name: "two", n: 2, r: 1, w: 2 };
  return new Ring({ ...fieldsOf(members, owners), buckets: [defaultPolicy, two] });
}

export class TransferWorld {
  readonly rng: Rng;
  readonly planted: Planted;
  readonly config: TransferConfig;
  readonly nodes: TransferNode[] = [];
  /** Every ring ever chosen. */
  readonly rings: Ring[] = [];
  readonly acked: AckedWrite[] = [];
  readonly story: string[] = [];
  readonly focus: { readonly partition: number; readonly n: number } | undefined;
  /** Replicas that lost records, until they are whole again. */
  readonly losses: { readonly node: TransferNode; readonly partition: PartitionId; readonly n: number }[] = [];
  /** By full key in hexadecimal digits; the same in every ring. */
  readonly places: Map<string, Place> = new Map();
  /** How often each thing happened. */
  readonly events: Map<string, number> = new Map();
  readonly credits: Map<string, number> = new Map();
  /** A write that was admitted is stored within this time. */
  readonly writeUs = 20_000;
  readonly #ringUs: number;
  lossPerMille: number;
  troublePerMille: number;
  now: Instant = instant(1_000_000);
  readonly #jobs: Job[] = [];
  #order = 0;
  #nextId = 1;
  readonly #reported: Set<string> = new Set();
  readonly #downSince: Map<number, Instant> = new Map();

  constructor(options: WorldOptions) {
    this.rng = new Rng(options.seed);
    this.planted = options.planted ?? "none";
    this.focus = options.focus;
    this.lossPerMille = options.lossPerMille ?? 0;
    this.troublePerMille = options.troublePerMille ?? 0;
    this.#ringUs = options.ringUs ?? 60_000;
    this.config = {
      ...defaultTransferConfig,
      pageBytesMax: 40,
      mergesMax: 2,
      scansMax: 2,
      saveWaitMostUs: 3_000,
      saveLaterUs: 20_000,
      copyCostBytes: 0,
      askTimeoutUs: 100_000,
      retryLeastUs: 5_000,
      retryMostUs: 50_000,
      pollUs: 20_000,
      deleteCostBytes: 500,
      leaveOutUs: 500_000,
      bytesPerSecond: 100_000,
      ...options.config,
    };
    const members = options.members ?? [1, 2, 3, 4, 5, 6].map((number) => memberOf(number));
    const ring = firstRing(options.owners ?? [1, 2, 3, 4, 1, 2, 3, 4], members);
    this.rings.push(ring);
    for (const member of members) this.nodes.push(new TransferNode(this, member.number, ring));
    for (const node of this.nodes) node.boot(true);
  }

  // Time and network.

  at(us: number, act: () => void): void {
    this.#order += 1;
    const job = { at: after(this.now, us), order: this.#order, act };
    let i = this.#jobs.length;
    while (i > 0 && (this.#jobs[i - 1] as Job).at > job.at) i -= 1;
    this.#jobs.splice(i, 0, job);
  }

  /** Runs until `us` have passed. */
  run(us: number): void {
    const until = after(this.now, us);
    for (;;) {
      const job = this.#jobs[0];
      if (job === undefined || job.at > until) break;
      this.#jobs.shift();
      this.now = job.at;
      job.act();
    }
    this.now = until;
  }

  /** Runs until `done`, at the most so long; returns whether it came true. */
  runUntil(done: () => boolean, usMax: number): boolean {
    for (let passed = 0; passed < usMax; passed += 5_000) {
      if (done()) return true;
      this.run(5_000);
    }
    return done();
  }

  send(_from: NodeNumber, to: NodeNumber, deliver: (node: TransferNode) => void): void {
    if (this.rng.chance(this.lossPerMille)) return;
    const copies = this.rng.chance(this.lossPerMille) ? 2 : 1;
    for (let i = 0; i < copies; i += 1) this.at(100 + this.rng.below(10_000), () => deliver(this.node(to)));
  }

  node(number: number): TransferNode {
    const node = this.nodes.find((one) => one.number === number);
    if (node === undefined) throw new Error(`no node ${number}`);
    return node;
  }

  /** A line about a replica; only the focus is told. */
  tell(partition: number, n: number, line: string): void {
    if (this.focus?.partition === partition && this.focus.n === n) this.narrate(line);
  }

  narrate(line: string): void {
    this.story.push(`${`${Math.floor((this.now - 1_000_000) / 1000)}`.padStart(4)} ms  ${line}`);
  }

  // Crashes and losses.

  /** A replica loses half of its records and finds out: one at a time in the whole world. */
  lose(number: number, partition: PartitionId, n: number): void {
    const node = this.node(number);
    if (this.losses.length > 0 || node.core?.readRule(partition, n) !== ReadRule.serve) return;
    this.losses.push({ node, partition, n });
    for (const [i, held] of node.of(partition, n).entries()) if (i % 2 === 0) node.store.delete(held.name);
    node.core.loseSynced(this.now, partition, n);
  }

  #forgetLosses(): void {
    for (let i = this.losses.length - 1; i >= 0; i -= 1) {
      const { node, partition, n } = this.losses[i] as (typeof this.losses)[number];
      if (node.core !== undefined && node.core.readRule(partition, n) !== ReadRule.notSynced) this.losses.splice(i, 1);
    }
  }

  crash(number: number): void {
    this.node(number).crash();
    this.#downSince.set(number, this.now);
  }

  /** A node that was down takes the newest ring before it serves. */
  restart(number: number): void {
    const node = this.node(number);
    node.ring = this.newest;
    node.boot(true);
    // What it lacks is found again, in case the word of it had not reached the disk.
    for (const loss of this.losses) if (loss.node === node) node.core?.loseSynced(this.now, loss.partition, loss.n);
    this.#downSince.delete(number);
  }

  seemsDead(number: number): boolean {
    const since = this.#downSince.get(number);
    return since !== undefined && this.now - since > 50_000;
  }

  // The operator.

  get newest(): Ring {
    return this.rings[this.rings.length - 1] as Ring;
  }

  choose(ring: Ring): void {
    this.rings.push(ring);
    for (const node of this.nodes) this.at(this.rng.below(this.#ringUs), () => node.alive && node.takeRing(ring));
  }

  /** Moves one owner entry; false: no valid ring. */
  move(position: number, owner: number): boolean {
    const ring = this.newest;
    const goal = ring.goal.slice();
    if (goal[position] === owner || ring.active.includes(position)) return false;
    goal[position] = owner;
    const active = Uint16Array.from([...ring.active, position].sort((a, b) => a - b));
    try {
      this.choose(nextRing(ring, { goal, active }));
    } catch {
      return false;
    }
    return true;
  }

  /** Leaves an entry where it is; false: no valid ring. */
  cancel(position: number): boolean {
    const ring = this.newest;
    const goal = ring.goal.slice();
    goal[position] = ring.owners[position] as number;
    try {
      this.choose(nextRing(ring, { goal, active: ring.active.filter((one) => one !== position) }));
    } catch {
      return false;
    }
    return true;
  }

  #nameIn(ring: Ring, transfer: PendingTransfer): string {
    return `${transfer.id}:${ring.fences[transfer.partition]}`;
  }

  sendToAdmin(id: number, since: number): void {
    if (!this.rng.chance(this.lossPerMille)) this.at(this.rng.below(5_000), () => this.#reported.add(`${id}:${since}`));
  }

  /** Flips what is confirmed; false: nothing. */
  flip(): boolean {
    const ring = this.newest;
    const flipped: number[] = [];
    for (const group of ring.flipGroups()) {
      const confirmed = group.transfers.every((transfer) => this.#reported.has(this.#nameIn(ring, transfer)));
      if (confirmed || (this.planted === "hasty-flip" && this.rng.chance(20))) flipped.push(...group.positions);
    }
    if (flipped.length === 0) return false;
    const owners = ring.owners.slice();
    for (const position of flipped) owners[position] = ring.goal[position] as number;
    const active = ring.active.filter((position) => !flipped.includes(position));
    this.choose(nextRing(ring, { owners, active, goal: ring.goal }));
    return true;
  }

  // Clients.

  keyNamed(name: string, two = false): Uint8Array {
    return fullKeyOf(two ? bucketOfTwo : bucketOfThree, utf8(name));
  }

  /** A put by a coordinator with the ring of a node that lives. */
  put(fullKey: Uint8Array): void {
    const alive = this.nodes.filter((node) => node.alive);
    if (alive.length === 0) return;
    const { ring } = this.rng.pick(alive);
    const { partition, n } = this.node(1).place(fullKey);
    const id = this.#nextId;
    this.#nextId += 1;
    const old = this.#first(ring.preferenceList(partition, n), n);
    const next = this.planted === "single-writes" ? old : this.#first(ring.nextList(partition, n), n);
    const acks = new Set<number>();
    let told = false;
    for (const number of new Set([...old, ...next])) {
      this.send(number, number, (node) =>
        node.replicaWrite(fullKey, id, ring.epoch, () => {
          acks.add(number);
          const met = [old, next].every((list) => list.filter((one) => acks.has(one)).length >= 2);
          if (!met || told) return;
          told = true;
          this.acked.push({ fullKey, id });
        }),
      );
    }
  }

  #first(list: Uint16Array, n: number): NodeNumber[] {
    return [...list.subarray(0, n)] as NodeNumber[];
  }

  // Checks.

  checkCredit(question: string, reply: TransferPullReply): void {
    const credit = this.credits.get(question);
    if (credit === undefined || reply.keys.length <= 1) return;
    let bytes = 0;
    for (const part of [...reply.keys, ...reply.records]) bytes += part.length;
    if (bytes > credit) throw new Error(`a page of ${bytes} bytes for a credit of ${credit}`);
  }

  /** Throws if a reader with any ring in use could miss an acknowledged write, if readers are lacking, or rules are stale. */
  check(): void {
    for (const { alive, core, ring, number } of this.nodes) {
      const stale = alive && core !== undefined ? staleRule(core, ring, number) : null;
      if (stale !== null) throw new Error(stale);
    }
    for (const ring of new Set(this.nodes.filter((node) => node.alive).map((node) => node.ring))) {
      for (const write of this.acked) this.#checkWrite(ring, write);
    }
    this.#forgetLosses();
    this.#checkReaders();
  }

  #checkWrite(ring: Ring, write: AckedWrite): void {
    const { partition, n } = this.node(1).place(write.fullKey);
    const readers = this.#readers(ring, partition, n, write.fullKey);
    const lacking = readers.filter((node) => !node.idsAt(write.fullKey).has(write.id));
    // W = 2: two of three readers, or one of two, must meet the write.
    if (lacking.length < (n === 3 ? 2 : 1)) return;
    const names = lacking.map((node) => node.number).join(" and ");
    throw new Error(
      `readers of partition ${partition} (n = ${n}) at ${names} miss write ${write.id} (epoch ${ring.epoch})`,
    );
  }

  /**
   * Who would answer, asked with this ring: the joining member in the place of the replaced one once that is closed, as
   * a reader may have found it some time ago.
   */
  #readers(ring: Ring, partition: PartitionId, n: number, fullKey: Uint8Array): TransferNode[] {
    const pending = ring.pendingOf(partition, n);
    const readers: TransferNode[] = [];
    for (const number of this.#first(ring.preferenceList(partition, n), n)) {
      let node = this.node(number);
      let rule = node.readRule(fullKey, ring.epoch);
      if (rule !== ReadRule.serve && pending?.replaced === number) {
        node = this.node(pending.joining);
        rule = node.readRule(fullKey, ring.epoch);
      }
      if (rule === ReadRule.serve) readers.push(node);
    }
    return readers;
  }

  #checkReaders(): void {
    const ring = this.newest;
    for (const n of ring.listSizes) {
      for (let p = 0 as PartitionId; p < ring.partitions; p = (p + 1) as PartitionId) {
        const pending = ring.pendingOf(p, n);
        const numbers = new Set<number>([
          ...this.#first(ring.preferenceList(p, n), n),
          ...this.#first(ring.nextList(p, n), n),
        ]);
        const nodes = [...numbers].map((number) => this.node(number));
        const serving = nodes.filter((node) => node.core?.readRule(p, n) === ReadRule.serve);
        const lost = (node: TransferNode): boolean =>
          this.losses.some((one) => one.node === node && one.partition === p && one.n === n);
        const down = nodes.filter((node) => !node.alive || lost(node));
        if (serving.length + down.length < n - 1) throw new Error(`partition ${p} (n = ${n}) lacks readers`);
        const both = serving.filter((node) => node.number === pending?.joining || node.number === pending?.replaced);
        const sameRing = both.every((node) => node.ring === ring);
        if (both.length > 1 && sameRing) throw new Error(`partition ${p} (n = ${n}): both ends of a transfer serve`);
      }
    }
  }

  /** Nothing moves, nothing waits, everybody has the newest ring. */
  get quiet(): boolean {
    if (this.newest.active.length > 0) return false;
    return this.nodes.every(
      (node) =>
        node.core !== undefined &&
        node.ring === this.newest &&
        node.core.report(this.now).length === 0 &&
        node.core.regaining === 0,
    );
  }

  /** What is wrong when all is quiet: an owner that does not serve, or somebody else who still holds records. */
  faultAtRest(): string | null {
    const ring = this.newest;
    for (const node of this.nodes) {
      for (const n of ring.listSizes) {
        for (let p = 0 as PartitionId; p < ring.partitions; p = (p + 1) as PartitionId) {
          const serves = node.core?.readRule(p, n) === ReadRule.serve;
          const owns = ring.isOwner(p, n, node.number);
          if (serves !== owns) return `node ${node.number}, partition ${p} (n = ${n}): owns ${owns}, serves ${serves}`;
        }
      }
    }
    return null;
  }
}
