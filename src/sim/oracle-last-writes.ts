/**
 * The oracle's rules for buckets where the last write wins: a get shows one write at the most, and none that is older than
 * an acknowledged one it must reflect. Concurrent writes may be lost, so the rules about siblings and contexts are not
 * judged there; the others are.
 */
import type { Operation } from "./history.ts";
import type { Case, OracleOptions } from "./oracle-case.ts";

/** Judges the gets of one key. */
export function judgeLastWrites(it: Case, options: OracleOptions): void {
  const stampOf = (write: Operation): number => options.stampOf?.(write.requestId) ?? 0;
  for (const read of it.reads) {
    const [shown, another] = read.siblings;
    if (another !== undefined) it.blame("several-last-writes", read.end, `${read.siblings.length} in one get`);
    if (shown !== undefined && shown.stamp === 0) it.blame("write-without-stamp", read.end, shown.requestId);
    if (!read.final && !(options.recency && read.fallbackAcks.length === 0)) continue;
    for (const write of it.writes.values()) {
      if (write.outcome !== "ok" || write.end >= read.begin) continue;
      if (!read.final && write.fallbackAcks.length > 0) continue;
      if (stampOf(write) <= (shown?.stamp ?? 0) || it.forgotten.coversAny(it.dotsOf(write))) continue;
      it.blame("later-write-lost", read.end, `a get shows ${shown?.value ?? "nothing"}, stamped before ${write.value}`);
    }
  }
}
