/**
 * Oracle: judges a history by what clients saw alone, so that simulated and real clusters (`ringtail check`, chaos
 * runs) are held to the same rules. A pure function. It never takes an `unknown` write for absent or present, but once
 * somebody has seen it, it obeys every rule.
 *
 * Which writes a context covers is read off version vectors and dots: an answer shows the dots of each sibling, and a
 * write's own dot is known from any answer that showed it (or from `dotsOf`, where the judge can look into disks). The
 * rules are the functions below, one each, named as in a report.
 */
import { type Dot, mergeVersions, VersionVector } from "../version/version-vector.ts";
import { Coverage, dotName, dotText, type Operation, operationText, type Shown, versionText } from "./history.ts";
import { Case, type OracleOptions } from "./oracle-case.ts";
import { judgeLastWrites } from "./oracle-last-writes.ts";
import type { Report } from "./violation.ts";

/** Judges all operations of a run; reports one violation per broken rule and place. */
export function judge(operations: readonly Operation[], options: OracleOptions, report: Report): void {
  const byKey = new Map<string, Operation[]>();
  for (const one of operations) {
    const list = byKey.get(one.key);
    if (list === undefined) byKey.set(one.key, [one]);
    else list.push(one);
    if (one.outcome === "open") {
      report({ at: one.begin, invariant: "operation-never-ended", key: one.key, text: operationText(one) });
    }
  }
  for (const [key, list] of byKey) {
    const it = new Case(key, list, options, report);
    judgeDots(it);
    for (const read of it.reads) {
      for (const shown of read.siblings) judgeShown(it, read, shown);
      judgeSiblings(it, read);
      judgeMiss(it, read);
    }
    if (options.recency) judgeRecency(it);
    if (options.isLastWrite?.(key) === true) {
      judgeLastWrites(it, options);
      distinctFinals(it);
      continue;
    }
    judgeSessions(it);
    judgeAnswers(it);
    for (const read of distinctFinals(it)) judgeFinal(it, read);
  }
}

/** One dot stands for one write, in every answer (G5). */
function judgeDots(it: Case): void {
  const owner = new Map<string, string>();
  for (const read of it.reads) {
    for (const shown of read.siblings) {
      for (const dot of shown.dots) {
        const name = dotName(dot);
        const other = owner.get(name);
        if (other === undefined) owner.set(name, shown.requestId);
        else if (other !== shown.requestId) {
          it.blame("one-dot-two-writes", read.end, `${dotText(dot)} stands for ${other} and for ${shown.requestId}`);
        }
      }
    }
  }
}

/** Every value was submitted for this key, before the answer, by a write that was not refused (G5). */
function judgeShown(it: Case, read: Operation, shown: Shown): void {
  const write = it.writes.get(shown.requestId);
  const blame = (rule: string, what: string): void => it.blame(rule, read.end, `${what} in ${operationText(read)}`);
  if (write === undefined) blame("phantom-value", `nobody wrote ${shown.requestId}, shown`);
  else if (write.begin > read.end) blame("phantom-value", `${write.value} was shown before it was written`);
  else if (write.outcome === "fail") blame("refused-write-seen", `${operationText(write)}, yet shown`);
  else if (shown.tombstone !== (write.kind === "delete") || (!shown.tombstone && shown.value !== write.value)) {
    blame("phantom-value", `${operationText(write)} was shown as ${shown.value}`);
  }
}

/** A fallback that keeps nothing of a key knows nothing of it: only what it keeps counts as its answer (G3). */
function judgeMiss(it: Case, read: Operation): void {
  if (read.fallbackAcks.length === 0 || read.version.size > 0) return;
  it.blame("fallback-miss-counted", read.end, `"no such key" by the word of a fallback: ${operationText(read)}`);
}

/** Siblings are different, mutually concurrent writes, all covered by the answer's context (G4, G5). */
function judgeSiblings(it: Case, read: Operation): void {
  const siblings = read.siblings;
  for (let i = 0; i < siblings.length; i += 1) {
    const mine = siblings[i] as Shown;
    if (mine.dots.length === 0) it.blame("sibling-without-dot", read.end, operationText(read));
    for (const dot of mine.dots) {
      if (!read.version.covers(dot))
        it.blame("context-does-not-cover", read.end, `${dotText(dot)} in ${operationText(read)}`);
    }
    const write = it.writes.get(mine.requestId);
    for (let j = 0; j < siblings.length; j += 1) {
      const other = siblings[j] as Shown;
      if (i < j && other.requestId === mine.requestId) it.blame("twins-not-collapsed", read.end, operationText(read));
      if (i !== j && write?.context.coversAny(other.dots) === true) {
        it.blame(
          "covered-sibling-kept",
          read.end,
          `${write.requestId} covers ${other.requestId} in ${operationText(read)}`,
        );
      }
    }
  }
}

