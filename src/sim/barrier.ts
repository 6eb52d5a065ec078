/**
 * Barrier: which directed paths between positions are blocked, and how often: two faults may block one path, and it opens
 * when both are over. What is blocked (everything, or connections alone) is its owner's to say.
 */
import { assert } from "../base/assert.ts";

export class Barrier {
  #rows: Uint16Array[] = [];

  /** Makes room for so many positions. */
  grow(size: number): void {
    this.#rows = grown(this.#rows, size);
  }

  stands(from: number, to: number): boolean {
    return (this.#rows[from]?.[to] ?? 0) !== 0;
  }

  block(from: number, to: number): void {
    const row = this.#rows[from] as Uint16Array;
    row[to] = (row[to] as number) + 1;
  }

  /** Takes one block off; whether the path is open now. */
  unblock(from: number, to: number): boolean {
    const row = this.#rows[from] as Uint16Array;
    assert((row[to] as number) > 0, "the path is not blocked");
    row[to] = (row[to] as number) - 1;
    return row[to] === 0;
  }

  clear(): void {
    for (const row of this.#rows) row.fill(0);
  }
}

/** Square rows of counts, with what was counted, for so many positions. */
export function grown(rows: readonly Uint16Array[], size: number): Uint16Array[] {
  const next: Uint16Array[] = [];
  for (let i = 0; i < size; i += 1) {
    const row = new Uint16Array(size);
    const old = rows[i];
    if (old !== undefined) row.set(old);
    next.push(row);
  }
  return next;
}
