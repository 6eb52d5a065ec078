/**
 * Tells a story of replicas and versions as text for golden files. Replicas are letters; an actor is written A for its
 * first incarnation, A' for the next and so on; a dot is (A,3), as in the papers.
 */
import { utf8, utf8Text } from "../../src/base/bytes.ts";
import { openRecord, sealRecord } from "../../src/version/record.ts";
import { type Seen, SiblingSet } from "../../src/version/sibling-set.ts";
import type { Dot } from "../../src/version/version-vector.ts";
import { VersionVector } from "../../src/version/version-vector.ts";
import { idOf } from "./version-world.ts";

const keepRecentFor = 60;

export class Story {
  readonly #lines: string[];
  #second = 0;
  readonly #replicas = new Map<string, { set: SiblingSet; incarnation: number; counter: number }>();

  constructor(title: string, lines: string[] = [title, ""]) {
    this.#lines = lines;
  }

  /** Prose, a line each. */
  say(...text: string[]): void {
    if (this.#lines.at(-1) !== "") this.#lines.push("");
    this.#lines.push(...text);
  }

  /** Prose, and new replicas for a second course of events in the same text. */
  otherwise(...text: string[]): Story {
    this.say(...text);
    return new Story("", this.#lines);
  }

  /** What a get at this replica hands out. */
  read(name: string): VersionVector {
    const { version } = this.set(name);
    this.#lines.push(`  ${name}: get -> context ${vectorText(version)}`);
    return version;
  }

  /**
   * A put coordinated by this replica (null: a delete); no context: blind. The value's text is the request id unless
   * another is given. Returns the context of the reply.
   */
  put(
    name: string,
    value: string | null,
    context: VersionVector | Seen = VersionVector.empty,
    id: string = value ?? "delete",
  ): Seen {
    const replica = this.#replica(name);
    const known = replica.set.dotsOf(idOf(id));
    const seen = context instanceof VersionVector ? { version: context, own: null } : context;
    const how = `${value === null ? "delete" : `put "${value}"`} with ${seenText(seen)}`;
    if (known !== undefined) {
      this.#lines.push(`  ${name}: ${how} -> known, answered as ${known.map(dotText).join("+")}`);
      return seen;
    }
    replica.counter += 1;
    this.#second += 1;
    const dot = this.#dot(name, replica.counter);
    replica.set = replica.set.put({
      context: seen.version,
      own: seen.own,
      dot,
      requestId: idOf(id),
      value: utf8(value ?? ""),
      tombstone: value === null,
      second: this.#second,
      keepRecentFor,
    });
    const after = replica.set.contextAfter(seen.version, { dot, requestId: idOf(id) });
    this.#lines.push(`  ${name}: ${how} -> ${seenText(after)}`);
    this.show(name);
    return after;
  }

  /** Sends one replica's record to others, through bytes. */
  send(from: string, ...to: string[]): void {
    this.deliver(from, this.set(from), ...to);
  }

  /** A record kept from earlier arrives. */
  deliver(from: string, set: SiblingSet, ...to: string[]): void {
    for (const name of to) {
      const replica = this.#replica(name);
      replica.set = replica.set.merge(openRecord(sealRecord(set)));
      this.#lines.push(`  ${from} -> ${name}`);
      this.show(name);
    }
  }

  /** The replica falls back to `left` and takes a new incarnation; with `keepActor` (a mistake) it goes on as before. */
  crash(name: string, left: SiblingSet, keepActor = false): void {
    const replica = this.#replica(name);
    replica.set = left;
    if (!keepActor) replica.incarnation += 1;
    replica.counter = keepActor ? left.version.counterOf(this.#actorHigh(name), replica.incarnation) : 0;
    this.#lines.push(
      `  ${name}: crash${keepActor ? "; the actor and a counter read from the record are used again" : "; a new incarnation"}`,
    );
    this.show(name);
  }

  /** The replica goes on minting with this state only: what a node does that reads too little before it mints. */
  readOnly(name: string, set: SiblingSet): void {
    this.#replica(name).set = set;
    this.show(name);
  }

  show(name: string): void {
    this.#lines.push(`       ${name} = ${setText(this.set(name))}`);
  }

  set(name: string): SiblingSet {
    return this.#replica(name).set;
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  #replica(name: string): { set: SiblingSet; incarnation: number; counter: number } {
    let replica = this.#replicas.get(name);
    if (replica === undefined) {
      replica = { set: SiblingSet.empty, incarnation: 0, counter: 0 };
      this.#replicas.set(name, replica);
    }
    return replica;
  }

  #actorHigh(name: string): number {
    return (name.charCodeAt(0) << 16) >>> 0;
  }

  #dot(name: string, counter: number): Dot {
    return { actorHigh: this.#actorHigh(name), actorLow: this.#replica(name).incarnation, counter };
  }
}

function dotText({ actorHigh, actorLow, counter }: Dot): string {
  return `(${String.fromCharCode(actorHigh >>> 16)}${"'".repeat(actorLow)},${counter})`;
}

function seenText({ version, own }: Seen): string {
  return own === null ? vectorText(version) : `${vectorText(version)} and ${dotText(own.dot)}`;
}

function vectorText(version: VersionVector): string {
  if (version.size === 0) return "{}";
  const entries = Array.from({ length: version.size }, (_, i) =>
    dotText(version.entry(i)).slice(1, -1).replace(",", ":"),
  );
  return `{${entries.join(" ")}}`;
}

function setText(set: SiblingSet): string {
  const siblings = set.siblings.map(({ dots, value, tombstone }) => {
    return `${dots.map(dotText).join("+")} ${tombstone ? "deleted" : `"${utf8Text(value)}"`}`;
  });
  const recent = set.recent.map(({ dots }) => dots.map(dotText).join("+"));
  return `${vectorText(set.version)} [${siblings.join(", ")}]${recent.length > 0 ? ` recent ${recent.join(" ")}` : ""}`;
}
