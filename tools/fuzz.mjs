// The fuzzers of test/fuzz, at length: npm run fuzz -- [--seed N] [--inputs M] [--seconds S, for each target]
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    inputs: { type: "string", default: "1000000" },
    seconds: { type: "string", default: "60" },
  },
});
for (const [name, value] of Object.entries(values)) {
  if (!/^\d{1,9}$/.test(value)) throw new Error(`--${name} is ${value}; allowed: a whole number`);
  process.env[`RINGTAIL_FUZZ_${name.toUpperCase()}`] = value;
}
const vitest = `${root}node_modules/vitest/vitest.mjs`;
const args = [vitest, "run", "--config", "tools/vitest.config.ts", "test/fuzz.test.ts"];
process.exitCode = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1;
