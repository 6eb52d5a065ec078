/**
 * RouteHealth: what the data path itself has seen of each peer, per request: `ok`, `degraded` or `down` (Dynamo 4.8.3:
 * a local notion of failure). Membership never routes; this does. It is local, so two nodes may think differently of a
 * third.
 *
 * - `degraded`: slow or failing, but there. It is asked and its answers count; it neither coordinates nor is asked first.
 *   Three timeouts in a row, half of the latest answers errors, or a smoothed latency over four times its peers' median.
 *   Compared with the *other* peers as they are now, so that when all are slow nobody is. Its own is the worst of two
 *   seconds: a process that stands still in bursts is as fast as any between them.
 * - `down`: its connection was refused or reset, its hello did not come, or it was degraded by timeouts and the first
 *   probe stayed unanswered, too; or it has said that it is stopping. A fallback is used in its place.
 *
 * This node's own store is compared in the same way, by what the peers' requests wait for it: whoever coordinates at a
 * node with a slow disk waits for that disk, so clients are told and go elsewhere.
 *
 * Whoever timed out is probed after 250 ms, and then twice as long each time, up to 5 s; any answer ends that.
 * Estimates that get no samples fade by time, or a peer that nobody asks would stay as bad as it last was. All
 * arithmetic is of integers. Not here: links and dialling (`peers.ts`), who is asked (`targets.ts`).
 */
import { assert } from "../base/assert.ts";
import { type NodeNumber, noNode } from "../base/ids.ts";
import { mark } from "../base/mark.ts";
import { after, type DurationUs, type Instant, instant, never } from "../base/time.ts";
import { P95, replicaScore } from "../metrics/hedge.ts";

/** What the data path thinks of a peer. */
export type RouteState = "ok" | "degraded" | "down";

/** What the detector asks of the node; each call is one effect. */
export interface RouteHealthEffects {
  /**
   * Asks the peer for a sign of life: a ping if its link is up, else a new connection now. `answered`, `connected` or
   * `refused` follows, or nothing.
   */
  probe(now: Instant, number: NodeNumber): void;
  /** The peer's state has changed. */
  stateChanged(now: Instant, number: NodeNumber, state: RouteState, before: RouteState): void;
}

/** Timeouts in a row that degrade a peer. */
const timeoutsMax = 3;
/** A peer is slow above this many times the median of the others, and slow no more below half of that. */
const slowFactor = 4;
/** Nobody is slow below this, whatever the median: timers and schedulers are no finer. */
const slowFloorUs: DurationUs = 1_000;
/** A peer is judged by the largest estimate within this time. */
const worstForUs: DurationUs = 2_000_000;
/** Answers that an estimate needs before it counts, of the peer itself and of those it is compared with. */
const samplesMin = 8;
/** The weight of one sample in an estimate: one in 2^3. */
const weightShift = 3;
/** Estimates carry so many binary places. */
const places = 4;
/** Longer latencies count as this long; the scaled estimate stays below 2^31. */
const latencyMaxUs: DurationUs = 60_000_000;
/** An error rate of one. */
const errorsWhole = 1 << 12;
const probeFirstUs: DurationUs = 250_000;
const probeMaxUs: DurationUs = 5_000_000;
/** How long a probe may stay unanswered. */
const probeTimeoutUs: DurationUs = 250_000;
/** How often peers are compared. */
const compareEveryUs: DurationUs = 100_000;
/** After so long without a sample an estimate loses half of its weight, again and again. */
const fadeAfterUs: DurationUs = 2_000_000;

/** One peer as the data path has seen it. */
class Route {
  readonly number: NodeNumber;
  state: RouteState = "ok";
  /** Requests that were sent and are neither answered nor given up. */
  inFlight = 0;
  /** Smoothed, in 1/16 microseconds. */
  latency = 0;
  samples = 0;
  /** Smoothed share of errors, of `errorsWhole`. */
  errors = 0;
  outcomes = 0;
  timeouts = 0;
  slow = false;
  /** The largest estimate that a comparison has found lately, and until when it counts. */
  worstUs: DurationUs = 0;
  worstUntil: Instant = instant(0);
  readonly #p95 = new P95();
  /** What the peer told with its latest answer: requests that it works on, and how busy it is, of 100. */
  queue = 0;
  busy = 0;
  /** The connection is gone, or a probe was not answered: only a sign of life helps. */
  lost = false;
  /** It said that it takes no new work; only another hello takes that back. */
  stopping = false;
  /** Its disk is nearly full. */
  readOnly = false;
  /** When an estimate last changed. */
  touched: Instant = instant(0);
  backOffUs: DurationUs = probeFirstUs;
  /** The next probe, or the end of the one that is out. */
  due: Instant = never;
  probing = false;

