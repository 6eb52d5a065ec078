/** The load phase: fills what is empty, only reads what is there, replaces what has another size, and retries. */
import { describe, expect, it } from "vitest";
import { utf8Text } from "../../../src/base/bytes.ts";
import { RingtailError } from "../../../src/base/errors.ts";
import { Rng } from "../../../src/base/rng.ts";
import { Contexts } from "../../../src/lab/contexts.ts";
import { KeySpace } from "../../../src/lab/key-space.ts";
import { type LoadReport, load } from "../../../src/lab/load-phase.ts";
import { MadeUpCluster } from "./made-up-cluster.ts";

const keys = 1000;

interface Loaded {
  readonly report: LoadReport;
  readonly contexts: Contexts;
  readonly steps: number;
}

async function run(cluster: MadeUpCluster, mode: "auto" | "always", valueBytes = 16): Promise<Loaded> {
  const contexts = new Contexts(keys);
  let steps = 0;
  const done = load({
    target: cluster,
    keySpace: new KeySpace({ count: keys, keyBytes: 8, valueBytes, rng: new Rng(1) }),
    contexts,
    valueBytes,
    mode,
    onKey: () => {
      steps += 1;
    },
  });
  let settled = false;
  const mark = (): void => {
    settled = true;
  };
  done.then(mark, mark);
  // Between its passes the phase goes on in a microtask.
  while (!settled) {
    cluster.runToEnd();
    await Promise.resolve();
  }
  return { report: await done, contexts, steps };
}

describe("auto", () => {
  it("fills an empty cluster by puts alone, but for the sample", async () => {
    const cluster = new MadeUpCluster(100);
    const { report, contexts, steps } = await run(cluster, "auto");
    expect(report).toEqual({ read: 0, written: keys });
    expect(cluster.data.size).toBe(keys);
    expect(cluster.gets).toBe(64);
    expect(steps).toBe(keys);
    expect(cluster.mostInFlight).toBeGreaterThan(64);
    for (let key = 0; key < keys; key += 1) expect(contexts.get(key).length).toBeGreaterThan(0);
  });

  it("only reads what is there, and learns the contexts", async () => {
    const cluster = new MadeUpCluster(100);
    await run(cluster, "auto");
    const { report, contexts } = await run(cluster, "auto");
    expect(report).toEqual({ read: keys, written: 0 });
    for (let key = 0; key < keys; key += 1) expect(contexts.get(key).length).toBeGreaterThan(0);
  });

  it("completes what is there in part", async () => {
    const cluster = new MadeUpCluster(100);
    await run(cluster, "auto");
    for (const key of [...cluster.data.keys()].slice(400)) cluster.data.delete(key);
    const { report } = await run(cluster, "auto");
    expect(report).toEqual({ read: keys, written: keys - 400 });
    expect(cluster.data.size).toBe(keys);
  });

  it("replaces values of another size", async () => {
    const cluster = new MadeUpCluster(100);
    await run(cluster, "auto", 16);
    const { report } = await run(cluster, "auto", 32);
    expect(report).toEqual({ read: keys, written: keys });
    expect([...cluster.data.values()].every(({ value }) => value.length === 32)).toBe(true);
  });
});

it("always replaces, with the context of what it replaces", async () => {
  const cluster = new MadeUpCluster(100);
  await run(cluster, "auto");
  cluster.puts.length = 0;
  const { report } = await run(cluster, "always");
  expect(report).toEqual({ read: keys, written: keys });
  expect(cluster.puts.every(({ context }) => context.length > 0)).toBe(true);
});

it("tries again what failed, and gives up with the error when it fails again and again", async () => {
  const cluster = new MadeUpCluster(100);
  for (let i = 0; i < 200; i += 1) cluster.failures.push(new RingtailError("OVERLOADED"));
  expect((await run(cluster, "auto")).report.written).toBe(keys);
  expect([...cluster.data.keys()].every((key) => utf8Text(new TextEncoder().encode(key)) === key)).toBe(true);

  const down = new MadeUpCluster(100);
  for (let i = 0; i < 5000; i += 1) down.failures.push(new RingtailError("QUORUM_NOT_MET"));
  await expect(run(down, "auto")).rejects.toMatchObject({ code: "QUORUM_NOT_MET" });
});

it("asks less at once of a cluster that refuses, and gives up only when nothing gets done", async () => {
  const cluster = new MadeUpCluster(100);
  cluster.inFlightMax = 4;
  expect((await run(cluster, "auto")).report.written).toBe(keys);
  expect(cluster.refused).toBeGreaterThan(0);
  expect(cluster.refused).toBeLessThan(keys);

  const full = new MadeUpCluster(100_000);
  full.inFlightMax = 0;
  await expect(run(full, "auto")).rejects.toMatchObject({ code: "OVERLOADED" });
  expect(full.now()).toBeGreaterThan(30_000_000);
});

it("an error that no retry can cure ends it at once", async () => {
  const cluster = new MadeUpCluster(100);
  cluster.failures.push(new RingtailError("INVALID_ARGUMENT"));
  await expect(run(cluster, "auto")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(cluster.data.size).toBe(0);
});
