// `npm run gray`: what clients wait for while one node is there but slow, and how soon its peers find it. Starts a
// throw-away cluster of `ringtail serve` processes behind a proxy (tools/shared/proxy.mjs), once per cause, loads it with the
// SDK, and leaves nothing behind.
//
//   npm run gray -- [CAUSE...] [--nodes 3] [--rate 500] [--seconds 10] [--keys 20000] [--durability buffered]
//                   [--seed 1] [--base-port N] [--json] [--simulated] [--quick]
//
//   bursts   the process stands still for 100 ms of every 400 (SIGSTOP)
//   disk     20 ms more for each read of its store and each sync
//   link     20 ms more on every message from and to its peers
//   all      the same on all links: nobody is to be held for slow
//
// --simulated runs the same stories in the simulator instead (src/sim/gray.ts): no machine disturbs those.
import { prepare } from "./prepare.mjs";
import { chosen, commandLine, inScratch, runCommand } from "./shared/command.mjs";
import { printTable } from "./shared/figures.mjs";
import { freePorts } from "./shared/processes.mjs";

const percentiles = ["p50", "p99", "p99.9"];

function options() {
  const texts = ["nodes", "rate", "seconds", "keys", "durability", "seed", "base-port"];
  const { values, positionals, whole } = commandLine(texts, ["json", "simulated", "quick"], { allowPositionals: true });
  const { quick, json, simulated, durability = "buffered" } = values;
  return {
    ...{ asked: positionals, json, simulated, durability },
    nodes: whole("nodes", 3, 3, 9),
    rate: whole("rate", quick ? 200 : 500, 1, 100_000),
    seconds: whole("seconds", quick ? 3 : 10, 1, 3_600),
    keys: whole("keys", quick ? 2_000 : 20_000),
    seed: whole("seed", 1, 0, 2 ** 31),
    basePort: whole("base-port", undefined, 1024, 65_000),
    // So small that most gets read the store.
    bufferMiB: 1,
    warmUp: quick ? 1 : 3,
  };
}

async function realRows(asked) {
  const { causeNames, runGray } = await import("./gray/run.mjs");
  const rows = [];
  for (const cause of chosen("causes", asked.asked, causeNames)) {
    const row = await inScratch("gray", async (directory, atEnd) => {
      const basePort = asked.basePort ?? (await freePorts(2 * asked.nodes));
      return await runGray({ ...asked, directory, basePort }, cause, atEnd);
    });
    rows.push(row);
  }
  return rows;
}

async function simulatedRows({ asked, seconds, seed }) {
  const { grayCauses, runGray } = await import("../dist/sim/gray.js");
  const inMs = (us) => us / 1000;
  return chosen("causes", asked, [...grayCauses]).map((cause) => {
    const { foundAfterUs, ...result } = runGray(seed, cause, seconds * 1_000_000);
    const stretch = ({ operations, p50Us, p99Us, p999Us }) => ({
      ...{ operations, p50: inMs(p50Us), p99: inMs(p99Us), "p99.9": inMs(p999Us) },
    });
    return {
      ...{ cause, before: stretch(result.before), finding: stretch(result.finding), after: stretch(result.after) },
      foundMs: foundAfterUs < 0 ? null : inMs(foundAfterUs),
      ...{ wronged: result.wronged, hedges: result.hedges, voided: null },
    };
  });
}

function table(rows) {
  const times = percentiles.flatMap((name) => [`${name} before`, "finding", "after"]);
  const head = ["cause", "found after ms", "wronged", ...times, "hedges"];
  const cells = rows.map(({ cause, foundMs, wronged, before, finding, after, hedges }) => [
    cause,
    foundMs === null ? "-" : foundMs.toFixed(0),
    wronged.join(" ") || "-",
    ...percentiles.flatMap((name) => [before, finding, after].map((stretch) => stretch[name].toFixed(2))),
    String(hedges),
  ]);
  printTable([head, ...cells]);
  for (const { cause, voided } of rows) if (voided !== null) console.log(`${cause} is VOIDED: ${voided}`);
}

async function main() {
  const asked = options();
  await prepare();
  const rows = asked.simulated ? await simulatedRows(asked) : await realRows(asked);
  if (asked.json) console.log(JSON.stringify(rows, null, 2));
  else table(rows);
}

runCommand("gray", main);
