// `npm test`: installs and builds if it must, then runs every suite but the long ones; `npm run test:long` runs those.
// Arguments go to vitest: `npm test -- test/unit/ring`.
import { spawnSync } from "node:child_process";
import { prepare, root } from "./prepare.mjs";

await prepare();
const long = process.argv[2] === "--long";
console.log(long ? "running the long tests ..." : "running the tests ...");
const vitest = `${root}node_modules/vitest/vitest.mjs`;
const config = `${root}tools/${long ? "vitest.long.config.ts" : "vitest.config.ts"}`;
const args = [vitest, "run", "--config", config, ...process.argv.slice(long ? 3 : 2)];
process.exit(spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status ?? 1);
