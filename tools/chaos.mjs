// `npm run chaos`: real `ringtail serve` processes on loopback behind a proxy, hurt in every way that a seed draws, under
// load; then healed, and held to what was promised by the same checker as `ringtail check`. Ends with 1 when a promise
// was broken or the cluster did not come back, and then leaves logs, history and data where it says.
//
//   npm run chaos -- [--seed 1] [--duration 60] [--nodes 5] [--rate 300] [--every-ms 4000] [--base-port 22000]
//                    [--durability one-durable] [--settle-seconds 180] [--dir DIR] [--corruption] [--keep]
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepare } from "./prepare.mjs";

function options() {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      duration: { type: "string", default: "60" },
      nodes: { type: "string", default: "5" },
      rate: { type: "string", default: "300" },
      "every-ms": { type: "string", default: "4000" },
      "base-port": { type: "string", default: "22000" },
      durability: { type: "string", default: "one-durable" },
      "settle-seconds": { type: "string", default: "180" },
      dir: { type: "string" },
      corruption: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
    },
  });
  const whole = (name, min, max) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`--${name} is ${values[name]}; allowed: ${min} to ${max}`);
  };
  return {
    seed: whole("seed", 0, 0xffff_ffff),
    seconds: whole("duration", 1, 86_400),
    nodes: whole("nodes", 3, 9),
    rate: whole("rate", 1, 100_000),
    everyMs: whole("every-ms", 100, 600_000),
    basePort: whole("base-port", 1024, 65_000),
    settleMs: 1000 * whole("settle-seconds", 1, 3600),
    durability: values.durability,
    directory: values.dir ?? mkdtempSync(join(tmpdir(), "ringtail-chaos-")),
    corruption: values.corruption,
    keep: values.keep,
  };
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: it stands on what was built.
  const { runChaos } = await import("./chaos/run.mjs");
  const began = Date.now();
  const lines = [];
  mkdirSync(asked.directory, { recursive: true });
  const say = (text) => {
    const line = `${((Date.now() - began) / 1000).toFixed(1).padStart(7)} s  ${text}`;
    lines.push(line);
    console.error(line);
  };
  say(`seed ${asked.seed}: ${asked.nodes} nodes for ${asked.seconds} s, data and logs in ${asked.directory}`);
  let good = false;
  try {
    const report = await runChaos(asked, say);
    good = report.violations.length === 0 && report.notConverged === "" && report.finalReadsMissed === 0;
    console.log(JSON.stringify({ good, ...report, violations: report.violations.slice(0, 20) }, null, 2));
    writeFileSync(join(asked.directory, "report.json"), JSON.stringify(report, null, 2));
  } catch (error) {
    say(`the run failed: ${error.stack}`);
  }
  writeFileSync(join(asked.directory, "chaos.log"), `${lines.join("\n")}\n`);
  if (good && !asked.keep) rmSync(asked.directory, { recursive: true, force: true });
  else console.error(`logs, history and data: ${asked.directory}`);
  process.exitCode = good ? 0 : 1;
}

await main();
