// Plants one bug after the other and counts the seeds until the simulator finds it (test/canaries.test.ts at length):
//   npm run canaries -- [--seeds N] [--write] [NAME...]
// --write keeps the table in docs/CANARIES.md.
import { root } from "./prepare.mjs";
import { commandLine, runCommand } from "./shared/command.mjs";
import { runVitest } from "./shared/vitest.mjs";

async function main() {
  const { values, positionals, whole } = commandLine(["seeds"], ["write"], { allowPositionals: true });
  process.exitCode = runVitest(["test/canaries.test.ts"], {
    RINGTAIL_CANARIES: positionals.length > 0 ? positionals.join(",") : "all",
    RINGTAIL_CANARY_SEEDS: String(whole("seeds", 200)),
    RINGTAIL_CANARY_TABLE: values.write ? `${root}docs/CANARIES.md` : "",
  });
}

runCommand("canaries", main);