  constructor(number: NodeNumber) {
    this.number = number;
  }

  get latencyUs(): DurationUs {
    return this.latency >>> places;
  }

  get p95Us(): DurationUs {
    return this.#p95.us;
  }

  addLatency(latencyUs: DurationUs): void {
    this.#p95.add(latencyUs);
    const sample = Math.min(latencyUs, latencyMaxUs) << places;
    // The first sample is the estimate; after that each moves it by an eighth of the difference.
    this.latency = this.samples === 0 ? sample : this.latency + ((sample - this.latency) >> weightShift);
    if (this.samples < samplesMin) this.samples += 1;
  }

  /** It may be another process by now, so nothing old is held against it. */
  renew(): void {
    this.samples = 0;
    this.outcomes = 0;
    this.errors = 0;
    this.queue = 0;
    this.busy = 0;
    this.slow = false;
    this.worstUs = 0;
    this.stopping = false;
    this.#p95.forget();
  }
}

export class RouteHealth {
  readonly #effects: RouteHealthEffects;
  readonly #byNumber: (Route | undefined)[] = [];
  /** This node's own store. */
  readonly #own = new Route(noNode);
  readonly #list: Route[] = [];
  readonly #sorted: Route[] = [];
  #compareAt: Instant = never;
  #down = 0;
  #readOnly = 0;
  #inside = false;

  constructor(effects: RouteHealthEffects) {
    this.#effects = effects;
  }

