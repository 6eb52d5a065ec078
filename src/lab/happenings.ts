/**
 * Happenings: what went on while a run went on (faults, joins, rings, and whatever else somebody noted), as numbered
 * marks over its time series. They come from the cluster's own events or from a file of whoever made the fault.
 */
import { RingtailError } from "../base/errors.ts";

/** Something that happened at a moment of the wall clock. */
export interface Noted {
  readonly atMs: number;
  readonly kind: string;
  readonly text: string;
  /** Who tells it; undefined: whoever made the file. */
  readonly node?: string;
}

/** The same within a run: seconds from the start of its window, numbered from 1. */
export interface Happening {
  readonly number: number;
  readonly second: number;
  readonly kind: string;
  readonly text: string;
}

const happeningsMax = 60;
/** What several nodes say of one thing within so long is told once. */
const sameWithinS = 2;

/** Those inside the window, in order; what nodes repeat of each other is told once, and beyond 60 only how many there were. */
export function happeningsOf(noted: readonly Noted[], startedMs: number, seconds: number): Happening[] {
  const told: { second: number; kind: string; text: string; nodes: string[] }[] = [];
  for (const { atMs, kind, text, node } of [...noted].sort((a, b) => a.atMs - b.atMs)) {
    const second = (atMs - startedMs) / 1000;
    if (second < 0 || second > seconds) continue;
    const same = told.find((one) => one.kind === kind && one.text === text && second - one.second < sameWithinS);
    const nodes: string[] = same?.nodes ?? [];
    if (node !== undefined && !nodes.includes(node)) nodes.push(node);
    if (same === undefined) told.push({ second, kind, text, nodes });
  }
  const left = told.length - happeningsMax;
  if (left > 0) {
    const { second } = told[happeningsMax - 1] as (typeof told)[number];
    told.splice(happeningsMax - 1, left + 1, {
      second,
      kind: "more",
      text: `${left + 1} more until the end`,
      nodes: [],
    });
  }
  return told.map(({ second, kind, text, nodes }, i) => {
    return { number: i + 1, second, kind, text: nodes.length === 0 ? text : `${text} (${nodes.join(", ")})` };
  });
}

/**
 * Events out of a file: a JSON array, as `ringtail events --json` prints it, or one JSON object a line; each has `at` (an ISO
 * time, or milliseconds since 1970) and `text`, and may have `kind`. Throws `INVALID_ARGUMENT`.
 */
export function readNoted(name: string, text: string): Noted[] {
  const bad = (what: string): never => {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `${name}: ${what}; allowed: objects with at and text, as an array or one a line`,
    );
  };
  const parse = (part: string): unknown => {
    try {
      return JSON.parse(part);
    } catch {
      return bad("not JSON");
    }
  };
  const trimmed = text.trim();
  const entries = trimmed.startsWith("[")
    ? (parse(trimmed) as unknown[])
    : trimmed.split("\n").flatMap((line) => (line.trim() === "" ? [] : [parse(line)]));
  return entries.map((entry, i) => {
    const { at, text: told, kind } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    const atMs = typeof at === "number" ? at : typeof at === "string" ? Date.parse(at) : Number.NaN;
    if (!Number.isFinite(atMs) || typeof told !== "string") return bad(`event ${i + 1} has no time or no text`);
    return { atMs, kind: typeof kind === "string" ? kind : "event", text: told };
  });
}
