// Plants one bug after the other and counts the seeds until the simulator finds it (test/canaries.test.ts at length):
//   npm run canaries -- [--seeds N] [--write] [NAME...]
// --write keeps the table in docs/CANARIES.md.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "200" }, write: { type: "boolean", default: false } },
});
if (!/^\d{1,6}$/.test(values.seeds)) throw new Error(`--seeds is ${values.seeds}; allowed: a whole number`);
const env = {
  ...process.env,
  RINGTAIL_CANARIES: positionals.length > 0 ? positionals.join(",") : "all",
  RINGTAIL_CANARY_SEEDS: values.seeds,
  RINGTAIL_CANARY_TABLE: values.write ? `${root}docs/CANARIES.md` : "",
};
const vitest = `${root}node_modules/vitest/vitest.mjs`;
const args = [vitest, "run", "--config", "tools/vitest.config.ts", "test/canaries.test.ts"];
process.exitCode = spawnSync(process.execPath, args, { cwd: root, env, stdio: "inherit" }).status ?? 1;
