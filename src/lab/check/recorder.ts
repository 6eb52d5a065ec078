/**
 * What a check has asked and was told: the history that the oracle will judge, kept in memory and, if wanted, in a file
 * (history-file.ts), and counts of what came of it. Operations are written down before they are sent.
 */
import { type ErrorCode, RingtailError, statusOk, wireOf } from "../../base/errors.ts";
import type { Instant } from "../../base/time.ts";
import { History, type Operation } from "../../sim/history.ts";
import type { HistoryFile } from "./history-file.ts";

/**
 * Refusals of a write after which it has not happened and will not. The SDK gives an error of another name when an
 * earlier attempt of the same write may have succeeded; the name of any other refusal would say nothing about those.
 */
const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["OVERLOADED", "NODE_STOPPING"]);

type Begun = Parameters<History["begin"]>[0];

/** Bounded by whoever begins operations: `operationsMax` in check.ts. */
export class CheckRecorder {
  readonly history: History = new History();
  /** The ring epochs that answers named. */
  readonly epochs: Set<number> = new Set<number>();
  /** Of operations that did not succeed. */
  readonly errors: Map<ErrorCode, number> = new Map<ErrorCode, number>();
  readonly #file: HistoryFile | undefined;
  readonly #now: () => Instant;
  #lastValue = 0;

  constructor(now: () => Instant, file: HistoryFile | undefined) {
    this.#now = now;
    this.#file = file;
  }

  /** A number that no other put of this run has. */
  nextValue(): number {
    this.#lastValue += 1;
    return this.#lastValue;
  }

  begin(fields: Omit<Begun, "begin">): Operation {
    const operation = this.history.begin({ ...fields, begin: this.#now() });
    this.#file?.begin(operation);
    return operation;
  }

  /** Its answer is here, and in the operation's fields. */
  onAnswer(operation: Operation, epoch: number): void {
    this.epochs.add(epoch);
    this.#end(operation, "ok", epoch);
  }

  /** It has failed; rethrows what is no `RingtailError`. */
  onError(operation: Operation, error: unknown): void {
    if (!(error instanceof RingtailError)) throw error;
    this.errors.set(error.code, (this.errors.get(error.code) ?? 0) + 1);
    operation.status = wireOf(error.code);
    this.#end(operation, operation.isWrite && refusals.has(error.code) ? "fail" : "unknown", 0);
  }

  #end(operation: Operation, outcome: "ok" | "fail" | "unknown", epoch: number): void {
    if (outcome === "ok") operation.status = statusOk;
    operation.outcome = outcome;
    operation.end = this.#now();
    this.#file?.end(operation, epoch);
  }

  close(): void {
    this.#file?.close();
  }
}
