/**
 * HintDelivery: brings hints home (Dynamo 4.6). For each target a lane: passes over the list of its hints, page by page;
 * each hint is read, sent to its target to be merged there, and deleted here only when the target has acknowledged it
 * *after a sync* and the stored causal hash still is that of what was sent. So a crash anywhere delivers twice, which
 * merging makes harmless, and never not at all.
 *
 *   trigger -> wait (jitter) -> scan a page -> read -> deliver -> drop -> ... -> end of the list -> idle, or again
 *
 * A pass begins when the target can be reached, when a hint is kept for one that can, at the start of the process, when
 * the ring changes, and now and then for safety; idleness is never a reason. A hint whose target the ring does not name
 * for its key any more is written as a hint for each of those it does name, with its age, and then deleted.
 *
 * Bounded at both ends: hints under way, the receiver's window of bytes, and a rate that halves on trouble or when the
 * receiver's clients suffer, and grows by steps otherwise. A hint is never dropped for any other reason than above.
 */
import { assert } from "../base/assert.ts";
import { canary } from "../base/canary.ts";
import { DeadlineQueue } from "../base/deadlines.ts";
import { type Status, statusOk, wireOf } from "../base/errors.ts";
import { Hash64 } from "../base/hash.ts";
import { mark } from "../base/mark.ts";
import type { Rng } from "../base/rng.ts";
import { Slab } from "../base/slab.ts";
import { after, type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { HintEntry } from "../storage/keys.ts";
import type { HintCounts, HintPage } from "../storage/store.ts";
import { causalHashOfSealed } from "../version/sealed-causal-hash.ts";
import {
  defaultHintConfig,
  type HintAnswer,
  type HintConfig,
  type HintDeliveryEffects,
  type HintDeliveryOptions,
} from "./delivery-effects.ts";
import { concernsOneHint, HintLane, HintSend, HintStep, targetOfScan } from "./hint-lane.ts";
import type { HintProgress, HintWait } from "./hints.ts";
import { retryDelay } from "./pace.ts";

const deadlineExceeded = wireOf("DEADLINE_EXCEEDED");
const storageFailed = wireOf("STORAGE_FAILED");
/** After a pass that got on, the next one begins within this. */
const soonUs: DurationUs = 1_000_000;
/** A lane runs so far ahead of its rate, and then waits as long: an alarm per hint would be too many. */
const aheadUs: DurationUs = 10_000;

/** The delivery of one node's hints. */
export class HintDelivery implements HintProgress {
  readonly #effects: HintDeliveryEffects;
  readonly #counts: HintCounts;
  readonly #rng: Rng;
  readonly #config: HintConfig;
  /** Bytes per second that may go to one target, as this node's own clients let it. */
  #rateMost: number = Number.MAX_SAFE_INTEGER;
  readonly #lanes: Map<number, HintLane> = new Map();
  readonly #sends: Slab<HintSend>;
  readonly #deadlines: DeadlineQueue = new DeadlineQueue();
  readonly #hash: Hash64 = new Hash64();
  #safetyAt: Instant = never;
  #inside = false;
  /** Hints that have gone home, and those written anew for other owners. */
  delivered = 0;
  moved = 0;

  constructor(options: HintDeliveryOptions) {
    this.#effects = options.effects;
    this.#counts = options.counts;
    this.#rng = options.rng;
    this.#config = { ...defaultHintConfig, ...options.config };
    this.#sends = new Slab(this.#config.inFlightMax);
  }

  /** Hints under way. */
  get inFlight(): number {
    return this.#sends.size;
  }

  /** The process has started and has a ring: looks at all that the disk holds. */
  start(now: Instant): void {
    this.#enter();
    this.#safetyAt = after(now, this.#config.safetyUs);
    this.#wakeAll(now);
    this.#leave();
  }

  /** The target is alive, or a connection to it stands. */
  onReachable(now: Instant, target: number): void {
    this.#enter();
    const lane = this.#lane(target);
    lane.reachable = true;
    lane.failures = 0;
    this.#wake(now, lane);
    this.#leave();
  }

  /** The target is dead or cannot be connected to. What is under way fails by itself. */
  onUnreachable(_now: Instant, target: number): void {
    this.#lane(target).reachable = false;
  }

  /** A hint for the target has been kept. */
  onStored(now: Instant, target: number): void {
    this.#enter();
    this.#wakeIdle(now, this.#lane(target));
    this.#leave();
  }

  /** What is kept for a target that has left, by somebody who did not know that yet, has other owners. */
  #wakeIdle(now: Instant, lane: HintLane): void {
    if (lane.state === "idle" && (lane.reachable || this.#effects.hasLeft(lane.target))) this.#wake(now, lane);
  }

  /** The owners of some keys have changed: every hint is looked at. */
  onRing(now: Instant): void {
    this.#enter();
    this.#wakeAll(now);
    this.#leave();
  }

  #wakeAll(now: Instant): void {
    for (const target of this.#counts.targets()) this.#wake(now, this.#lane(target));
  }

  #lane(target: number): HintLane {
    let lane = this.#lanes.get(target);
    if (lane === undefined) {
      lane = new HintLane(target, Math.min(this.#config.rateStart, this.#rateMost), this.#config.windowStart);
      this.#lanes.set(target, lane);
    }
    return lane;
  }

  #wake(now: Instant, lane: HintLane): void {
    if (this.#counts.countOf(lane.target) === 0) return;
    if (lane.state === "scanning" || lane.state === "passing") lane.again = true;
    else lane.waitUntil(after(now, this.#rng.below(this.#config.jitterUs + 1)));
  }

  #beginPass(now: Instant, lane: HintLane): void {
    lane.beginPass(this.#config.windowStart);
    this.#scan(now, lane);
  }

  #scan(now: Instant, lane: HintLane): void {
    this.#effects.scan(now, lane.target, lane.cursor, this.#config.pageKeys, lane.beginScan());
  }

  /** The page asked for with that token, or null and an error. The bytes belong to the delivery from here on. */
  onPage(now: Instant, token: number, page: HintPage | null): void {
    const lane = this.#lanes.get(targetOfScan(token));
    if (lane === undefined || !lane.awaits(token)) return;
    this.#enter();
    if (page === null) this.#stumble(now, lane, storageFailed);
    else {
      lane.take(page);
      this.#pump(now, lane);
    }
    this.#leave();
  }

  /** Sends what may be sent now; when nothing holds it up it ends with a scan or the end of the pass. */
  #pump(now: Instant, lane: HintLane): void {
    while (lane.state === "passing") {
      const entry = lane.entries[lane.next];
      if (entry === undefined) {
        if (lane.cursor !== null) this.#scan(now, lane);
        else if (lane.inFlight === 0) this.#endPass(now, lane);
        return;
      }
      const owners = this.#effects.ownersOf(entry.fullKey, entry.hashHigh);
      const home = includes(owners, lane.target);
      // It stays with a target that cannot be reached; and there may be no ring.
      const stays = owners.length === 0 || (home && !lane.reachable);
      if (!stays && !this.#begin(now, lane, entry, home ? [] : Array.from(owners))) return;
      lane.next += 1;
    }
  }

  /** Starts with one hint; false: not now. */
  #begin(now: Instant, lane: HintLane, entry: HintEntry, newOwners: readonly number[]): boolean {
    lane.at = never;
    const send = new HintSend(entry, newOwners);
    // A record larger than the window goes alone.
    const fits = lane.inFlight === 0 || lane.inFlightBytes + send.bytes <= lane.window;
    if (!fits || lane.inFlight >= this.#config.inFlightPerTarget || this.#sends.full) return false;
    if (lane.pace.readyAt > after(now, aheadUs)) {
      lane.at = lane.pace.readyAt;
      return false;
    }
    lane.pace.take(now, send.bytes);
    lane.inFlight += 1;
    lane.inFlightBytes += send.bytes;
    send.id = this.#sends.add(send);
    this.#effects.read(now, send);
    return true;
  }

  /** The hint asked for: its record, borrowed until this returns; null: it is gone. Or why it cannot be read. */
  onRecord(now: Instant, id: number, sealed: Uint8Array | null, status: Status): void {
    const send = this.#sends.get(id);
    assert(send !== undefined && send.step === HintStep.reading, "a hint is read once");
    this.#enter();
    const lane = this.#lane(send.target);
    if (status !== statusOk) this.#give(now, lane, send, status);
    else if (sealed === null || (send.owed === 0 && !lane.reachable)) this.#finish(now, lane, send);
    else this.#pass(now, send, sealed);
    this.#leave();
  }

  #pass(now: Instant, send: HintSend, sealed: Uint8Array): void {
    causalHashOfSealed(sealed, send.fullKey, this.#hash);
    send.causalHigh = this.#hash.high;
    send.causalLow = this.#hash.low;
    if (send.owed === 0 && canary("drop-hint-before-ack")) this.#drop(now, send);
    else if (send.owed === 0) {
      send.step = HintStep.delivering;
      this.#deadlines.push(now, send.id, this.#config.timeoutUs);
      this.#effects.deliver(now, send, sealed);
    } else {
      send.step = HintStep.keeping;
      mark("hint.moved");
      for (const owner of send.newOwners) this.#effects.keep(now, send, owner, sealed);
    }
  }

  /** The target has merged the record. A late answer to a delivery that was given up finds nothing. */
  onDelivered(now: Instant, id: number, answer: HintAnswer): void {
    const send = this.#sends.get(id);
    if (send === undefined || send.step !== HintStep.delivering) return;
    this.#enter();
    const lane = this.#lane(send.target);
    lane.window = answer.creditBytes;
    lane.adjust(now, this.#config, this.#rateMost, answer.limitUs > 0 && answer.foregroundUs > answer.limitUs);
    if (answer.durable) {
      lane.failures = 0;
      lane.lastFailure = statusOk;
      this.#drop(now, send);
    } else this.#give(now, lane, send, storageFailed);
    this.#leave();
  }

  #drop(now: Instant, send: HintSend): void {
    send.step = HintStep.dropping;
    this.#effects.drop(now, send);
  }

  /** The delivery failed, or was never sent. */
  onFailed(now: Instant, id: number, status: Status): void {
    assert(status !== statusOk, "a failure has a status");
    const send = this.#sends.get(id);
    if (send === undefined || send.step !== HintStep.delivering) return;
    this.#enter();
    this.#give(now, this.#lane(send.target), send, status);
    this.#leave();
  }

  /** The hint for one of the new owners is written, or was refused. */
  onKept(now: Instant, id: number, status: Status): void {
    const send = this.#sends.get(id);
    assert(send !== undefined && send.step === HintStep.keeping && send.owed > 0, "a hint is kept once per owner");
    this.#enter();
    const lane = this.#lane(send.target);
    send.owed -= 1;
    if (status !== statusOk) send.refused = status;
    if (send.owed === 0) {
      if (send.refused === statusOk) this.#drop(now, send);
      else {
        mark("hint.unplaced");
        lane.unplaced += 1;
        lane.lastFailure = send.refused;
        this.#finish(now, lane, send);
      }
    }
    this.#leave();
  }

  /** The hint is deleted; or, `removed` false, it has changed since it was sent and stays for another pass. */
  onDropped(now: Instant, id: number, status: Status, removed: boolean): void {
    const send = this.#sends.get(id);
    assert(send !== undefined && send.step === HintStep.dropping, "a hint is dropped once");
    this.#enter();
    const lane = this.#lane(send.target);
    if (status === statusOk && removed) {
      lane.gone += 1;
      if (send.newOwners.length === 0) this.delivered += 1;
      else this.#onMoved(now, send);
    } else lane.again = true;
    this.#finish(now, lane, send);
    this.#leave();
  }

  #onMoved(now: Instant, send: HintSend): void {
    this.moved += 1;
    for (const owner of send.newOwners) this.#wakeIdle(now, this.#lane(owner));
  }

  /**
   * The hint stays. An error that concerns it alone is passed over; any other ends the pass for a while. One with new
   * owners is tried again, whether or not its target can be reached.
   */
  #give(now: Instant, lane: HintLane, send: HintSend, status: Status): void {
    lane.lastFailure = status;
    if (send.newOwners.length > 0) lane.unplaced += 1;
    if (!concernsOneHint(status)) {
      lane.adjust(now, this.#config, this.#rateMost, true);
      this.#stumble(now, lane, status);
    }
    this.#finish(now, lane, send);
  }

  /** Ends the pass; the next one begins later, and later still when that fails too. */
  #stumble(now: Instant, lane: HintLane, status: Status): void {
    lane.lastFailure = status;
    if (lane.state !== "scanning" && lane.state !== "passing") return;
    mark("hint.pass-failed");
    lane.clear();
    this.#waitLonger(now, lane);
  }

  #finish(now: Instant, lane: HintLane, send: HintSend): void {
    const full = this.#sends.full;
    this.#sends.remove(send.id);
    lane.inFlight -= 1;
    lane.inFlightBytes -= send.bytes;
    assert(lane.inFlight >= 0 && lane.inFlightBytes >= 0, "what ends has begun");
    if (lane.window === 0 && lane.state === "passing") this.#rest(now, lane);
    this.#pump(now, lane);
    if (full) for (const other of this.#lanes.values()) this.#pump(now, other);
  }

  /** The receiver wants nothing for now: what is left of the pass comes again. */
  #rest(now: Instant, lane: HintLane): void {
    mark("hint.no-credit");
    lane.clear();
    lane.waitUntil(after(now, this.#config.retryLeastUs));
  }

  #endPass(now: Instant, lane: HintLane): void {
    lane.state = "idle";
    lane.at = never;
    if (this.#counts.countOf(lane.target) === 0) return;
    const progress = lane.again || (lane.reachable && lane.gone > 0);
    if (progress) lane.waitUntil(after(now, this.#rng.below(soonUs)));
    else if (lane.reachable || lane.unplaced > 0) this.#waitLonger(now, lane);
  }

  /** The next pass begins later with every one in a row that was in vain. */
  #waitLonger(now: Instant, lane: HintLane): void {
    lane.failures += 1;
    const { retryLeastUs, retryMostUs } = this.#config;
    lane.waitUntil(after(now, retryDelay(lane.failures, retryLeastUs, retryMostUs, this.#rng)));
  }

  /** Fails deliveries whose time is over, begins passes that are due, sends on. */
  tick(now: Instant): void {
    this.#enter();
    for (let id = this.#deadlines.expired(now); id >= 0; id = this.#deadlines.expired(now)) {
      const send = this.#sends.get(id);
      if (send?.step !== HintStep.delivering) continue;
      mark("hint.timeout");
      this.#give(now, this.#lane(send.target), send, deadlineExceeded);
    }
    for (const lane of this.#lanes.values()) {
      if (lane.at > now) continue;
      // What is under way since the last pass would be met again in the next.
      if (lane.state === "waiting" && lane.inFlight > 0) lane.at = after(now, this.#config.retryLeastUs);
      else if (lane.state === "waiting") this.#beginPass(now, lane);
      else this.#pump(now, lane);
    }
    if (this.#safetyAt <= now) this.#lookAround(now);
    this.#leave();
  }

  #lookAround(now: Instant): void {
    this.#safetyAt = after(now, this.#config.safetyUs);
    for (const target of this.#counts.targets()) this.#wakeIdle(now, this.#lane(target));
  }

  /** No target is sent more bytes per second than this, a whole number, from now on. */
  setRateMost(now: Instant, bytesPerSecond: number): void {
    if (bytesPerSecond === this.#rateMost) return;
    this.#rateMost = bytesPerSecond;
    for (const lane of this.#lanes.values()) lane.limit(now, bytesPerSecond);
  }

  /** When `tick` is due next. */
  nextTick(): Instant {
    let next = Math.min(this.#deadlines.next(), this.#safetyAt);
    for (const lane of this.#lanes.values()) next = Math.min(next, lane.at);
    return instant(next);
  }

  /** Why the target's hints wait. */
  waitingOf(target: number): HintWait {
    if (this.#counts.countOf(target) === 0) return "nothing";
    return this.#lane(target).waiting;
  }

  /** The last error met on the way to the target; 0: none since the last success. */
  failureOf(target: number): Status {
    return this.#lanes.get(target)?.lastFailure ?? statusOk;
  }

  /** Bytes per second that may be sent to the target. */
  rateOf(target: number): number {
    return this.#lanes.get(target)?.rate ?? this.#config.rateStart;
  }

  #enter(): void {
    assert(!this.#inside, "an effect of the delivery has called the delivery");
    this.#inside = true;
  }

  #leave(): void {
    this.#inside = false;
  }
}

function includes(owners: ArrayLike<number>, node: number): boolean {
  for (let i = 0; i < owners.length; i += 1) if (owners[i] === node) return true;
  return false;
}