/** A get that began after an acknowledgement reflects that write, if both quorums were of owners (G3). */
function judgeRecency(it: Case): void {
  const ofOwners = [...it.writes.values()].filter((write) => write.outcome === "ok" && write.fallbackAcks.length === 0);
  const acked = ofOwners.filter((write) => it.dotsOf(write).length === 1);
  acked.sort((a, b) => a.end - b.end || a.id - b.id);
  const reads = it.reads
    .filter((read) => read.fallbackAcks.length === 0)
    .sort((a, b) => a.begin - b.begin || a.id - b.id);
  let required = VersionVector.empty;
  let next = 0;
  for (const read of reads) {
    for (; next < acked.length && (acked[next] as Operation).end < read.begin; next += 1) {
      required = required.with(it.dotsOf(acked[next] as Operation)[0] as Dot);
    }
    if (read.version.coversAll(required)) continue;
    const missing = acked.slice(0, next).filter((write) => {
      const dots = it.dotsOf(write);
      return !read.version.coversAny(dots) && !it.forgotten.coversAny(dots);
    });
    if (missing.length === 0) continue;
    const isOwn = missing.some((write) => write.client === read.client);
    it.blame(
      isOwn ? "own-write-not-read" : "stale-read",
      read.end,
      `${operationText(read)} misses ${missing.map(operationText).join("; ")}`,
    );
  }
}

/**
 * What a session has read and written stays behind it (writes follow reads, and each other): the context in a put's
 * answer covers all that its own context's vector covered, else the session's next put would not replace it for good.
 * What is forgotten for good needs nobody to cover it.
 */
function judgeSessions(it: Case): void {
  for (const write of it.writes.values()) {
    if (write.outcome !== "ok" || write.version.size === 0) continue;
    if (mergeVersions(write.version, it.forgotten).coversAll(write.context)) continue;
    it.blame("session-forgotten", write.end, `the answer forgets the context of ${operationText(write)}`);
  }
}

/**
 * The context in a put's answer covers no sibling that its writer has not seen (G6): only what the put's own context
 * covers, the put itself, and what others had replaced by then. The next put may use it without a get.
 */
function judgeAnswers(it: Case): void {
  const begun = [...it.writes.values()].filter((write) => write.outcome !== "fail");
  const acked = begun.filter((write) => write.outcome === "ok").sort((a, b) => a.end - b.end || a.id - b.id);
  begun.sort((a, b) => a.begin - b.begin || a.id - b.id);
  const replaced = new Coverage();
  let next = 0;
  for (const write of acked) {
    for (; next < begun.length && (begun[next] as Operation).begin <= write.end; next += 1) {
      replaced.add(begun[next] as Operation);
    }
    for (const other of begun) {
      const dots = it.dotsOf(other);
      if (other === write || !write.version.coversAny(dots) || replaced.coversAny(dots)) continue;
      // A delete that is forgotten is covered by every later write of its actor.
      if (it.forgotten.coversAny(dots)) continue;
      it.blame("answer-covers-unseen", write.end, `${operationText(write)} covers ${operationText(other)}`);
    }
  }
}

/** In the end every acknowledged write is there, or was replaced by a write whose context covers it (G1, G6, G7). */
function judgeFinal(it: Case, read: Operation): void {
  const present = new Set(read.siblings.map((shown) => shown.requestId));
  for (const write of it.writes.values()) {
    if (write.outcome !== "ok" || write.end >= read.begin) continue;
    for (const shown of read.siblings) {
      if (!write.context.coversAny(shown.dots)) continue;
      it.blame(
        "resurrected",
        read.end,
        `${shown.requestId}, covered by ${operationText(write)}, is in ${operationText(read)}`,
      );
    }
    if (present.has(write.requestId)) continue;
    const dots = it.candidates(write);
    if (dots.length === 0) continue;
    const gone = it.forgotten.coversAny(dots);
    if (!gone && !read.version.coversAny(dots)) {
      it.blame("acked-write-lost", read.end, `${operationText(write)} is not in ${operationText(read)}`);
    } else if (!it.covered.coversAny(dots) && !(gone && write.kind === "delete")) {
      it.blame(
        "acked-write-discarded",
        read.end,
        `no write covers ${operationText(write)}, yet ${operationText(read)}`,
      );
    }
  }
}

/** Final gets agree, whoever coordinated them (G8); returns one of each kind, so that equal ones are judged once. */
function distinctFinals(it: Case): readonly Operation[] {
  const kinds = new Map<string, Operation>();
  for (const read of it.finals) {
    const ids = read.siblings.map((shown) => shown.requestId).sort();
    const kind = `${versionText(read.version)} ${ids.join(",")}`;
    if (!kinds.has(kind)) kinds.set(kind, read);
  }
  const distinct = [...kinds.values()];
  const [first, second] = distinct;
  if (first !== undefined && second !== undefined) {
    it.blame("final-reads-differ", second.end, `${operationText(second)} but ${operationText(first)}`);
  }
  return distinct;
}
