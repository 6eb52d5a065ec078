/**
 * TurnKeys: whether one turn of the event loop was spent on one key: then whoever waited for that turn waited for the
 * key, not for a loop that something unknown held up. A vote in fixed memory (Boyer and Moore's): every piece of work
 * is for the candidate or against it, so a key that wins by votes has more than half of it.
 */

/** With less of it in a turn, the key has done nobody any harm. */
const workLeast = 8;

export class TurnKeys {
  #high = 0;
  #low = 0;
  #votes = 0;
  #work = 0;

  /** A piece of work for a key is begun. */
  begun(hashHigh: number, hashLow: number): void {
    this.#work += 1;
    if (this.#votes === 0) {
      this.#high = hashHigh;
      this.#low = hashLow;
    }
    this.#votes += this.#low === hashLow && this.#high === hashHigh ? 1 : -1;
  }

  /** Ends the turn: whether more than half of its work was for one key, and that was much. */
  end(): boolean {
    const isOne = this.#votes >= workLeast && 2 * this.#votes > this.#work;
    this.#votes = 0;
    this.#work = 0;
    return isOne;
  }
}
