/**
 * Some members around one reaper: what each of them would answer is a table, and everything that is asked becomes a line of
 * a story.
 */
import { utf8 } from "../../src/base/bytes.ts";
import { bucketOf, fullKeyOf, keyOf } from "../../src/base/full-key.ts";
import { Hash64, hashKey } from "../../src/base/hash.ts";
import { type NodeNumber, nodeNumber } from "../../src/base/ids.ts";
import { type Instant, instant } from "../../src/base/time.ts";
import type { ReapQuestion } from "../../src/repair/reap-round.ts";
import { ReapVerdict, reapVerdicts } from "../../src/repair/reap-verdict.ts";
import { Reaper, type ReaperEffects } from "../../src/repair/reaper.ts";
import type { Ring } from "../../src/ring/ring.ts";
import { sealRecord } from "../../src/version/record.ts";
import { SiblingSet } from "../../src/version/sibling-set.ts";
import { movingRing } from "./moving-ring.ts";

export const ageUs = 60_000_000;
const bucket = utf8("b");

/** A record as a few nodes have written it, one after the other; the last write may be a delete. */
export function written(nodes: readonly number[], deleted: boolean): SiblingSet {
  let set = SiblingSet.empty;
  for (const [i, node] of nodes.entries()) {
    set = set.put({
      context: set.version,
      dot: { actorHigh: (node << 16) >>> 0, actorLow: node, counter: i + 1 },
      requestId: new Uint8Array(16).fill(i + 1),
      value: deleted && i === nodes.length - 1 ? new Uint8Array(0) : utf8(`value ${i}`),
      tombstone: deleted && i === nodes.length - 1,
      second: 1_800_000_000,
      keepRecentFor: 0,
    });
  }
  return set;
}

export function keyNamed(name: string): Uint8Array {
  return fullKeyOf(bucket, utf8(name));
}

interface Question {
  readonly id: number;
  readonly member: NodeNumber;
  readonly request: ReapQuestion;
  readonly commits: boolean;
}

export class ReapWorld implements ReaperEffects {
  readonly reaper: Reaper;
  /** By key's name: the record at the node that decides. */
  readonly records = new Map<string, SiblingSet>();
  /**
   * What a member has against a key, by "member/key", or "commit member/key" when it is to forget it; missing: nothing.
   * "-": the question fails; "?": no word ever comes.
   */
  readonly objections = new Map<string, number | "-" | "?">();
  /** By member: the lower part of the actor under which it mints; missing: one that is in no record. */
  readonly actors = new Map<number, number>();
  readonly forgotten: string[] = [];
  readonly lines: string[] = [];
  readonly ring: Ring;
  now: Instant = instant(0);
  #questions: Question[] = [];
  #scans: { readonly id: number; readonly partition: number }[] = [];
  readonly #hash = new Hash64();

  /** Node 4 is a member that owns nothing. */
  constructor() {
    this.ring = movingRing().staged;
    this.reaper = new Reaper({
      effects: this,
      me: nodeNumber(1),
      ring: this.ring,
      treeOf: (fullKey) => this.ring.policyOf(bucketOf(fullKey)).n,
      ageUs,
    });
  }

  /** The first names that this node decides about. */
  names(count: number): string[] {
    const found: string[] = [];
    for (let i = 0; found.length < count; i += 1) {
      hashKey(keyNamed(`k${i}`), this.#hash);
      if (this.reaper.leads(this.ring.partitionOf(this.#hash.high), 3)) found.push(`k${i}`);
    }
    return found;
  }

  say(line: string): void {
    this.lines.push(line);
  }

  scan(_now: Instant, id: number, partition: number): void {
    this.#scans.push({ id, partition });
  }

  prepare(_now: Instant, id: number, member: NodeNumber, request: ReapQuestion): void {
    this.#questions.push({ id, member, request, commits: false });
  }

  commit(_now: Instant, id: number, member: NodeNumber, request: ReapQuestion): void {
    this.#questions.push({ id, member, request, commits: true });
  }

  inUse(_partition: number, actorHigh: number): boolean {
    return actorHigh >>> 16 === 1;
  }

  /** Lets so much time pass, a pass and all its questions included. */
  pass(us: number): void {
    this.now = instant(this.now + us);
    this.reaper.tick(this.now);
    for (let i = 0; i < 1000 && this.#work(); i += 1) this.now = instant(this.now + 1000);
  }

  #work(): boolean {
    if (this.reaper.starved) this.reaper.grant(this.now, 8);
    const scan = this.#scans.shift();
    if (scan !== undefined) this.#answerScan(scan.id, scan.partition);
    const question = this.#questions.shift();
    if (question !== undefined) this.#answer(question);
    return scan !== undefined || question !== undefined || this.reaper.starved;
  }

  #answerScan(id: number, partition: number): void {
    const fullKeys: Uint8Array[] = [];
    const records: Uint8Array[] = [];
    for (const [name, set] of this.records) {
      hashKey(keyNamed(name), this.#hash);
      if (this.ring.partitionOf(this.#hash.high) !== partition) continue;
      fullKeys.push(keyNamed(name));
      records.push(sealRecord(set));
    }
    this.reaper.onScanned(this.now, id, { fullKeys, records, unreadable: [], cursor: null });
  }

  #answer({ id, member, request, commits }: Question): void {
    const names = request.keys.map(({ fullKey }) => String.fromCharCode(...keyOf(fullKey)));
    const phase = commits ? "commit " : "";
    const objections = names.map((name) => this.objections.get(`${phase}${member}/${name}`) ?? ReapVerdict.clear);
    if (objections.includes("?")) return;
    const silent = objections.includes("-");
    const told = silent ? "nothing" : objections.map((one) => reapVerdicts[one as number]).join(", ");
    this.say(`${commits ? "commit" : "prepare"} ${names.join(" ")} at node ${member}: ${told}`);
    const verdicts = Uint8Array.from(objections.map((one) => (typeof one === "string" ? 0 : one)));
    const actorLow = this.actors.get(member) ?? 99;
    const reply = silent ? null : { epoch: 2, verdicts, actorHigh: (member << 16) >>> 0, actorLow };
    if (!commits) this.reaper.onPrepared(this.now, id, member, reply);
    else {
      for (const [i, name] of names.entries()) if (verdicts[i] === 0 && !silent) this.#forget(member, name, request, i);
      this.reaper.onCommitted(this.now, id, member, reply);
    }
  }

  #forget(member: NodeNumber, name: string, request: ReapQuestion, i: number): void {
    const entries = request.keys[i]?.entries ?? [];
    this.forgotten.push(`${member}/${name}${entries.length > 0 ? ` ${entries.length / 3} entries` : ""}`);
  }

  text(about: string): string {
    return [about, "", ...this.lines].join("\n");
  }
}
