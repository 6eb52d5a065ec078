// `npm run chaos`: real `ringtail serve` processes on loopback behind a proxy, hurt in every way that a seed draws, under
// load; then healed, and held to what was promised by the same checker as `ringtail check`. Ends with 1 when a promise
// was broken or the cluster did not come back, and then leaves logs, history and data where it says.
//
//   npm run chaos -- [--seed 1] [--duration 60] [--nodes 5] [--rate 300] [--every-ms 4000] [--base-port 22000]
//                    [--durability one-durable] [--settle-seconds 180] [--dir DIR] [--corruption] [--keep]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare } from "./prepare.mjs";
import { commandLine, runCommand, saveJson, stopwatch } from "./shared/command.mjs";

function options() {
  const texts = ["seed", "duration", "nodes", "rate", "every-ms", "base-port", "durability", "settle-seconds", "dir"];
  const { values, whole } = commandLine(texts, ["corruption", "keep"]);
  const { corruption, keep, durability = "one-durable" } = values;
  return {
    ...{ corruption, keep, durability },
    seed: whole("seed", 1, 0, 0xffff_ffff),
    seconds: whole("duration", 60, 1, 86_400),
    nodes: whole("nodes", 5, 3, 9),
    rate: whole("rate", 300, 1, 100_000),
    everyMs: whole("every-ms", 4_000, 100, 600_000),
    basePort: whole("base-port", 22_000, 1024, 65_000),
    settleMs: 1000 * whole("settle-seconds", 180, 1, 3600),
    directory: values.dir ?? mkdtempSync(join(tmpdir(), "ringtail-chaos-")),
  };
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: it stands on what was built.
  const { runChaos } = await import("./chaos/run.mjs");
  const { directory } = asked;
  mkdirSync(directory, { recursive: true });
  const lines = [];
  const tell = stopwatch();
  const say = (text) => lines.push(tell(text));
  say(`seed ${asked.seed}: ${asked.nodes} nodes for ${asked.seconds} s, data and logs in ${directory}`);
  let good = false;
  try {
    const report = await runChaos(asked, say);
    good = report.violations.length === 0 && report.notConverged === "" && report.finalReadsMissed === 0;
    console.log(JSON.stringify({ good, ...report, violations: report.violations.slice(0, 20) }, null, 2));
    saveJson(join(directory, "report.json"), report);
  } catch (error) {
    say(`the run failed: ${error.stack}`);
  }
  writeFileSync(join(directory, "chaos.log"), `${lines.join("\n")}\n`);
  if (good && !asked.keep) rmSync(directory, { recursive: true, force: true });
  else console.error(`logs, history and data: ${directory}`);
  process.exitCode = good ? 0 : 1;
}

runCommand("chaos", main);
