// The sweeps of test/sweep.test.ts, at length: npm run sweep -- [--seed N] [--stride K, every K-th call; default 1]
import { commandLine, runCommand } from "./shared/command.mjs";
import { runVitest } from "./shared/vitest.mjs";

async function main() {
  const { whole } = commandLine(["seed", "stride"]);
  process.exitCode = runVitest(["test/sweep.test.ts"], {
    RINGTAIL_SWEEP_SEED: String(whole("seed", 1, 1, 999_999_999)),
    RINGTAIL_SWEEP_STRIDE: String(whole("stride", 1, 1, 999_999_999)),
  });
}

runCommand("sweep", main);
