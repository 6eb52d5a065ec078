/**
 * BytePool: short-lived bytes (records on their way to the engine and to peers) cut from shared slabs, so that a put
 * does not make an ArrayBuffer of its own: those that outlive a scavenge are what made p99.9 ten times worse. A slab is
 * freed by the garbage collector when nothing cut from it is alive: keep nothing from here for long.
 */
const slabBytes = 256 * 1024;

let slab = new Uint8Array(0);
let used = 0;

/** `count` bytes of undefined content; larger requests than an eighth of a slab get memory of their own. */
export function takeBytes(count: number): Uint8Array {
  if (count > slabBytes / 8) return new Uint8Array(count);
  if (used + count > slab.length) {
    slab = new Uint8Array(slabBytes);
    used = 0;
  }
  const bytes = slab.subarray(used, used + count);
  used += count;
  return bytes;
}

/** A copy of `bytes` in pooled memory. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = takeBytes(bytes.length);
  copy.set(bytes);
  return copy;
}
