/**
 * Drives a coordinator and writes down what happens, as lines of text: events in with `->`, effects out indented. The
 * recorder also holds every test to the contract: one reply per op, one forget, in this order, and nothing after it.
 */
import fc from "fast-check";
import { expect } from "vitest";
import { Durability, durabilityName } from "../../../src/base/durability.ts";
import { codeOf, type ErrorCode, type Status, statusOk, wireOf } from "../../../src/base/errors.ts";
import type { NodeNumber, PartitionId } from "../../../src/base/ids.ts";
import { type Instant, instant } from "../../../src/base/time.ts";
import { GetCoordinator, type GetEffects, GetOp, wantsHead } from "../../../src/coordinator/get.ts";
import type { Op } from "../../../src/coordinator/op.ts";
import { PutCoordinator, type PutEffects, PutOp } from "../../../src/coordinator/put.ts";
import { type AskedQuorum, Quorum } from "../../../src/coordinator/quorum.ts";
import type { BucketPolicy } from "../../../src/ring/ring.ts";
import { headIfLarger, openRecord, sealRecord } from "../../../src/version/record.ts";
import { SiblingSet } from "../../../src/version/sibling-set.ts";
import { VersionVector } from "../../../src/version/version-vector.ts";

const key = new Uint8Array([1, 98, 107]);
export const timeoutUs = 100_000;
/** How long a slot of a story may say nothing: a quarter of its time. */
export const silenceUs = 25_000;
const coreOptions = { opsMax: 8, replicaMarginUs: 5_000, silenceUs: 200_000 };

export function policyOf(n: number, r: number, w: number, durability: Durability = Durability.buffered): BucketPolicy {
  return { name: "", n, r, w, durability, resolver: 0, version: 1 };
}

/** Node 101 is slot 0's target, 102 slot 1's, and so on. */
export function targetsOf(count: number): Uint16Array {
  return Uint16Array.from({ length: count }, (_, slot) => 101 + slot);
}

export function slotsIn(mask: number): number[] {
  return [0, 1, 2, 3, 4, 5, 6, 7].filter((slot) => (mask & (1 << slot)) !== 0);
}

export function maskOf(slots: readonly number[]): number {
  return slots.reduce((mask, slot) => mask | (1 << slot), 0);
}

/** A record with one sibling per dot; the same dots always give the same bytes. */
export function recordOf(dots: readonly (readonly [actor: number, counter: number])[]): Uint8Array {
  let set = SiblingSet.empty;
  for (const [actor, counter] of dots) {
    const requestId = new Uint8Array(16).fill(actor * 16 + counter);
    const value = new Uint8Array([actor, counter]);
    const dot = { actorHigh: actor << 16, actorLow: 7, counter };
    const context = VersionVector.empty;
    set = set.put({ context, dot, requestId, value, tombstone: false, second: 1, keepRecentFor: 60 });
  }
  return sealRecord(set);
}

/** The dots of the siblings in a record, as text. */
export function dotsIn(sealed: Uint8Array | null): string {
  if (sealed === null) return "nothing";
  const siblings = openRecord(sealed).siblings.map((sibling) => sibling.dots);
  return siblings.map((dots) => dots.map((dot) => `${dot.actorHigh >>> 16}:${dot.counter}`).join("+")).join(" ");
}

/** Which ops were answered and forgotten; shared by both recorders. */
class Ledger {
  readonly lines: string[] = [];
  readonly replied = new Set<Op<string>>();
  readonly forgotten = new Set<Op<string>>();
  /** What the node's detector was told; in no story's text, since every answer is one of its events already. */
  readonly answers: { slot: number; status: Status; latencyUs: number }[] = [];

  protected effect(op: Op<string>, text: string): void {
    if (this.forgotten.has(op)) expect.fail("an effect after forget");
    this.lines.push(`              ${text}`);
  }

  event(now: number, text: string): void {
    this.lines.push(`${String(now).padStart(8)} us -> ${text}`);
  }

