/**
 * ReapVerdict: what a member answers when it is asked whether something may be forgotten for good, and what it rests on.
 * Only `clear` from every member is a certificate. Numbers are on the wire: they are never reused.
 */

/** What stands against it. */
export const ReapVerdict = {
  clear: 0,
  otherRing: 1,
  transferPending: 2,
  unsynced: 3,
  differs: 4,
  hint: 5,
  copy: 6,
  unreadable: 7,
  silent: 8,
  inUse: 9,
} as const;
/** One of the verdicts. */
export type ReapVerdict = (typeof ReapVerdict)[keyof typeof ReapVerdict];

/** The verdicts in words, by number: what is said of the member that gave it. */
export const reapVerdicts: readonly string[] = [
  "nothing stands against it",
  "obeys another ring",
  "the partition is changing hands",
  "its history may have a gap",
  "holds something else",
  "keeps a hint of the key",
  "holds a copy and is no owner",
  "cannot read what it holds",
  "does not answer",
  "still writes under an entry of it",
];
