/** Numbers out of random bytes: seeds of generators, and lives. */

/** A u32 out of four random bytes, little-endian. */
export function seedOf(bytes: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}
