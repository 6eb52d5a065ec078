// The sweeps of test/sweep.test.ts, at length: npm run sweep -- [--seed N] [--stride K, every K-th call; default 1]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: { seed: { type: "string", default: "1" }, stride: { type: "string", default: "1" } },
});
for (const [name, value] of Object.entries(values)) {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new Error(`--${name} is ${value}; allowed: a whole number from 1 on`);
  process.env[`RINGTAIL_SWEEP_${name.toUpperCase()}`] = value;
}
const vitest = `${root}node_modules/vitest/vitest.mjs`;
const args = [vitest, "run", "--config", "tools/vitest.config.ts", "test/sweep.test.ts"];
process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
