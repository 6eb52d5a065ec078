/**
 * Puts of one key that come in one turn, in whole simulated clusters: they share a record, a write and a frame to each
 * peer, and still each is a write of its own, with an answer of its own, whatever becomes of the frame.
 */
import { afterEach, describe, expect, it } from "vitest";
import { enableCanaries } from "../../../src/base/canary.ts";
import { listenForMarks } from "../../../src/base/mark.ts";
import { noContext } from "../../../src/sim/client-call.ts";
import type { RunPlan } from "../../../src/sim/plan.ts";
import { DataStory } from "../../support/data-story.ts";

afterEach(() => enableCanaries([]));

const key = "hot";
const count = 40;

interface Told {
  readonly story: DataStory;
  readonly outcomes: readonly string[];
  readonly marks: ReadonlyMap<string, number>;
}

/** So many puts of one key at one node, all at once; `meanwhile` once they are under way. */
function burst(plan: Partial<RunPlan>, meanwhile: (story: DataStory) => void = () => {}): Told {
  const story = new DataStory({ turnUs: 2_000, ...plan });
  expect(story.cluster.awaitReady()).toBe(true);
  story.pass(1_000_000);
  const marks = new Map<string, number>();
  const before = listenForMarks((name) => marks.set(name, (marks.get(name) ?? 0) + 1));
  const outcomes: string[] = [];
  try {
    for (let i = 0; i < count; i += 1) {
      const wish = { kind: "put" as const, key, value: i, padding: 100, context: noContext, node: 0 };
      story.client.write(wish, (_now, { outcome }) => outcomes.push(outcome));
    }
    meanwhile(story);
    expect(story.until(20_000_000, () => story.client.open === 0)).toBe(true);
  } finally {
    listenForMarks(before);
  }
  return { story, outcomes, marks };
}

/** The values that a get of all replicas shows. */
function valuesOf(story: DataStory): number {
  let values = -1;
  story.client.read({ keys: [key], r: 3 }, (_now, operation) => {
    values = operation.siblings.length;
  });
  expect(story.until(5_000_000, () => story.client.open === 0)).toBe(true);
  return values;
}

describe("a burst of puts of one key", () => {
  it("is acknowledged put by put, with far fewer frames than puts, and leaves a sibling for each", () => {
    const { story, outcomes, marks } = burst({});
    expect(outcomes).toEqual(new Array<string>(count).fill("ok"));
    expect(marks.get("replica.put.shared")).toBeGreaterThan(count / 2);
    // A frame to each of two peers.
    expect(marks.get("put.shared-frame")).toBe(2 * (marks.get("replica.put.shared") ?? 0));
    expect(valuesOf(story)).toBe(count);
  });

  it("loses nothing with a put that was taken in and left out, which is found", () => {
    enableCanaries(["shared-put-lost"]);
    const { story, outcomes } = burst({});
    expect(outcomes).toEqual(new Array<string>(count).fill("ok"));
    expect(valuesOf(story)).toBeLessThan(count);
  });

  it("reaches peers later that died before they had answered", () => {
    const { story, outcomes, marks } = burst({ w: 1 }, ({ cluster }) => {
      const { world } = cluster;
      world.runFor(2_500);
      for (const node of world.nodes.slice(1, 3)) node.kill(world.now);
    });
    expect(marks.get("put.shared-frame")).toBeGreaterThan(0);
    expect(new Set(outcomes)).toEqual(new Set(["ok"]));
    const { world } = story.cluster;
    for (const node of world.nodes.slice(1, 3)) node.boot(world.now);
    story.pass(30_000_000);
    expect(valuesOf(story)).toBe(count);
  });

  it("fails put by put with the frame that carries it", () => {
    const { outcomes } = burst({ nodes: 3, w: 3 }, ({ cluster }) => {
      cluster.world.runFor(2_500);
      cluster.world.nodes[1]?.kill(cluster.world.now);
    });
    expect(outcomes.length).toBe(count);
    expect(outcomes.filter((outcome) => outcome === "ok").length).toBeLessThan(count);
  });
});