  /** Begins to watch a peer, as `ok`. Requests to whom is not watched are not counted. */
  watch(number: NodeNumber): void {
    if (this.#find(number) !== undefined) return;
    const route = new Route(number);
    this.#byNumber[number] = route;
    this.#list.push(route);
  }

  /** The peer has left the cluster. */
  unwatch(number: NodeNumber): void {
    const route = this.#find(number);
    if (route === undefined) return;
    if (route.state === "down") this.#down -= 1;
    if (route.readOnly) this.#readOnly -= 1;
    this.#byNumber[number] = undefined;
    this.#list.splice(this.#list.indexOf(route), 1);
  }

  /** Every event begins with this. */
  #find(number: NodeNumber): Route | undefined {
    assert(!this.#inside, "an effect called its core back");
    return this.#byNumber[number];
  }

  /** There is something to compare and, later, to forget. */
  #touch(now: Instant, route: Route): void {
    route.touched = now;
    if (this.#compareAt === never) this.#compareAt = after(now, compareEveryUs);
  }

  /** A request has left for the peer. */
  sent(number: NodeNumber): void {
    const route = this.#find(number);
    if (route !== undefined) route.inFlight += 1;
  }

  /** A request was answered well, `latencyUs` after it was sent; -1: that time says nothing. */
  answered(now: Instant, number: NodeNumber, latencyUs: DurationUs): void {
    const route = this.#find(number);
    if (route === undefined) return;
    if (route.inFlight > 0) route.inFlight -= 1;
    if (latencyUs >= 0) route.addLatency(latencyUs);
    addOutcome(route, 0);
    this.#touch(now, route);
    this.#alive(now, route);
  }

  /** A request that had timed out was answered after all, or a probe was: a sign of life, and no request less. */
  answeredLate(now: Instant, number: NodeNumber): void {
    const route = this.#find(number);
    if (route !== undefined) this.#alive(now, route);
  }

  /** A request was answered with an error of the peer's own: its disk, or that its queues are full. */
  failed(now: Instant, number: NodeNumber): void {
    const route = this.#find(number);
    if (route === undefined) return;
    if (route.inFlight > 0) route.inFlight -= 1;
    addOutcome(route, errorsWhole);
    this.#touch(now, route);
    this.#alive(now, route);
  }

  /** A request has stayed unanswered for too long. */
  timedOut(now: Instant, number: NodeNumber): void {
    const route = this.#find(number);
    if (route === undefined) return;
    if (route.inFlight > 0) route.inFlight -= 1;
    route.timeouts += 1;
    this.#touch(now, route);
    if (route.timeouts === timeoutsMax && route.state !== "down") {
      mark("route.timeouts");
      this.#probeAfter(now, route, probeFirstUs);
    }
    this.#judge(now, route);
  }

  /** A request was given up before anything could be said of it. */
  givenUp(number: NodeNumber): void {
    const route = this.#find(number);
    if (route !== undefined && route.inFlight > 0) route.inFlight -= 1;
  }

  /** The connection was refused or reset, or the hello did not come in time: whatever was under way has failed. */
  refused(now: Instant, number: NodeNumber): void {
    const route = this.#find(number);
    if (route === undefined) return;
    route.inFlight = 0;
    if (!route.lost || route.probing) this.#probeAfter(now, route, route.lost ? twice(route.backOffUs) : probeFirstUs);
    route.lost = true;
    this.#judge(now, route);
  }

  /** The peer takes no new work: it is about to stop. What it was asked it still answers. */
  stopping(now: Instant, number: NodeNumber): void {
    const route = this.#find(number);
    if (route === undefined) return;
    mark("route.stopping");
    route.stopping = true;
    this.#judge(now, route);
  }

  /** The peer has said that its disk is nearly full, or is so no more. */
  readOnly(number: NodeNumber, readOnly: boolean): void {
    const route = this.#find(number);
    if (route === undefined || route.readOnly === readOnly) return;
    route.readOnly = readOnly;
    this.#readOnly += readOnly ? 1 : -1;
  }

  /** What a peer says of itself with an answer. */
  told(number: NodeNumber, queue: number, busy: number): void {
    const route = this.#find(number);
    if (route === undefined) return;
    route.queue = queue;
    route.busy = busy;
  }

  /** A peer's request has waited so long for this node's store. */
  served(now: Instant, storageUs: DurationUs): void {
    this.#own.addLatency(storageUs);
    this.#touch(now, this.#own);
  }

  /** Whether this node's store takes four times what its peers take altogether, the way to them included. */
  get isSlow(): boolean {
    return this.#own.slow;
  }

  /** The peer has said hello. */
  connected(now: Instant, number: NodeNumber): void {
    const route = this.#find(number);
    if (route === undefined) return;
    route.renew();
    this.#alive(now, route);
  }

  /** The state of a peer; whoever is not watched is `ok`, as this node is to itself. */
  state(number: number): RouteState {
    return this.#byNumber[number]?.state ?? "ok";
  }

  /** Whether a request to the peer may be answered; false: use a fallback. */
  reachable(number: number): boolean {
    return this.#down === 0 || this.#byNumber[number]?.state !== "down";
  }

  /** Whether no peer is down. */
  get allReachable(): boolean {
    return this.#down === 0;
  }

  /** Whether a write is best sent there: reads are still served by a peer whose disk is nearly full. */
  writable(number: number): boolean {
    return this.reachable(number) && (this.#readOnly === 0 || this.#byNumber[number]?.readOnly !== true);
  }

  /** Whether every peer is writable. */
  get allWritable(): boolean {
    return this.#down === 0 && this.#readOnly === 0;
  }

  /** Requests under way to the peer. */
  inFlight(number: number): number {
    return this.#byNumber[number]?.inFlight ?? 0;
  }

  /** The smoothed latency of the peer; 0: not known. */
  latencyUs(number: number): DurationUs {
    return this.#byNumber[number]?.latencyUs ?? 0;
  }

  /** What a request to the peer is expected to cost; this node itself is the cheapest. */
  cost(number: number): number {
    const route = this.#byNumber[number];
    return route === undefined ? 0 : replicaScore(route.latencyUs, route.inFlight, route.queue);
  }

  /** What is known of all peers' times and work. */
  get peers(): readonly { readonly p95Us: DurationUs; readonly busy: number }[] {
    return this.#list;
  }

  /** Probes that are due; comparison of the peers, fading of what is old. */
  tick(now: Instant): void {
    for (const route of this.#list) if (route.due <= now) this.#onDue(now, route);
    if (this.#compareAt > now) return;
    let known = false;
    for (const route of this.#list) {
      fade(now, route);
      if (route.samples + route.outcomes + route.timeouts > 0) known = true;
    }
    fade(now, this.#own);
    this.#compareAt = known ? after(now, compareEveryUs) : never;
    this.#compare(now);
    for (const route of this.#list) this.#judge(now, route);
  }

  nextTick(): Instant {
    let next = this.#compareAt;
    for (const route of this.#list) if (route.due < next) next = route.due;
    return next;
  }

  #probeAfter(now: Instant, route: Route, backOffUs: DurationUs): void {
    route.probing = false;
    route.backOffUs = backOffUs;
    route.due = after(now, backOffUs);
  }

  #onDue(now: Instant, route: Route): void {
    if (route.probing) {
      mark("route.probe-unanswered");
      this.#probeAfter(now, route, twice(route.backOffUs));
      route.lost = true;
      this.#judge(now, route);
      return;
    }
    route.probing = true;
    route.due = after(now, probeTimeoutUs);
    this.#inside = true;
    this.#effects.probe(now, route.number);
    this.#inside = false;
  }

  /** Any answer ends the suspicion that timeouts raised; what is slow or failing shows in the estimates. */
  #alive(now: Instant, route: Route): void {
    if (route.timeouts !== 0 || route.due !== never) {
      route.timeouts = 0;
      route.lost = false;
      route.probing = false;
      route.due = never;
      route.backOffUs = probeFirstUs;
    }
    this.#judge(now, route);
  }

  #judge(now: Instant, route: Route): void {
    const state = stateOf(route);
    const before = route.state;
    if (state === before) return;
    route.state = state;
    if (state === "down") this.#down += 1;
    else if (before === "down") this.#down -= 1;
    this.#inside = true;
    this.#effects.stateChanged(now, route.number, state, before);
    this.#inside = false;
  }

  /** Who is slow: each peer against the median of the others that have an estimate. */
  #compare(now: Instant): void {
    const sorted = this.#sorted;
    sorted.length = 0;
    for (const route of this.#list) if (route.samples >= samplesMin && route.state !== "down") sorted.push(route);
    sorted.sort((a, b) => a.latency - b.latency);
    for (const route of this.#list) {
      const at = sorted.indexOf(route);
      const others = sorted.length - 1;
      // The lower median of the others: with itself taken out, those behind it move up by one.
      const middle = (others - 1) >>> 1;
      const median = at < 0 || others < 1 ? undefined : sorted[middle < at ? middle : middle + 1];
      compareWith(now, route, median);
    }
    const own = this.#own;
    compareWith(now, own, own.samples < samplesMin ? undefined : sorted[(sorted.length - 1) >>> 1]);
  }
}

/** Whether the route is slow next to the median of the others; there may be none, and then nobody is. */
function compareWith(now: Instant, route: Route, median: Route | undefined): void {
  if (median === undefined) {
    route.slow = false;
    return;
  }
  const factor = route.slow ? slowFactor / 2 : slowFactor;
  if (route.latencyUs >= route.worstUs || now >= route.worstUntil) {
    route.worstUs = route.latencyUs;
    route.worstUntil = after(now, worstForUs);
  }
  const slow = route.worstUs > Math.max(slowFloorUs, factor * median.latencyUs);
  if (slow && !route.slow) mark("route.slow");
  route.slow = slow;
}

function stateOf(route: Route): RouteState {
  if (route.lost || route.stopping) return "down";
  if (route.timeouts >= timeoutsMax || route.slow) return "degraded";
  return route.outcomes >= samplesMin && route.errors * 2 > errorsWhole ? "degraded" : "ok";
}

function addOutcome(route: Route, error: number): void {
  route.errors += (error - route.errors) >> weightShift;
  if (route.outcomes < samplesMin) route.outcomes += 1;
}

/** What was not confirmed for long loses half of its weight; timeouts of long ago are no reason any more. */
function fade(now: Instant, route: Route): void {
  if (now - route.touched < fadeAfterUs) return;
  route.touched = now;
  route.samples >>>= 1;
  route.outcomes >>>= 1;
  route.errors >>>= 1;
  if (route.due === never) route.timeouts = 0;
}

function twice(backOffUs: DurationUs): DurationUs {
  return Math.min(backOffUs * 2, probeMaxUs);
}
