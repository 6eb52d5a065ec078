// Proves that every rare branch is taken (src/base/mark.ts, test/marks.json): runs the seeds, then the named tests.
//   npm run marks -- [--seeds N]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./prepare.mjs";
import { commandLine, inScratch, runCommand } from "./shared/command.mjs";
import { runVitest } from "./shared/vitest.mjs";

const known = JSON.parse(readFileSync(join(root, "test/marks.json"), "utf8"));

async function main() {
  const seeds = commandLine(["seeds"]).whole("seeds", known.seeds);
  const files = [...new Set(["test/marks.test.ts", ...Object.values(known.test)])];
  const { status, taken } = await inScratch("marks", (directory) => {
    const path = join(directory, "marks");
    const marks = { RINGTAIL_MARKS: path, RINGTAIL_MARK_SEEDS: String(seeds) };
    return { status: runVitest(files, marks), taken: new Set(readFileSync(path, "utf8").split("\n")) };
  });
  const byTests = Object.entries(known.test);
  const missing = byTests.filter(([name, file]) => !taken.has(`${name} ${file}`));
  for (const [name, file] of missing) console.log(`${name} is not reached by ${file}`);
  const reached = `${byTests.length - missing.length} of ${byTests.length}`;
  console.log(`${known.sim.length} marks by ${seeds} seeds, ${reached} by tests`);
  process.exitCode = status !== 0 || missing.length > 0 ? 1 : 0;
}

runCommand("marks", main);
