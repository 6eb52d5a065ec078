// Proves that every rare branch is taken (src/base/mark.ts, test/marks.json): runs the seeds, then the named tests.
//   npm run marks -- [--seeds N]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const known = JSON.parse(readFileSync(`${root}test/marks.json`, "utf8"));
const { values } = parseArgs({ options: { seeds: { type: "string", default: String(known.seeds) } } });
if (!/^[1-9]\d{0,5}$/.test(values.seeds))
  throw new Error(`--seeds is ${values.seeds}; allowed: a whole number from 1 on`);
const folder = mkdtempSync(join(tmpdir(), "ringtail-marks-"));
const path = join(folder, "marks");
const files = [...new Set(["test/marks.test.ts", ...Object.values(known.test)])];
const vitest = `${root}node_modules/vitest/vitest.mjs`;
const args = [vitest, "run", "--config", "tools/vitest.config.ts", ...files];
const env = { ...process.env, RINGTAIL_MARKS: path, RINGTAIL_MARK_SEEDS: values.seeds };
const { status } = spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" });
const taken = new Set(readFileSync(path, "utf8").split("\n"));
rmSync(folder, { recursive: true });
const missing = Object.entries(known.test).filter(([name, file]) => !taken.has(`${name} ${file}`));
for (const [name, file] of missing) console.log(`${name} is not reached by ${file}`);
console.log(
  `${known.sim.length} marks by ${values.seeds} seeds, ${Object.keys(known.test).length - missing.length} of ${Object.keys(known.test).length} by tests`,
);
console.log(`${known.unproven.length} that nothing is proven to reach: ${known.unproven.join(", ")}`);
process.exitCode = status !== 0 || missing.length > 0 ? 1 : 0;
