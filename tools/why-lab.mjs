// `npm run why-lab`: whether `ringtail why` names the right cause. For each cause a throw-away cluster of three `ringtail
// serve` processes on loopback is loaded in an open loop, the one cause is injected at one node, and the command is asked.
// Prints a table, and ends with 1 if a cause that was injected was not the one ranked first. Leaves nothing behind.
//
//   npm run why-lab -- [--only disk,loop,link,hot-key,gc] [--seconds 20] [--rate 300] [--base-port N] [--out FILE] [--quick]
//   npm run why-lab -- --cost PAIRS [--seconds 3]   what it costs instead: whole clusters with and without, in turns
import { prepare } from "./prepare.mjs";
import { chosen, commandLine, inScratch, runCommand, saveJson } from "./shared/command.mjs";
import { printTable } from "./shared/figures.mjs";
import { freePorts } from "./shared/processes.mjs";

const all = ["disk", "loop", "link", "hot-key", "gc"];
const portsPerRun = 6;

function options() {
  const { values, whole } = commandLine(["only", "seconds", "rate", "base-port", "out", "cost"], ["quick"]);
  const pairs = whole("cost", 0, 0, 1_000);
  return {
    pairs,
    only: chosen("--only", (values.only ?? all.join(",")).split(","), all),
    seconds: whole("seconds", pairs > 0 ? 3 : values.quick ? 5 : 20, 1, 60),
    rate: whole("rate", 300, 1, 100_000),
    basePort: whole("base-port", undefined, 1, 65_000),
    out: values.out,
  };
}

function rowOf({ injected, first }) {
  return [
    injected,
    first.cause,
    `${(100 * first.share).toFixed(0)} %`,
    String(first.ops),
    (first.medianUs / 1000).toFixed(1),
    first.where.map(({ node, share }) => `${node} ${Math.round(100 * share)} %`).join(", "),
  ];
}

/** One line: a ratio with its interval. */
function ratioText({ value, low, high }) {
  const percent = (ratio) => `${(100 * (ratio - 1)).toFixed(1)} %`;
  return `${percent(value)} (${percent(low)} to ${percent(high)})`;
}

async function cost(asked, directory, atEnd) {
  const { measureCost } = await import("./why/cost.mjs");
  const basePort = asked.basePort ?? (await freePorts(portsPerRun));
  const found = await measureCost({ ...asked, directory, basePort }, atEnd, (line) => console.error(line));
  console.log(`operations a second, with phases: ${ratioText(found.throughput)}`);
  console.log(`CPU of the nodes per operation:   ${ratioText(found.cpuPerOperation)}`);
  saveJson(asked.out, found);
}

async function main() {
  const asked = options();
  await prepare();
  // After `prepare`: it stands on what was built.
  const { runInjection } = await import("./why/injection.mjs");
  const rows = [];
  if (asked.pairs > 0) return await inScratch("why-cost", (directory, atEnd) => cost(asked, directory, atEnd));
  for (const injected of asked.only) {
    const told = await inScratch("why", async (directory, atEnd) => {
      const basePort = asked.basePort ?? (await freePorts(portsPerRun));
      return await runInjection({ ...asked, injected, basePort, directory }, atEnd);
    });
    rows.push({ injected, first: told.causes[0], told });
    console.error(`${injected}: ${told.causes.map(({ cause, share }) => `${cause} ${share.toFixed(2)}`).join(", ")}`);
  }
  printTable([["injected", "ranked first", "share", "ops", "median ms", "where"], ...rows.map(rowOf)]);
  saveJson(asked.out, rows);
  if (rows.some(({ injected, first }) => first.cause !== injected)) process.exitCode = 1;
}

runCommand("why-lab", main);
