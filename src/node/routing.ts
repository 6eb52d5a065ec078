/**
 * Routing: whom each op asks, from the ring and from what the data path has seen of the peers (route-health.ts,
 * targets.ts), and who may coordinate a put. What it knows of the peers it is told by those who send and hear.
 *
 * A put is coordinated by an owner, because the coordinator mints the dot; a fallback mints only when it can reach no
 * owner, since every outage in which it does costs it an incarnation (Dynamo 4.5, 4.6).
 */
import { codeOf, type Status, statusOk } from "../base/errors.ts";
import type { NodeNumber } from "../base/ids.ts";
import type { Rng } from "../base/rng.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import type { GetOp } from "../coordinator/get.ts";
import { firstSlots, type Op } from "../coordinator/op.ts";
import { PutOp } from "../coordinator/put.ts";
import { countSlots, hintOwner, ownSlots } from "../coordinator/slots.ts";
import { ReadRule, WriteRule } from "../handoff/transfer.ts";
import type { PendingMember, Ring } from "../ring/ring.ts";
import type { Peers } from "./peers.ts";
import { spreadOf } from "./read-hedging.ts";
import { RouteHealth, type RouteState } from "./route-health.ts";
import type { NodeState } from "./state.ts";
import { bestOf, chooseTargets, type KeyOwners, type Purpose, slotOf } from "./targets.ts";

const noList = new Uint16Array(0);

export class Routing implements KeyOwners {
  readonly health: RouteHealth;
  readonly #spread: Rng;
  readonly #shared: NodeState;
  readonly #peers: Peers;
  // What of the ring concerns the op that is being given targets: one object serves all.
  list: Uint16Array = noList;
  bucketN = 0;
  pending: PendingMember | undefined = undefined;
  #ring: Ring | undefined = undefined;

  constructor(shared: NodeState, peers: Peers) {
    this.#shared = shared;
    this.#peers = peers;
    this.health = new RouteHealth({
      probe: (_now, number) => this.#peers.of(number)?.ping(),
      stateChanged: (_now, number, state, before) => this.#tell(number, state, before),
    });
    this.#spread = spreadOf(shared);
    shared.routeState = (number) => this.health.state(number);
    shared.slow = () => this.health.isSlow;
    shared.onServed = (now, storageUs) => this.health.served(now, storageUs);
    shared.onReadOnly = (number, readOnly) => this.health.readOnly(number, readOnly);
  }

