/**
 * Every error that Ringtail can answer, in one table: its name, its number on the wire, whether a retry can help, the
 * CLI's exit status, and what it means. The SDK's class, the frame status byte and the README's table come from here.
 *
 * Inside cores a failure is its wire number; `RingtailError` objects are made at the edge and in validation.
 */

export interface ErrorRow {
  /** The status byte of a frame. Never reused. */
  readonly wire: number;
  /** Whether the same request may succeed when tried again at once or at another node. */
  readonly retryable: boolean;
  /** The CLI's exit status; 1 is "no such key", so errors start at 2. */
  readonly exit: number;
  /** Between nodes and the SDK's router only: no application sees it. */
  readonly internal: boolean;
  readonly meaning: string;
  readonly cure: string;
}

function row(
  wire: number,
  exit: number,
  retryable: boolean,
  meaning: string,
  cure: string,
  internal = false,
): ErrorRow {
  return { wire, exit, retryable, meaning, cure, internal };
}

/** The stable name of an error; applications compare it. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "KEY_TOO_LARGE"
  | "VALUE_TOO_LARGE"
  | "QUORUM_NOT_MET"
  | "DEADLINE_EXCEEDED"
  | "OVERLOADED"
  | "TOO_MANY_SIBLINGS"
  | "NODE_STOPPING"
  | "WRONG_CLUSTER"
  | "UNAUTHENTICATED"
  | "PERMISSION_DENIED"
  | "PROTOCOL_MISMATCH"
  | "CONNECTION_LOST"
  | "CLIENT_CLOSED"
  | "STORAGE_FAILED"
  | "NOT_CURRENT"
  | "BASE_EPOCH_CHANGED"
  | "WRONG_OWNER"
  | "NOT_SYNCED"
  | "EXPIRED";

/** The one table. */
export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = {
  INVALID_ARGUMENT: row(
    1,
    2,
    false,
    "an argument is missing, malformed or out of range",
    "read the message: it names what is allowed",
  ),
  KEY_TOO_LARGE: row(2, 3, false, "the key is longer than 1,024 bytes", "use a shorter key, for example a hash"),
  VALUE_TOO_LARGE: row(3, 4, false, "the value is longer than 1 MiB", "split the value over several keys"),
  QUORUM_NOT_MET: row(
    4,
    5,
    true,
    "too few replicas answered",
    "see `ringtail status` for the nodes that are down; lower r or w if the application allows",
  ),
  DEADLINE_EXCEEDED: row(
    5,
    6,
    true,
    "no answer before the deadline; a put may still have happened",
    "read the key, or retry: the request id makes a retried put one write",
  ),
  OVERLOADED: row(
    6,
    7,
    true,
    "the node refused the work early because its queues are full",
    "back off and retry; add nodes if it lasts",
  ),
  TOO_MANY_SIBLINGS: row(
    7,
    8,
    false,
    "the record would hold more concurrent values than allowed",
    "get, merge the siblings, and put the result with the context",
  ),
  NODE_STOPPING: row(
    8,
    9,
    true,
    "the node is about to stop and takes no new work",
    "the SDK goes to another node by itself",
  ),
  WRONG_CLUSTER: row(9, 10, false, "the other side belongs to another cluster", "check the seed nodes"),
  UNAUTHENTICATED: row(10, 11, false, "the connection has no valid identity", "configure credentials"),
  PERMISSION_DENIED: row(11, 12, false, "the identity may not do this", "ask for a grant"),
  PROTOCOL_MISMATCH: row(
    12,
    13,
    false,
    "no protocol version in common, or bytes that are no valid frame",
    "upgrade the older side",
  ),
  CONNECTION_LOST: row(
    13,
    14,
    true,
    "the connection broke; a put may still have happened",
    "read the key, or retry: the request id makes a retried put one write",
  ),
  CLIENT_CLOSED: row(14, 15, false, "the client was closed", "use a client that is open"),
  STORAGE_FAILED: row(15, 16, true, "a replica could not read or write its disk", "see the node's log"),
  NOT_CURRENT: row(16, 17, false, "a conditional put met a newer version", "get again, merge, and retry"),
  BASE_EPOCH_CHANGED: row(17, 18, false, "the ring changed since the plan was made", "plan again"),
  WRONG_OWNER: row(18, 19, true, "the node does not own the key in its ring", "fetch the ring", true),
  NOT_SYNCED: row(19, 20, true, "the replica is still receiving the partition", "ask another owner", true),
  EXPIRED: row(20, 21, true, "the request's time was over before the work began", "none", true),
};

/** A frame status: 0, or the wire number of an error. */
export type Status = number;
/** The status of success. */
export const statusOk: Status = 0;

/** An error's wire number. */
export function wireOf(code: ErrorCode): Status {
  return errorTable[code].wire;
}

const codeByWire = new Map<number, ErrorCode>();
for (const code of Object.keys(errorTable) as ErrorCode[]) codeByWire.set(errorTable[code].wire, code);

/** The error with this wire number; an unknown number (from a newer peer) reads as `PROTOCOL_MISMATCH`. */
export function codeOf(status: Status): ErrorCode {
  return codeByWire.get(status) ?? "PROTOCOL_MISMATCH";
}

/** What the SDK rejects with and validation throws. `code` is stable; the message is for people. */
export class RingtailError extends Error {
  override readonly name = "RingtailError";
  readonly code: ErrorCode;
  /** For `OVERLOADED`: wait at least this long before the next try. */
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message?: string, retryAfterMs = 0) {
    super(message ?? errorTable[code].meaning);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may succeed when tried again. */
  get retryable(): boolean {
    return errorTable[this.code].retryable;
  }
}
