/**
 * Recorder: what a run has measured. Only operations whose intended start lies in the measured window count, so that
 * warm-up and the end are left out, and the slowest ones are not: they count whenever their answer comes.
 *
 * Response time runs from the intended start, service time from the send. In a closed loop they are the same, and one is
 * recorded. Histograms are merged, percentiles never averaged.
 */
import type { Histogram } from "hdr-histogram-js";
import type { ErrorCode } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { latencyHistogram } from "../metrics/metrics.ts";

const highest = 60_000_000;

function record(histogram: Histogram, us: number): void {
  histogram.recordValue(Math.max(1, Math.min(us, highest)));
}

/** What was measured of the gets or the puts. */
export class KindRecord {
  readonly response: Histogram = latencyHistogram();
  /** Empty in a closed loop. */
  readonly service: Histogram = latencyHistogram();
  /** Answered, in the window. */
  operations = 0;
  /** Failed or refused, in the window. */
  errors = 0;

  /** Takes in what another generator measured. */
  add(other: KindRecord): void {
    this.response.add(other.response);
    this.service.add(other.service);
    this.operations += other.operations;
    this.errors += other.errors;
  }
}

/** Takes the histograms of an interval that is over: those of gets and puts answered in it. They are the taker's. */
export type IntervalTaker = (from: Instant, to: Instant, gets: Histogram, puts: Histogram) => void;

export class Recorder {
  readonly gets: KindRecord = new KindRecord();
  readonly puts: KindRecord = new KindRecord();
  /** The generator's own: from the intended start to the send. */
  readonly lateness: Histogram = latencyHistogram();
  readonly errorCounts: Map<ErrorCode, number> = new Map();
  /** Answers that came inside the window, whenever their operation was due. */
  answeredInside = 0;
  /** Operations due in the window that had to wait because too many were in flight. */
  heldBack = 0;
  /** Puts in the window for whose key no context was known. */
  blindPuts = 0;
  /** Of gets in the window: siblings in all, and the most in one answer. */
  siblings = 0;
  siblingsMost = 0;
  from: Instant;
  to: Instant;
  readonly isOpenLoop: boolean;
  readonly #take: IntervalTaker | undefined;
  #intervalFrom: Instant;
  #intervalGets: Histogram;
  #intervalPuts: Histogram;

  constructor(options: { from: Instant; to: Instant; isOpenLoop: boolean; take?: IntervalTaker | undefined }) {
    this.from = options.from;
    this.to = options.to;
    this.isOpenLoop = options.isOpenLoop;
    this.#take = options.take;
    this.#intervalFrom = options.from;
    this.#intervalGets = latencyHistogram();
    this.#intervalPuts = latencyHistogram();
  }

  /** Whether an operation due at that instant counts. */
  counts(intended: Instant): boolean {
    return intended >= this.from && intended < this.to;
  }

  /** An operation that counts was sent. `held`: not before others had ended; its delay is no lateness of the generator. */
  sent(intended: Instant, sent: Instant, held: boolean): void {
    if (held) this.heldBack += 1;
    else if (this.isOpenLoop) record(this.lateness, sent - intended);
  }

  /** An operation was answered. */
  answered(isGet: boolean, intended: Instant, sent: Instant, now: Instant): void {
    if (this.counts(now)) this.answeredInside += 1;
    if (!this.counts(intended)) return;
    const kind = isGet ? this.gets : this.puts;
    kind.operations += 1;
    record(kind.response, now - intended);
    if (this.isOpenLoop) record(kind.service, now - sent);
    if (this.#take !== undefined) record(isGet ? this.#intervalGets : this.#intervalPuts, now - intended);
  }

  /** An operation failed, or was refused at once. */
  failed(isGet: boolean, intended: Instant, code: ErrorCode): void {
    if (!this.counts(intended)) return;
    (isGet ? this.gets : this.puts).errors += 1;
    this.errorCounts.set(code, (this.errorCounts.get(code) ?? 0) + 1);
  }

  /** A get that counts found so many siblings. */
  sawSiblings(count: number): void {
    this.siblings += count;
    if (count > this.siblingsMost) this.siblingsMost = count;
  }

  /** Takes in what another generator measured in the same window. */
  add(other: Recorder): void {
    this.gets.add(other.gets);
    this.puts.add(other.puts);
    this.lateness.add(other.lateness);
    for (const [code, count] of other.errorCounts)
      this.errorCounts.set(code, (this.errorCounts.get(code) ?? 0) + count);
    for (const name of ["answeredInside", "heldBack", "blindPuts", "siblings"] as const) this[name] += other[name];
    this.siblingsMost = Math.max(this.siblingsMost, other.siblingsMost);
  }

  /** Hands over the interval that ends now; call about once a second, and once at the end. */
  endInterval(now: Instant): void {
    if (this.#take === undefined || now <= this.#intervalFrom) return;
    this.#take(this.#intervalFrom, now, this.#intervalGets, this.#intervalPuts);
    this.#intervalFrom = now;
    this.#intervalGets = latencyHistogram();
    this.#intervalPuts = latencyHistogram();
  }
}
