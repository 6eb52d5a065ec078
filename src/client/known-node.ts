/**
 * KnownNode: what the client knows of one node: its connections, how loaded and how fast it is, whether it is away, and
 * the requests that wait for it. Facts only; who is chosen is the router's decision.
 *
 * The latency estimate is an exponential average in whole numbers that rises faster than it falls: a node that is slow
 * now and then is asked in between to find that out, each time at somebody's cost. It decays with time: one updated
 * only by traffic would keep a node that was slow once from ever being asked again.
 */
import type { DurationUs, Instant } from "../base/time.ts";
import { after, instant } from "../base/time.ts";
import { P95, replicaScore } from "../metrics/hedge.ts";
import type { Connection } from "./connection.ts";
import type { AnyReply } from "./request.ts";
import { WaitingList } from "./waiting-list.ts";

/** Fractional bits of the average, and how much a sample counts that is below it: 1/8. */
const averageShift = 3;
/** And one that is above: 1/2. */
const riseShift = 1;
/** Without a sample for this long, the estimate halves. */
const halfLifeUs: DurationUs = 1_000_000;
const averageMax = 0x3fff_ffff;
const backoffFirstUs: DurationUs = 250_000;
const backoffMaxUs: DurationUs = 5_000_000;

/** Who said that its store is slow is believed for so long, if it is not asked again. */
const slowForUs: DurationUs = 10_000_000;

export class KnownNode {
  readonly number: number;
  address: string;
  name: string;
  /** Those that are not closed. */
  readonly connections: Connection[] = [];
  readonly waiting: WaitingList = new WaitingList();
  /** Places taken by requests sent to this node and not answered. */
  inFlight = 0;
  /** When a request was last sent to it. */
  askedAt: Instant = instant(0);
  /** Not chosen before this instant while another node can be: it is stopping, or was silent. */
  avoidUntil: Instant = instant(0);
  /** Whether the last dial failed or the connection broke, and no other is up since. */
  isDown = false;
  /** While down: when the next dial may begin. */
  probeAt: Instant = instant(0);
  /** Why it is down, for people. */
  reason = "";
  #backoffUs = backoffFirstUs;
  #average = 0;
  #sampledAt: Instant = instant(0);
  readonly #p95 = new P95();
  /** What the node told with its latest answer: requests that it works on, and how busy it is, of 100. */
  queue = 0;
  busy = 0;
  /** Until then its store counts as slow next to its peers', as it told. */
  slowUntil: Instant = instant(0);

  constructor(number: number, name: string, address: string) {
    this.number = number;
    this.name = name;
    this.address = address;
  }

  /** Whether requests can be sent to it now. */
  get isUp(): boolean {
    for (const connection of this.connections) if (connection.state === "ready") return true;
    return false;
  }

  /** The ready connection with the fewest places taken that has room for `weight`. */
  freeConnection(weight: number): Connection | undefined {
    let best: Connection | undefined;
    for (const connection of this.connections) {
      if (!connection.hasRoom(weight)) continue;
      if (best === undefined || connection.inFlight < best.inFlight) best = connection;
    }
    return best;
  }

  /** What a further request is expected to cost; comparable, smaller is better. */
  cost(now: Instant): number {
    return replicaScore(this.latencyUs(now), this.inFlight + this.waiting.size, this.queue);
  }

  /** The smoothed latency; 0: not known any more. */
  latencyUs(now: Instant): DurationUs {
    return this.#averageAt(now) >>> averageShift;
  }

  /** What 95 of 100 attempts take; 0: not known. */
  get p95Us(): DurationUs {
    return this.#p95.us;
  }

  /** What the node says of itself with an answer. */
  told(now: Instant, { queue, busy, slow }: Pick<AnyReply, "queue" | "busy" | "slow">): void {
    this.queue = queue;
    this.busy = busy;
    this.slowUntil = slow ? after(now, slowForUs) : instant(0);
  }

  /** An attempt took this long, or that long without an answer. */
  sample(now: Instant, took: DurationUs): void {
    const sample = Math.min(took, averageMax >>> averageShift) << averageShift;
    const average = this.#averageAt(now);
    const change = sample - average;
    this.#average = average === 0 ? sample : average + (change >> (change > 0 ? riseShift : averageShift));
    this.#sampledAt = now;
    this.#p95.add(took);
  }

  #averageAt(now: Instant): number {
    const halvings = Math.floor((now - this.#sampledAt) / halfLifeUs);
    return halvings > 30 ? 0 : this.#average >>> halvings;
  }

  /** A connection is up. */
  recover(): void {
    this.isDown = false;
    this.reason = "";
  }

  /** A connection has lasted: the next back-off starts small again. */
  trust(): void {
    this.#backoffUs = backoffFirstUs;
  }

  /** The dial failed, or the connection broke at once, or the node is stopping: each next dial waits twice as long. */
  backOff(now: Instant, reason: string): void {
    this.isDown = true;
    this.reason = reason;
    this.probeAt = after(now, this.#backoffUs);
    this.#backoffUs = Math.min(2 * this.#backoffUs, backoffMaxUs);
  }

  avoid(until: Instant): void {
    if (until > this.avoidUntil) this.avoidUntil = until;
  }
}
