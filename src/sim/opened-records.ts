/**
 * OpenedRecords: sealed records opened for the checkers, each distinct one once in a run. The same bytes come by in the log
 * and in the engine of every owner, and opening them was much of what checking cost. It forgets nothing: neither does the
 * ledger.
 */
import { equalBytes } from "../base/bytes.ts";
import { readWord } from "../base/words.ts";
import { openRecord } from "../version/record.ts";
import type { SiblingSet } from "../version/sibling-set.ts";

/** Where a sealed record has its checksum. */
const checksumAt = 4;

interface Opened {
  readonly sealed: Uint8Array;
  readonly set: SiblingSet;
}

export class OpenedRecords {
  /** By checksum; records that only share it lie side by side. */
  readonly #opened: Map<number, Opened[]> = new Map();

  /** The set in a sealed record; the same object for equal bytes. Copies: the store may use its bytes again. */
  open(sealed: Uint8Array): SiblingSet {
    const checksum = readWord(sealed, checksumAt);
    const alike = this.#opened.get(checksum) ?? [];
    for (const one of alike) if (equalBytes(one.sealed, sealed)) return one.set;
    const copy = sealed.slice();
    const set = openRecord(copy);
    alike.push({ sealed: copy, set });
    this.#opened.set(checksum, alike);
    return set;
  }
}
