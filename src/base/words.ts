/** Little-endian 32-bit words in bytes, read and written without a DataView: a few shifts, which the engine inlines. */

/** No words, shared. */
export const noWords: Uint32Array = new Uint32Array(0);

/** The word at `at`, signed; `>>> 0` makes it unsigned. The caller knows that four bytes are there. */
export function readWord(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

/** Writes a word of either sign at `at`; returns where the next one goes. */
export function writeWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
  return at + 4;
}
