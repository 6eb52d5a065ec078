// Plants one bug after the other (src/base/canary.ts) and counts the seeds until the simulator finds it:
//   npm run canaries -- [--seeds N] [--write] [NAME...]
// tools/canaries.json names them, with the number of seeds within which each must be found, and tests that find those
// which no run of the simulator can reach. Status 1 when one is not found. --write keeps the table in docs/CANARIES.md.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
if (!existsSync(`${root}dist/.built`)) throw new Error("build first: npm run build");
const { enableCanaries } = await import(`${root}dist/base/canary.js`);
const { runSeed } = await import(`${root}dist/sim/run.js`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "200" }, write: { type: "boolean", default: false } },
});
const known = JSON.parse(readFileSync(`${root}tools/canaries.json`, "utf8"));
const unknown = positionals.filter((name) => known.sim[name] === undefined);
if (unknown.length > 0) throw new Error(`no such canary: ${unknown.join(", ")}`);
const names = positionals.length > 0 ? positionals : Object.keys(known.sim);
const seedsMax = Number(values.seeds);

/** The first seed that finds the bug, and by which invariant; undefined: none does. */
function find(name) {
  enableCanaries([name]);
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const [violation] = runSeed({ seed }).violations;
    if (violation !== undefined) return { seed, invariant: violation.invariant };
  }
  return undefined;
}

const rows = [];
let missed = 0;
for (const name of names) {
  const found = find(name);
  if (found === undefined) missed += 1;
  rows.push(
    `| \`${name}\` | ${found?.seed ?? `not in ${seedsMax}`} | ${found === undefined ? "" : `\`${found.invariant}\``} |`,
  );
  console.log(rows.at(-1));
}
enableCanaries([]);
if (values.write) {
  const tested = Object.entries(known.test ?? {}).map(([name, file]) => `| \`${name}\` | \`${file}\` |`);
  const text = [
    "# Bugs on purpose, and what finds them",
    "",
    "Made by `npm run canaries -- --write`. Each bug is planted by a switch that only tests can reach (`src/base/canary.ts`).",
    "",
    "| planted bug | seeds until the simulator finds it | first invariant broken |",
    "|---|--:|---|",
    ...rows,
    "",
    "No run of the simulator can reach these; a test does:",
    "",
    "| planted bug | test |",
    "|---|---|",
    ...tested,
    "",
  ];
  writeFileSync(`${root}docs/CANARIES.md`, text.join("\n"));
}
console.log(`${names.length - missed} of ${names.length} found`);
if (missed > 0) process.exitCode = 1;
