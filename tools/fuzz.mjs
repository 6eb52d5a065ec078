// The fuzzers of test/fuzz, at length: npm run fuzz -- [--seed N] [--inputs M] [--seconds S, for each target]
import { commandLine, runCommand } from "./shared/command.mjs";
import { runVitest } from "./shared/vitest.mjs";

async function main() {
  const { whole } = commandLine(["seed", "inputs", "seconds"]);
  process.exitCode = runVitest(["test/fuzz.test.ts"], {
    RINGTAIL_FUZZ_SEED: String(whole("seed", 1, 0, 999_999_999)),
    RINGTAIL_FUZZ_INPUTS: String(whole("inputs", 1_000_000, 0, 999_999_999)),
    RINGTAIL_FUZZ_SECONDS: String(whole("seconds", 60, 0, 999_999_999)),
  });
}

runCommand("fuzz", main);
