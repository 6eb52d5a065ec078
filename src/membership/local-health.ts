/**
 * LocalHealth: how much a node trusts its own ears (Lifeguard, arXiv:1707.00788 section 4). A node whose probes fail, who
 * gets no nacks either, who has to refute, or whose event loop stalls, is itself the likelier culprit; its score rises,
 * and it probes more slowly, which gives the others more time to answer. The probe's timeout is not scaled.
 */
export class LocalHealth {
  readonly #levels: number;
  #score = 0;

  /** Scores are 0..levels-1. */
  constructor(levels: number) {
    this.#levels = levels;
  }

  /** 0: healthy. */
  get score(): number {
    return this.#score;
  }

  /** Probe intervals are so many times as long. */
  get factor(): number {
    return this.#score + 1;
  }

  #add(delta: number): void {
    this.#score = Math.max(0, Math.min(this.#levels - 1, this.#score + delta));
  }

  /** A probe was answered. */
  probeAnswered(): void {
    this.#add(-1);
  }

  /**
   * A probe was not answered. `nacksExpected` helpers were asked and `nacks` of them said that they had no answer either:
   * with all of them heard, the fault is not here. Without helpers nobody vouches for this node.
   */
  probeFailed(nacksExpected: number, nacks: number): void {
    this.#add(nacksExpected === 0 ? 1 : Math.max(0, nacksExpected - nacks));
  }

  /** Somebody thought this node dead. */
  refuted(): void {
    this.#add(1);
  }

  /** This node's event loop ran late. */
  stalled(): void {
    this.#add(1);
  }
}
