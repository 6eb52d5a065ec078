/** A record in a node's answer, opened. */
import { RingtailError } from "../base/errors.ts";
import { decodeRecordBody, RecordError } from "../version/record.ts";
import { SiblingSet } from "../version/sibling-set.ts";

/** The set in a record's body; of no bytes, which say "no such key", the empty one. Throws `PROTOCOL_MISMATCH`. */
export function setOf(body: Uint8Array): SiblingSet {
  if (body.length === 0) return SiblingSet.empty;
  try {
    return decodeRecordBody(body);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    throw new RingtailError("PROTOCOL_MISMATCH", `the node answered with a malformed record: ${error.message}`);
  }
}
