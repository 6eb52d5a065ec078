// Runs tests, for `npm test` and for the commands that run one of its suites at length.
import { spawnSync } from "node:child_process";
import { root } from "../prepare.mjs";

/** Runs vitest with these arguments, mostly files; its status. What `env` has tells a suite how long it should be. */
export function runVitest(args, env = {}, config = "vitest.config.ts") {
  const vitest = [`${root}node_modules/vitest/vitest.mjs`, "run", "--config", `${root}tools/${config}`];
  const options = { cwd: root, env: { ...process.env, ...env }, stdio: "inherit" };
  return spawnSync(process.execPath, [...vitest, ...args], options).status ?? 1;
}
