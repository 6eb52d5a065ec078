/**
 * How many siblings a record holds, without decoding it: a walk over the top fields of the protobuf message `Record`
 * (schema/common.proto), which takes a few reads. The generator asks it of every get.
 */

const siblingTag = 0x12;
const lengthDelimited = 2;

/**
 * Siblings in the body of a record; 0 for no bytes. Every field of a record is length-delimited and has a one-byte tag:
 * the walk ends at anything else.
 */
export function siblingCount(record: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < record.length; ) {
    const tag = record[at] as number;
    if ((tag & 7) !== lengthDelimited) return count;
    if (tag === siblingTag) count += 1;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      at += 1;
      const byte = record[at] ?? 0;
      length += (byte & 0x7f) << shift;
      if (byte < 0x80 || shift === 21) break;
    }
    at += 1 + length;
  }
  return count;
}
