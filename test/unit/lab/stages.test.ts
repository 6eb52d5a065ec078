/**
 * Where `npm run stages` counts a sample: made profiles, small enough to say for each sample what it is.
 */
import { describe, expect, it } from "vitest";
// @ts-expect-error: JavaScript, without types of its own.
import * as tool from "../../../tools/stages/stages.mjs";

type Sides = { coordinator: number; replica: number; both: number };
interface Attribution {
  idle: number;
  busy: number;
  stages: Record<string, Sides>;
  functions: Record<string, number>;
}
interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string };
  children?: number[];
}
const { attribute, addStages, emptyStages, stages } = tool as {
  attribute(profile: { nodes: ProfileNode[]; samples: number[] }): Attribution;
  addStages(sum: Record<string, Sides>, one: Record<string, Sides>, times: number): void;
  emptyStages(): Record<string, Sides>;
  stages: Record<string, string>;
};

const url = (file: string): string => (file.startsWith("node:") || file === "" ? file : `file:///x/dist/${file}`);

/** A profile of stacks, the outermost frame first, each `function@file`, with so many samples of its innermost. */
function attributed(...stacks: [count: number, ...frames: string[]][]): Attribution {
  const nodes: ProfileNode[] = [{ id: 1, callFrame: { functionName: "(root)", url: "" }, children: [] }];
  const samples: number[] = [];
  for (const [count, ...frames] of stacks) {
    let parent = nodes[0] as ProfileNode;
    for (const frame of frames) {
      const [functionName = "", file = ""] = frame.split("@");
      const node = { id: nodes.length + 1, callFrame: { functionName, url: url(file) }, children: [] };
      parent.children?.push(node.id);
      nodes.push(node);
      parent = node;
    }
    for (let i = 0; i < count; i += 1) samples.push(parent.id);
  }
  return attribute({ nodes, samples });
}

const none: Sides = { coordinator: 0, replica: 0, both: 0 };
const fromClient = ["onBytes@node/session.js", "onRequest@node/client-service.js"];

describe("attributing samples of a profile", () => {
  it("keeps idle samples apart", () => {
    const seen = attributed([5, "(idle)@"], [2, "(program)@"]);
    expect(seen.idle).toBe(5);
    expect(seen.busy).toBe(2);
    expect(seen.stages.outside).toEqual({ ...none, both: 2 });
  });

  it("counts helpers and native code for the innermost stage that they work for", () => {
    const seen = attributed(
      [3, ...fromClient, "begin@coordinator/put.js", "copyBytes@base/pool.js", "set@"],
      [2, "endTurn@node/node.js", "append@io/log-files.js", "writeSync@node:fs", "writeBuffer@"],
      [1, "Socket@node:net"],
    );
    expect(seen.stages.coordinate).toEqual({ ...none, coordinator: 3 });
    expect(seen.stages.log).toEqual({ ...none, both: 2 });
    expect(seen.stages.other).toEqual({ ...none, both: 1 });
    expect(seen.functions).toEqual({
      "base/pool.js#copyBytes": 3,
      "io/log-files.js#append": 2,
      "node:net": 1,
    });
  });

  it("prefers a function to its file, and a file to its folder", () => {
    const seen = attributed(
      [1, "onFrame@node/session.js"],
      [2, "answer@node/session.js", "send@wire/frame-writer.js"],
      [4, "lookup@storage/store.js"],
      [8, "add@storage/log-tail.js"],
    );
    expect(seen.stages.read).toEqual({ ...none, both: 1 });
    expect(seen.stages.reply).toEqual({ ...none, both: 2 });
    expect(seen.stages.store).toEqual({ ...none, both: 4 });
    expect(seen.stages.log).toEqual({ ...none, both: 8 });
  });

  it("takes the side from what the work began with", () => {
    const seal = "sealRecord@version/record.js";
    const seen = attributed(
      [1, ...fromClient, "put@replica/replica.js", seal],
      [2, "onBytes@node/session.js", "onRequest@node/peer-service.js", "write@replica/replica.js", seal],
      [4, "onBytes@node/peers.js", "take@node/coordination-replies.js", seal],
      [8, "endTurn@node/node.js", "onStoreWritten@replica/replica.js", "answer@node/peer-service.js", seal],
      [16, "tick@node/node.js", seal],
    );
    expect(seen.stages.version).toEqual({ coordinator: 1 + 4, replica: 2 + 8, both: 16 });
  });

  it("leaves no sample out", () => {
    const seen = attributed([1, "(garbage collector)@"], [2, "f@"], [3, "f@lab/new.js"], [4, "f@node/new.js"]);
    const sum = Object.values(seen.stages).reduce(
      (all, sides) => all + sides.coordinator + sides.replica + sides.both,
      0,
    );
    expect(sum).toBe(10);
    expect(seen.busy).toBe(10);
    expect(seen.stages.gc).toEqual({ ...none, both: 1 });
  });

  it("adds up, so many times", () => {
    const sum = emptyStages();
    const { stages: one } = attributed([3, ...fromClient, "begin@coordinator/put.js"]);
    addStages(sum, one, 2);
    addStages(sum, one, 0.5);
    expect(sum.coordinate?.coordinator).toBe(7.5);
    expect(Object.keys(sum)).toEqual(Object.keys(stages));
  });
});
