// `npm test`: installs and builds if it must, then runs every suite but the long ones; `npm run test:long` runs those.
// Arguments go to vitest: `npm test -- test/unit/ring`.
import { prepare } from "./prepare.mjs";
import { runVitest } from "./shared/vitest.mjs";

await prepare();
const long = process.argv[2] === "--long";
console.log(long ? "running the long tests ..." : "running the tests ...");
process.exit(runVitest(process.argv.slice(long ? 3 : 2), {}, long ? "vitest.long.config.ts" : "vitest.config.ts"));
