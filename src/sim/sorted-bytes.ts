/**
 * SortedBytes: an ordered map with byte-string keys for the simulated disk. A map plus a list of sorted names that is made
 * anew when it is needed after keys came or went: reads and overwrites, which are nearly all, never pay for order.
 */

/** A key with its value; shared between disk and view, so that a bit flipped at rest is seen by both. */
export interface Entry {
  /** The key as a string of one character per byte: compares like the bytes. */
  readonly name: string;
  readonly key: Uint8Array;
  /** Null: a delete. */
  value: Uint8Array | null;
}

/** The name of a key. */
export function nameOf(key: Uint8Array): string {
  let name = "";
  for (let i = 0; i < key.length; i += 1) name += String.fromCharCode(key[i] as number);
  return name;
}

/** Entries by name, in byte order when asked for in order. */
export class SortedBytes {
  readonly #entries: Map<string, Entry> = new Map();
  #sorted: string[] | null = [];

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  /** Bytes of all keys and values. */
  get bytes(): number {
    let bytes = 0;
    for (const { key, value } of this.#entries.values()) bytes += key.length + (value?.length ?? 0);
    return bytes;
  }

  /** Puts the entry or, if its value is null, removes what lies under its name. */
  apply(entry: Entry): void {
    if (entry.value === null) {
      if (this.#entries.delete(entry.name)) this.#sorted = null;
      return;
    }
    if (!this.#entries.has(entry.name)) this.#sorted = null;
    this.#entries.set(entry.name, entry);
  }

  clear(): void {
    this.#entries.clear();
    this.#sorted = [];
  }

  /** The entries of `from` <= name < `to`, ascending, from the first on; stops when `visit` returns false. */
  walk(from: string, to: string, visit: (entry: Entry) => boolean): void {
    const sorted = this.#sorted ?? [...this.#entries.keys()].sort(compareNames);
    this.#sorted = sorted;
    for (let i = firstNotBelow(sorted, from); i < sorted.length; i += 1) {
      const name = sorted[i] as string;
      if (name >= to || !visit(this.#entries.get(name) as Entry)) return;
    }
  }

  /** A map of its own with the same entries. */
  copy(): SortedBytes {
    const copy = new SortedBytes();
    for (const entry of this.#entries.values()) copy.apply(entry);
    return copy;
  }
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function firstNotBelow(sorted: readonly string[], name: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
