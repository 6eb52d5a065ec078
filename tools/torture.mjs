// `npm run torture`: one node's storage under kill -9. Every cycle kills `ringtail serve` at a random moment under load,
// sometimes again while it starts, starts it on the same directory with options drawn from the seed, and reads back. With one
// replica nothing hides what a disk lost: every acknowledged write must be there after the next start. Judged by the same
// rules as `ringtail check`; ends with 1 when one is broken.
//
//   npm run torture -- [--cycles 50] [--seed 1] [--port 22500] [--dir DIR] [--keep]
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare } from "./prepare.mjs";
import { commandLine, runCommand } from "./shared/command.mjs";

function options() {
  const { values, whole } = commandLine(["cycles", "seed", "port", "dir"], ["keep"]);
  return {
    cycles: whole("cycles", 50, 1, 1_000_000),
    seed: whole("seed", 1, 0, 0xffff_ffff),
    port: whole("port", 22_500, 1024, 65_535),
    directory: values.dir ?? mkdtempSync(join(tmpdir(), "ringtail-torture-")),
    keep: values.keep,
  };
}

async function main() {
  const asked = options();
  await prepare();
  mkdirSync(asked.directory, { recursive: true });
  // After `prepare`: it stands on what was built.
  const { runTorture } = await import("./chaos/torture-run.mjs");
  let good = false;
  try {
    const report = await runTorture(asked, (text) => console.error(text));
    good = report.violations.length === 0 && report.readsMissed === 0;
    console.log(JSON.stringify({ good, ...report, violations: report.violations.slice(0, 20) }, null, 2));
  } catch (error) {
    console.error(`the run failed: ${error.stack}`);
  }
  if (good && !asked.keep) rmSync(asked.directory, { recursive: true, force: true });
  else console.error(`log, history and data: ${asked.directory}`);
  process.exitCode = good ? 0 : 1;
}

runCommand("torture", main);
