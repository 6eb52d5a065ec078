// `npm run gray`: what clients wait for while one node is there but slow, and how soon its peers find it. Starts a
// throw-away cluster of `ringtail serve` processes behind a proxy (tools/chaos/proxy.mjs), once per cause, loads it with the
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
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cleanOnSignal, freePorts, printTable } from "./bench-support.mjs";
import { prepare } from "./prepare.mjs";

const text = { type: "string" };
const flag = { type: "boolean", default: false };

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      ...{ nodes: text, rate: text, seconds: text, keys: text, durability: text, seed: text, "base-port": text },
      ...{ json: flag, simulated: flag, quick: flag },
    },
  });
  const whole = (key, usual, min, max) => {
    const value = Number(values[key] ?? usual);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`--${key} is ${values[key]}; allowed: a whole number from ${min} to ${max}`);
  };
  const { quick } = values;
  return {
    asked: positionals,
    nodes: whole("nodes", 3, 3, 9),
    rate: whole("rate", quick ? 200 : 500, 1, 100_000),
    seconds: whole("seconds", quick ? 3 : 10, 1, 3_600),
    keys: whole("keys", quick ? 2_000 : 20_000, 1, 10_000_000),
    seed: whole("seed", 1, 0, 2 ** 31),
    basePort: values["base-port"] === undefined ? undefined : whole("base-port", 0, 1024, 65_000),
    durability: values.durability ?? "buffered",
    // So small that most gets read the store.
    bufferMiB: 1,
    warmUp: quick ? 1 : 3,
    json: values.json,
    simulated: values.simulated,
  };
}

function chosen(asked, all) {
  const unknown = asked.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`${unknown.join(", ")} is no cause; allowed: ${all.join(", ")}`);
  return asked.length === 0 ? all : asked;
}

async function realRows(asked) {
  const { causeNames, runGray } = await import("./gray/run.mjs");
  const causes = chosen(asked.asked, causeNames);
  const directory = mkdtempSync(join(tmpdir(), "ringtail-gray-"));
  const clean = async () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  cleanOnSignal(clean);
  // The nodes are to be able to have a slow disk; the generator and this process do not care.
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --require ${join(import.meta.dirname, "gray/slow-disk.cjs")}`;
  try {
    const rows = [];
    for (const cause of causes) {
      const place = mkdtempSync(join(directory, `${cause}-`));
      const basePort = asked.basePort ?? (await freePorts(asked.nodes));
      rows.push(await runGray({ ...asked, directory: place, basePort }, cause, (line) => console.error(line)));
    }
    return rows;
  } finally {
    await clean();
  }
}

async function simulatedRows({ asked, seconds, seed }) {
  const { grayCauses, runGray } = await import("../dist/sim/gray.js");
  const inMs = (us) => us / 1000;
  return chosen(asked, [...grayCauses]).map((cause) => {
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
  const shown = ["p50", "p99", "p99.9"];
  const head = [
    "cause",
    "found after ms",
    "wronged",
    ...shown.flatMap((name) => [`${name} before`, "finding", "after"]),
    "hedges",
  ];
  const cells = rows.map(({ cause, foundMs, wronged, before, finding, after, hedges }) => [
    cause,
    foundMs === null ? "-" : foundMs.toFixed(0),
    wronged.join(" ") || "-",
    ...shown.flatMap((name) => [before, finding, after].map((stretch) => stretch[name].toFixed(2))),
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

main().catch((error) => {
  console.error(`gray: ${error.message}`);
  process.exit(1);
});
