/**
 * `ringtail check` on real clusters: no alarm on a healthy one, the same verdict from its file, a bug that is planted in
 * the nodes found; and the smallest forms of the chaos and torture runs (tools/chaos).
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, it } from "vitest";
import { enableCanaries } from "../../src/base/canary.ts";
import { Check } from "../../src/lab/check/check.ts";
import { startLocalCluster } from "../../src/testing/index.ts";
import { Background, cleanUp, freePorts, ringtail, root, temporaryDirectory, waitFor } from "../support/e2e.ts";

afterAll(cleanUp);
afterEach(() => enableCanaries([]));

it("a healthy cluster keeps every promise, and its history says the same again", async () => {
  const cluster = await startLocalCluster({ durability: "buffered" });
  const file = join(temporaryDirectory(), "history.jsonl");
  const seedNodes = cluster.seedNodes.flatMap((address) => ["--seed-node", address]);
  const flags = ["--duration", "2", "--clients", "4", "--keys", "8", "--history", file, "--json"];
  const run = await ringtail(["check", ...seedNodes, ...flags]);
  expect(run).toMatchObject({ status: 0, stderr: "" });
  const seen = JSON.parse(run.stdout);
  expect(seen).toMatchObject({ violations: [], acknowledgedWritesLost: 0, recency: true, errors: {} });
  expect(seen.acknowledgedWrites).toBeGreaterThan(20);
  expect(seen.finalReads).toBe(3 * seen.keys);
  const again = JSON.parse((await ringtail(["check", "--replay", file, "--json"])).stdout);
  const { errors: _errors, convergedMs: _convergedMs, ...verdict } = seen;
  expect(again).toEqual(verdict);
  // The canary keys are gone.
  const key = (JSON.parse(readFileSync(file, "utf8").split("\n")[1] as string) as { key: string }).key;
  expect((await ringtail(["get", "check", key, ...seedNodes])).status).toBe(1);
  await cluster.close();

  const lines = readFileSync(file, "utf8").replaceAll(
    /"outcome":"ok"(.*)"siblings":\[\{.*?\}\]/g,
    '"outcome":"ok"$1"siblings":[]',
  );
  writeFileSync(file, lines);
  const doctored = await ringtail(["check", "--replay", file]);
  expect(doctored.status).toBe(30);
  expect(doctored.stdout).toContain("BROKEN acked-write-discarded");
});

/** Bugs that show without any fault, and the rule that each breaks. */
const found = {
  "drop-sibling": "answer-covers-unseen",
  "merge-drops-sibling": "answer-covers-unseen",
  "context-covers-unseen": "answer-covers-unseen",
  "delete-covers-all": "answer-covers-unseen",
  "revive-superseded": "covered-sibling-kept",
};
for (const [bug, broken] of Object.entries(found)) {
  it(`${bug} is found on a real cluster`, async () => {
    const cluster = await startLocalCluster({ durability: "buffered" });
    const check = await Check.connect({
      ...{ seedNodes: cluster.seedNodes, bucket: "b", keys: 2, clients: 16, rate: 5_000, seed: 1, timeoutMs: 2000 },
      ...{ historyFile: undefined, recency: true },
    });
    enableCanaries([bug]);
    check.start();
    await waitFor(`a broken ${broken}`, () => check.verdict().violations.some(({ rule }) => rule === broken));
    await check.close();
    await cluster.close();
  });
}

it("bad input is refused before anything is written", async () => {
  const rate = await ringtail(["check", "--duration", "86400", "--rate", "1000"]);
  expect(rate).toMatchObject({ status: 2, stdout: "" });
  expect(rate.stderr).toContain("allowed: 2000000 operations, so 23 a second");
  expect((await ringtail(["check", "--replay", "/nowhere/h.jsonl"])).stderr).toContain("ENOENT");
});

interface ToolReport {
  readonly good: boolean;
  readonly acknowledgedWrites: number;
  readonly acknowledgedWritesLost: number;
}

/** Runs a tool to its end; its report, which follows what it says about building. */
async function tool(name: string, ports: string, ...flags: readonly string[]): Promise<ToolReport> {
  const port = String(await freePorts(110));
  const args = [join(root, "tools", name), ports, port, "--dir", join(temporaryDirectory(), "run"), ...flags];
  const running = new Background(args, { cwd: root });
  await waitFor(`the end of ${name}`, () => running.hasEnded, 100_000);
  const { status, stdout, stderr } = await running.ended;
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout.slice(stdout.indexOf("{"))) as ToolReport;
}

it("chaos, a few seconds of it: three processes behind the proxy, and nothing acknowledged is lost", async () => {
  const flags = ["--seed", "3", "--duration", "4", "--nodes", "3", "--every-ms", "700", "--rate", "150"];
  const report = await tool("chaos.mjs", "--base-port", ...flags);
  expect(report).toMatchObject({ good: true, acknowledgedWritesLost: 0, violations: [], readsMissed: 0 });
  expect(report.acknowledgedWrites).toBeGreaterThan(10);
});

it("torture, three kills of it: what one node acknowledged is there after each start", async () => {
  const report = await tool("torture.mjs", "--port", "--cycles", "3");
  expect(report).toMatchObject({
    good: true,
    acknowledgedWritesLost: 0,
    violations: [],
    readsMissed: 0,
    recency: true,
  });
  expect(report.acknowledgedWrites).toBeGreaterThan(10);
});