  heard(_now: Instant, op: Op<string>, slot: number, status: Status, latencyUs: number): void {
    if (this.forgotten.has(op)) expect.fail("an effect after forget");
    this.answers.push({ slot, status, latencyUs });
  }

  silent(_now: Instant, op: Op<string>, slot: number): void {
    this.effect(op, `silent ${slot}`);
  }

  staleRing(_now: Instant, epoch: number): void {
    this.lines.push(`              staleRing ${epoch}`);
  }

  protected answer(op: Op<string>, detail: string): void {
    if (this.replied.has(op)) expect.fail("a second reply");
    this.replied.add(op);
    const text = op.status === statusOk ? `ok; ${detail}` : `${codeOf(op.status)}: ${op.message}`;
    this.effect(op, `reply ${text}`);
  }

  protected leave(op: Op<string>): void {
    if (!this.replied.has(op)) expect.fail("forget before the reply");
    this.effect(op, "forget");
    this.forgotten.add(op);
  }
}

export class PutRecorder extends Ledger implements PutEffects<string> {
  putLocal(_now: Instant, op: PutOp<string>, durability: Durability): void {
    this.effect(op, `putLocal ${durabilityName(durability)}`);
  }
  writeReplica(_now: Instant, op: PutOp<string>, slot: number, durability: Durability): void {
    this.effect(op, `writeReplica ${slot} ${durabilityName(durability)}`);
  }
  keepHint(_now: Instant, op: PutOp<string>, slot: number, owner: NodeNumber, durability: Durability): void {
    this.effect(op, `keepHint ${slot} for ${owner} ${durabilityName(durability)}`);
  }
  askHead(_now: Instant, op: PutOp<string>, slot: number): void {
    this.effect(op, `askHead ${slot}`);
  }
  reply(_now: Instant, op: PutOp<string>): void {
    this.answer(op, `acked ${slotsIn(op.acked)}; durable ${slotsIn(op.durable).join() || "none"}`);
  }
  forget(_now: Instant, op: PutOp<string>): void {
    this.leave(op);
  }
}

/** One op on a coordinator of its own: what happens to it, whatever it is. */
abstract class Story {
  abstract readonly recorder: Ledger;
  abstract readonly core: Pick<GetCoordinator<string>, "onFailure" | "onTargetLost" | "expire">;
  abstract readonly op: Op<string>;

  fail(now: number, slot: number, code: ErrorCode = "STORAGE_FAILED", message = "", epoch = 0): this {
    this.recorder.event(now, `onFailure ${slot} ${code}${epoch === 0 ? "" : `, its ring is of epoch ${epoch}`}`);
    this.core.onFailure(instant(now), this.op.id, slot, wireOf(code), message, epoch);
    return this;
  }
  lost(now: number, slot: number): this {
    const number = this.op.targetNumbers[slot] as number;
    this.recorder.event(now, `onTargetLost ${number}`);
    this.core.onTargetLost(instant(now), number, wireOf("CONNECTION_LOST"), `node ${number}: connection reset`);
    return this;
  }
  expire(now: number): this {
    this.recorder.event(now, "expire");
    this.core.expire(instant(now));
    return this;
  }

  get replied(): boolean {
    return this.recorder.replied.has(this.op);
  }
  get gone(): boolean {
    return this.recorder.forgotten.has(this.op);
  }
  get status(): Status {
    return this.op.status;
  }
  text(title: string): string {
    return `${title}\n\n${this.recorder.lines.join("\n")}\n`;
  }
}

export interface PutSetting {
  readonly policy?: BucketPolicy;
  readonly asked?: AskedQuorum;
  readonly durability?: Durability;
  readonly localSlot?: number;
  readonly partition?: number;
  readonly targets?: number;
  readonly hostOf?: number;
  readonly fallbacks?: number;
  /** How many nodes after the first slots may be asked in place of owners. */
  readonly candidates?: number;
  /** The slot whose owner is being replaced; the pending member comes after the owners. */
  readonly replacedSlot?: number;
  /** The owners by slot, where a fallback is asked in the place of one from the start. */
  readonly owners?: readonly number[];
  readonly epoch?: number;
}

