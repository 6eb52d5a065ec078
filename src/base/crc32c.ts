/**
 * CRC-32C (Castagnoli), the checksum in front of every record and state file. Eight tables take eight bytes a step
 * ("slicing by 8", Kounavis and Berry), because each write checks and makes a checksum over the whole record; there is
 * no hardware instruction to reach from JavaScript. It finds damage, not forgery. Vectors: RFC 3720, B.4.
 */
import { assert } from "./assert.ts";
import { readWord } from "./words.ts";

const polynomial = 0x82f63b78; // bits reversed

/** Table k, at 256 * k, advances a byte by 8 + 8 * k bits. Signed words: an Int32Array read needs no conversion. */
function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0);
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at += 1) {
    const before = tables[at - 256] as number;
    tables[at] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}

const tables = makeTables();

/** The checksum of bytes[start..end), unsigned. No allocation. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  assert(start >= 0 && start <= end && end <= bytes.length, "checked range lies within the bytes");
  let crc = -1;
  let at = start;
  for (const wholeEnd = start + ((end - start) & ~7); at < wholeEnd; at += 8) {
    crc ^= readWord(bytes, at);
    crc =
      (tables[1792 + (crc & 0xff)] as number) ^
      (tables[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (tables[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (tables[1024 + (crc >>> 24)] as number) ^
      (tables[768 + (bytes[at + 4] as number)] as number) ^
      (tables[512 + (bytes[at + 5] as number)] as number) ^
      (tables[256 + (bytes[at + 6] as number)] as number) ^
      (tables[bytes[at + 7] as number] as number);
  }
  for (; at < end; at += 1) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[at] as number)) & 0xff] as number);
  return ~crc >>> 0;
}
