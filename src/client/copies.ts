/**
 * Copies: the decision of a get that a client coordinates itself (Dynamo 6.4): the answers of a key's N
 * owners, counted and merged by the very code that nodes merge with (`version/`). Only owners that hold the whole
 * partition answer, so a "no such key" counts. Pure: who is asked, and over what, is the caller's.
 */
import { equalBytes, noBytes } from "../base/bytes.ts";
import { canary } from "../base/canary.ts";
import { joinContexts, readTheSame } from "../version/context.ts";
import { recordBody, sealRecord } from "../version/record.ts";
import type { SiblingSet } from "../version/sibling-set.ts";
import { setOf } from "./record.ts";

/** What one owner answered, or all of them together; `record` is a body, empty for "no such key". */
export interface Copy {
  readonly record: Uint8Array;
  readonly context: Uint8Array;
}

export class Copies {
  readonly #owners: number;
  readonly #needed: number;
  #answered = 0;
  #failed = 0;
  #record: Uint8Array = noBytes;
  /** The decoded `#record`, once two have differed. */
  #set: SiblingSet | undefined = undefined;
  readonly #contexts: Uint8Array[] = [];
  #differ = false;

  /** `needed` of the `owners` that are asked must answer. */
  constructor(owners: number, needed: number) {
    this.#owners = owners;
    this.#needed = needed;
  }

  /** An owner's answer; its bytes are borrowed. Throws `PROTOCOL_MISMATCH` if they are no record. */
  add(copy: Copy): void {
    this.#answered += 1;
    if (this.#answered === 1) this.#record = copy.record.slice();
    else if (!equalBytes(this.#record, copy.record)) this.#merge(copy.record);
    if (!this.#contexts.some((one) => readTheSame(one, copy.context))) this.#contexts.push(copy.context.slice());
  }

  #merge(record: Uint8Array): void {
    this.#differ = true;
    const mine = this.#set ?? setOf(this.#record);
    const merged = mine.merge(setOf(record.slice()));
    this.#set = merged;
    if (merged !== mine) this.#record = merged.isEmpty ? noBytes : recordBody(sealRecord(merged));
  }

  /** An owner cannot answer. */
  fail(): void {
    this.#failed += 1;
  }

  /** Whether enough have answered. */
  get isMet(): boolean {
    return this.#answered >= (canary("copies-below-r") ? 1 : this.#needed);
  }

  /** Whether enough never will. */
  get isImpossible(): boolean {
    return this.#owners - this.#failed < this.#needed;
  }

  /** Whether all have answered or failed. */
  get isOver(): boolean {
    return this.#answered + this.#failed === this.#owners;
  }

  /** Whether two answers were different: then somebody is behind. */
  get differ(): boolean {
    return this.#differ;
  }

  /** All answers so far as one; null if no context can cover them. */
  merged(): Copy | null {
    const context = joinContexts(this.#contexts);
    return context === null ? null : { record: this.#record, context };
  }
}