/** One put on a coordinator of its own. */
export class PutStory extends Story {
  readonly recorder = new PutRecorder();
  readonly core = new PutCoordinator<string>(this.recorder, coreOptions);
  readonly op: PutOp<string>;
  readonly sealed = recordOf([[1, 1]]);

  constructor(setting: PutSetting = {}) {
    super();
    const policy = setting.policy ?? policyOf(3, 2, 2);
    this.op = new PutOp("put", key, new Quorum(policy, setting.asked ?? {}));
    this.op.durability = setting.durability ?? policy.durability;
    this.op.localSlot = setting.localSlot ?? 0;
    this.op.partition = (setting.partition ?? 0) as PartitionId;
    const pending = setting.replacedSlot === undefined ? 0 : 1;
    const candidates = setting.candidates ?? 0;
    this.op.targetNumbers = targetsOf((setting.targets ?? policy.n) + pending + candidates);
    this.op.candidates = candidates;
    if (setting.replacedSlot !== undefined) {
      this.op.replacedSlot = setting.replacedSlot;
      this.op.pendingSlot = policy.n;
    }
    if (setting.owners !== undefined) this.op.ownerNumbers = Uint16Array.from(setting.owners);
    this.op.epoch = setting.epoch ?? 0;
    this.op.timeoutUs = timeoutUs;
    if (setting.hostOf !== undefined) this.op.hostOf = setting.hostOf;
    this.op.fallbacks = setting.fallbacks ?? 0;
  }

  begin(now = 0): this {
    const { quorum, durability, localSlot } = this.op;
    const mode = durabilityName(durability);
    this.recorder.event(now, `begin: n ${quorum.n}, w ${quorum.w}, ${mode}, this node is slot ${localSlot}`);
    this.core.begin(instant(now), this.op);
    return this;
  }
  prepared(now = 0): this {
    this.recorder.event(now, "onPrepared");
    this.core.onPrepared(instant(now), this.op.id, this.sealed, openRecord(this.sealed).version);
    return this;
  }
  ack(now: number, slot: number, durable = false): this {
    this.recorder.event(now, `onAck ${slot}${durable ? " durable" : ""}`);
    this.core.onAck(instant(now), this.op.id, slot, durable);
    return this;
  }
  head(now: number, slot: number, sealed: Uint8Array | null): this {
    this.recorder.event(now, `onHead ${slot}: ${sealed === null ? "no answer" : dotsIn(sealed)}`);
    this.core.onHead(instant(now), this.op.id, slot, sealed === null ? null : openRecord(sealed).version);
    return this;
  }
}

export class GetRecorder extends Ledger implements GetEffects<string> {
  readRequests = 0;
  readonly repaired: number[] = [];
  /** What the node says when it is asked. */
  hedgeDelayUs = 0;
  hedgesLeft = 0;

  readReplica(_now: Instant, op: GetOp<string>, slot: number): void {
    this.readRequests += 1;
    this.effect(op, `readReplica ${slot}${wantsHead(op, slot) ? ", the head if it is large" : ""}`);
  }
  hedgeDelay(): number {
    return this.hedgeDelayUs;
  }
  mayHedge(): boolean {
    this.hedgesLeft -= 1;
    return this.hedgesLeft >= 0;
  }
  repairReplica(_now: Instant, op: GetOp<string>, slot: number): void {
    this.repaired.push(slot);
    this.effect(op, `repairReplica ${slot} with ${dotsIn(op.merged)}`);
  }
  reply(_now: Instant, op: GetOp<string>): void {
    this.answer(op, `${dotsIn(op.merged)}; answered ${slotsIn(op.answered)}`);
  }
  forget(_now: Instant, op: GetOp<string>): void {
    this.leave(op);
  }
}

