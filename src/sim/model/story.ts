/** A path through the model as people read it: each step, and what it leaves on the disks. */

import { liveWrites } from "./history.ts";
import { breachAtRest, judge, nameOf, namesOf } from "./laws.ts";
import { type Budget, diskOf, firstState, type ModelState, members, nodeOf } from "./state.ts";
import { type Step, take } from "./steps.ts";

/** The story of a path that breaks a law, at its last step or when its state is left to itself. */
export function storyOf(budget: Budget, path: readonly Step[]): string[] {
  const lines: string[] = [];
  let state = firstState(budget);
  const say = (step: Step, before: ModelState, next: ModelState): void => {
    lines.push(`${String(lines.length + 1).padStart(3)}  ${stepText(step, before).padEnd(58)}  ${disksText(next)}`);
  };
  for (const step of path) {
    const before = state;
    try {
      state = take(state, step);
    } catch (error) {
      return [...lines, `     ${stepText(step, before)}`, `BROKEN no assertion fails: ${(error as Error).message}`];
    }
    say(step, before, state);
    const found = judge(before, state);
    if (found !== null) return [...lines, `BROKEN ${found.law}: ${found.text}`];
  }
  lines.push("     from here on nothing more is asked, and all is delivered and compared:");
  let before = state;
  const found = breachAtRest(state, (step, next) => {
    say(step, before, next);
    before = next;
  });
  return [...lines, found === null ? "nothing is broken" : `BROKEN ${found.law}: ${found.text}`];
}

function stepText(step: Step, state: ModelState): string {
  switch (step.kind) {
    case "put":
    case "delete": {
      const seen = step.seen ? `having seen ${namesOf(state.client.past)}` : "having seen nothing";
      return `${step.kind} ${nameOf(state.writes.length)} at node ${step.at}, ${seen}`;
    }
    case "read":
      return `the client reads at node ${step.at}`;
    case "crash":
      return `node ${step.at} is killed, and starts again`;
    case "cut":
      return `node ${step.at} loses its power, and all but its first ${step.keeps} unsynced writes`;
    case "prepare":
      return `node ${step.at} is asked whether it may be forgotten`;
    case "push":
      return `node ${step.at} compares with node ${step.to} and sends what that lacks`;
    case "reap":
      return "an age passes; what was under way is lost; node 1 begins to reap";
    case "send-hint":
      return `node 3 reads its hint for node ${step.to} and sends it`;
    case "hand-over":
      return `node 3 keeps ${messageText(state, step.index)}`;
    case "arrive":
      return `arrives: ${messageText(state, step.index)}`;
  }
}

function messageText(state: ModelState, index: number): string {
  const message = state.messages[index];
  if (message === undefined) return "nothing";
  const { kind, to, sealed } = message;
  if (kind === "receipt") return `the receipt of node ${to} for its hint {${recordText(sealed)}}`;
  return `${kind === "hint" ? "the hint" : kind === "forget" ? "the order to forget" : "the write"} {${recordText(sealed)}} for node ${to}`;
}

function recordText(sealed: Uint8Array): string {
  return liveWrites(sealed).map(nameOf).join(" ");
}

function disksText(state: ModelState): string {
  const disks = members.map((number) => {
    const { record, hints } = diskOf(nodeOf(state, number));
    const kept = hints.map(({ target, sealed }) => `for ${target} {${recordText(sealed)}}`);
    return `${number}: ${[record === null ? "-" : `{${recordText(record)}}`, ...kept].join(" ")}`;
  });
  const acked = state.writes.flatMap(({ acked: told }, number) => (told ? [nameOf(number)] : []));
  return `${disks.join("  ")}  acked: ${acked.join("")}`;
}