  #tell(number: NodeNumber, state: RouteState, before: RouteState): void {
    const peer = this.#peers.of(number)?.member.name ?? "";
    const fields = { peer, number, state, before };
    // A busy cluster's peers are slow in turns: of interest to whoever looks for it.
    if (state === "down" || before === "down") this.#shared.env.log.info("the way to a peer", fields);
    else this.#shared.env.log.debug("the way to a peer", fields);
  }

  sameHost(a: number, b: number): boolean {
    const one = this.#ring?.member(a as NodeNumber);
    return one !== undefined && one.host === this.#ring?.member(b as NodeNumber)?.host;
  }

  /** Gives the op its targets by the ring as it is now; `quorum` and `partition` are set. */
  aim(op: Op<unknown>, purpose: Purpose): void {
    const ring = this.#shared.ring;
    this.#ring = ring;
    this.bucketN = op.quorum.bucketN;
    this.list = ring.preferenceList(op.partition, this.bucketN);
    this.pending = ring.pendingOf(op.partition, this.bucketN);
    chooseTargets(op, purpose, this, this.health);
    op.epoch = ring.epoch;
    op.localSlot = slotOf(op.targetNumbers, slotsAtFirst(op, purpose), this.#shared.number);
  }

  /** Gives a get its targets, and chooses who sends a large record whole: this node if it counts, else the better of two. */
  aimGet(op: GetOp<unknown>): void {
    this.aim(op, "get");
    if (this.#shared.config.bodyMaxBytes === 0) return;
    const { localSlot, targetNumbers } = op;
    let others = op.fallbacks;
    if (localSlot >= 0 && ((others >>> localSlot) & 1) === 0) {
      if (this.#shared.readRule(op.partition, op.quorum.bucketN) === ReadRule.serve) {
        op.bodySlot = localSlot;
        return;
      }
      others |= 1 << localSlot;
    }
    const count = slotsAtFirst(op, "get");
    // Were it always the best of all, everybody would ask the same one at the same time.
    while (count - countSlots(others) > 2) others |= 1 << this.#spread.below(count);
    op.bodySlot = bestOf(targetNumbers, count, others, this.health);
  }

  /**
   * Whether this node coordinates the put, which has been aimed: it is an owner and has all of the partition; or it is
   * the pending member, an owner that is still receiving, or a fallback, and can reach nobody better. `passedOn`:
   * another node has looked already and chose this one.
   */
  mayCoordinate(op: PutOp<unknown>, passedOn: boolean): boolean {
    const slot = op.localSlot;
    const isFallback = slot >= 0 && (op.fallbacks & (1 << slot)) !== 0;
    if (slot >= 0 && !isFallback) {
      const n = op.quorum.bucketN;
      if (this.#shared.writeRule(op.partition, n) !== WriteRule.accept) return false;
      if (slot !== op.pendingSlot && this.#shared.readRule(op.partition, n) === ReadRule.serve) return true;
    }
    if (slot >= 0 && passedOn) return true;
    if (this.#otherOwner(op)) return false;
    return slot >= 0 || this.#takeSlot(op);
  }

  /** Whether some owner but this node can be asked. */
  #otherOwner(op: PutOp<unknown>): boolean {
    const { list, health } = this;
    const self = slotOf(list, firstSlots(op), this.#shared.number);
    return bestOf(list, firstSlots(op), self < 0 ? 0 : 1 << self, health) >= 0;
  }

  /** Nobody who owns the key can be asked: if this node is a candidate fallback, it takes the place of the first of them. */
  #takeSlot(op: PutOp<unknown>): boolean {
    const { targetNumbers, fallbacks } = op;
    const at = slotOf(targetNumbers, targetNumbers.length, this.#shared.number);
    // While two targets share a host their slots are not exchanged: `hostOf` names them.
    if (at < 0 || fallbacks === 0 || op.hostOf !== ownSlots) return false;
    const slot = 31 - Math.clz32(fallbacks & -fallbacks);
    targetNumbers[at] = targetNumbers[slot] as number;
    targetNumbers[slot] = this.#shared.number;
    op.localSlot = slot;
    return true;
  }

  /** For whom the slot of a put keeps a hint; 0: it is no fallback's. */
  hintTarget(op: PutOp<unknown>, slot: number): NodeNumber | 0 {
    return (op.fallbacks & (1 << slot)) === 0 ? 0 : hintOwner(op, slot);
  }

  /** A slot has answered. */
  heard(now: Instant, op: Op<unknown>, slot: number, status: Status, latencyUs: DurationUs): void {
    const number = op.targetNumbers[slot] as NodeNumber;
    const late = ((op.silent >>> slot) & 1) === 1;
    if (status === statusOk) {
      if (late) this.health.answeredLate(now, number);
      else this.health.answered(now, number, latencyUs);
      return;
    }
    const code = codeOf(status);
    // Links that break are told of by themselves; and a fallback whose hints are full is not ill.
    if (code === "CONNECTION_LOST") return;
    const full = code === "OVERLOADED" && ((op.fallbacks >>> slot) & 1) === 0;
    if (full || code === "STORAGE_FAILED") this.health.failed(now, number);
    else if (late) this.health.answeredLate(now, number);
    else this.health.answered(now, number, -1);
  }

  /** The op is over: what it still waited for says nothing any more. */
  forget(op: PutOp<unknown> | GetOp<unknown>): void {
    let left = op.awaiting & ~op.silent;
    if (op.localSlot >= 0) left &= ~(1 << op.localSlot);
    if (left !== 0) this.#giveUp(op, left);
    if (op instanceof PutOp && op.resent !== 0) this.#giveUp(op, op.resent);
  }

  #giveUp(op: Op<unknown>, slots: number): void {
    for (let slot = 0; slots >>> slot !== 0; slot += 1) {
      if (((slots >>> slot) & 1) === 1) this.health.givenUp(op.targetNumbers[slot] as NodeNumber);
    }
  }
}

/** How many slots the coordinator asks at first: a get leaves the pending member out. */
function slotsAtFirst(op: Op<unknown>, purpose: Purpose): number {
  if (op.pendingSlot < 0) return firstSlots(op);
  return purpose === "put" ? op.pendingSlot + 1 : op.pendingSlot;
}