export interface GetSetting {
  readonly policy?: BucketPolicy;
  readonly asked?: AskedQuorum;
  readonly localSlot?: number;
  readonly targets?: number;
  readonly fallbacks?: number;
  readonly repairsMax?: number;
  readonly replacedSlot?: number;
  readonly epoch?: number;
  /** The slot that sends a large record whole. */
  readonly bodySlot?: number;
}

/** One get on a coordinator of its own. */
export class GetStory extends Story {
  readonly recorder = new GetRecorder();
  readonly core: GetCoordinator<string>;
  readonly op: GetOp<string>;

  constructor(setting: GetSetting = {}) {
    super();
    const options = { ...coreOptions, repairsMax: setting.repairsMax ?? 8 };
    this.core = new GetCoordinator(this.recorder, options);
    const policy = setting.policy ?? policyOf(3, 2, 2);
    this.op = newGet(policy, setting);
  }

  begin(now = 0): this {
    const { quorum, localSlot } = this.op;
    const here = localSlot < 0 ? "this node is no owner" : `this node is slot ${localSlot}`;
    this.recorder.event(now, `begin: n ${quorum.n}, r ${quorum.r}, ${here}`);
    this.core.begin(instant(now), this.op);
    return this;
  }
  record(now: number, slot: number, sealed: Uint8Array | null): this {
    this.recorder.event(now, `onRecord ${slot}: ${dotsIn(sealed)}`);
    // The bytes are only lent: what the core keeps must be its own.
    const lent = sealed === null ? null : sealed.slice();
    this.core.onRecord(instant(now), this.op.id, slot, lent);
    lent?.fill(0xee);
    return this;
  }
  head(now: number, slot: number, sealed: Uint8Array): this {
    this.recorder.event(now, `onHead ${slot}: ${dotsIn(sealed)}`);
    const lent = headIfLarger(sealed, 0).slice();
    this.core.onHead(instant(now), this.op.id, slot, lent, sealed.length);
    lent.fill(0xee);
    return this;
  }
  unsynced(now: number, slot: number, sealed: Uint8Array | null): this {
    this.recorder.event(now, `onUnsynced ${slot}: ${dotsIn(sealed)}`);
    const lent = sealed === null ? null : sealed.slice();
    this.core.onUnsynced(instant(now), this.op.id, slot, lent, "receiving");
    lent?.fill(0xee);
    return this;
  }
  repaired(now: number, slot: number): this {
    this.recorder.event(now, `onRepaired ${slot}`);
    this.core.onRepaired(instant(now), this.op.id, slot);
    return this;
  }
}

/** A get as the node sets it up. */
export function newGet(policy: BucketPolicy, setting: GetSetting = {}): GetOp<string> {
  const op = new GetOp<string>("get", key, new Quorum(policy, setting.asked ?? {}));
  op.localSlot = setting.localSlot ?? 0;
  const pending = setting.replacedSlot === undefined ? 0 : 1;
  op.targetNumbers = targetsOf((setting.targets ?? policy.n) + pending);
  if (setting.replacedSlot !== undefined) {
    op.replacedSlot = setting.replacedSlot;
    op.pendingSlot = policy.n;
  }
  op.epoch = setting.epoch ?? 0;
  op.fallbacks = setting.fallbacks ?? 0;
  op.bodySlot = setting.bodySlot ?? -1;
  op.timeoutUs = timeoutUs;
  return op;
}

type PutRequirement = "w" | "pw" | "dw" | "hostConfirms" | "strict";

/** Any requirements on a put of `n` replicas. */
export function anyRequirements(n: number): fc.Arbitrary<{ [K in PutRequirement]: NonNullable<AskedQuorum[K]> }> {
  const upToN = fc.integer({ min: 0, max: n });
  return fc.record({
    w: fc.integer({ min: 1, max: n }),
    pw: upToN,
    dw: upToN,
    hostConfirms: upToN,
    strict: fc.boolean(),
  });
}

/** All orders of a list. */
export function ordersOf<T>(list: readonly T[]): T[][] {
  if (list.length === 0) return [[]];
  return list.flatMap((first, at) => ordersOf(list.toSpliced(at, 1)).map((rest) => [first, ...rest]));
}
