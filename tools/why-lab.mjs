// `npm run why-lab`: whether `ringtail why` names the right cause. For each cause a throw-away cluster of three `ringtail
// serve` processes on loopback is loaded in an open loop, the one cause is injected at one node, and the command is asked.
// Prints a table, and ends with 1 if a cause that was injected was not the one ranked first. Leaves nothing behind.
//
//   npm run why-lab -- [--only disk,loop,link,hot-key,gc] [--seconds 20] [--rate 300] [--base-port N] [--out FILE] [--quick]
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cleanOnSignal, freePorts } from "./bench-support.mjs";
import { prepare } from "./prepare.mjs";

const all = ["disk", "loop", "link", "hot-key", "gc"];
const portsPerRun = 6;

function options() {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: all.join(",") },
      seconds: { type: "string" },
      rate: { type: "string", default: "300" },
      "base-port": { type: "string" },
      out: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const only = values.only.split(",");
  const unknown = only.find((cause) => !all.includes(cause));
  if (unknown !== undefined) throw new Error(`--only names ${unknown}; allowed: ${all.join(", ")}`);
  const whole = (name, usual, max) => {
    const value = Number(values[name] ?? usual);
    if (Number.isInteger(value) && value >= 1 && value <= max) return value;
    throw new Error(`--${name} is ${values[name]}; allowed: 1 to ${max}`);
  };
  return {
    only,
    seconds: whole("seconds", values.quick ? 5 : 20, 60),
    rate: whole("rate", 300, 100_000),
    basePort: values["base-port"] === undefined ? undefined : whole("base-port", 0, 65_000),
    out: values.out,
  };
}

function printTable(rows) {
  const heads = ["injected", "ranked first", "share", "ops", "median ms", "where"];
  const lines = rows.map(({ injected, first }) => [
    injected,
    first.cause,
    `${(100 * first.share).toFixed(0)} %`,
    String(first.ops),
    (first.medianUs / 1000).toFixed(1),
    first.where.map(({ node, share }) => `${node} ${Math.round(100 * share)} %`).join(", "),
  ]);
  console.log(`| ${heads.join(" | ")} |\n|${"---|".repeat(heads.length)}`);
  for (const line of lines) console.log(`| ${line.join(" | ")} |`);
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: it stands on what was built.
  const { runInjection } = await import("./why/injection.mjs");
  const directory = mkdtempSync(join(tmpdir(), "ringtail-why-"));
  cleanOnSignal(async () => rmSync(directory, { recursive: true, force: true }));
  const rows = [];
  try {
    for (const injected of asked.only) {
      const basePort = asked.basePort ?? (await freePorts(portsPerRun));
      const told = await runInjection({ ...asked, injected, basePort, directory: join(directory, injected) });
      rows.push({ injected, first: told.causes[0], told });
      console.error(`${injected}: ${told.causes.map(({ cause, share }) => `${cause} ${share.toFixed(2)}`).join(", ")}`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  printTable(rows);
  if (asked.out !== undefined) writeFileSync(asked.out, `${JSON.stringify(rows, null, 2)}\n`);
  if (rows.some(({ injected, first }) => first.cause !== injected)) process.exitCode = 1;
}

await main();
