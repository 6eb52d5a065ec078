// `npm test`: installs and builds if it must, then runs every suite but the long ones. Arguments go to vitest:
// `npm test -- test/unit/ring`.
import { spawnSync } from "node:child_process";
import { prepare, root } from "./prepare.mjs";

await prepare();
console.log("running the tests ...");
const vitest = `${root}node_modules/vitest/vitest.mjs`;
const args = [vitest, "run", "--config", `${root}tools/vitest.config.ts`, ...process.argv.slice(2)];
process.exit(spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1);
