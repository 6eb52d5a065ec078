/**
 * The test run: every suite but the long ones, which are commands of their own. A process serves one file after the
 * other: loading everything anew for each would take more time than most files' tests do. So a test puts back whatever
 * it changes outside itself, such as planted bugs.
 */
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./reporter.ts";
import { LongestFirst } from "./sequencer.ts";

// biome-ignore lint/style/noDefaultExport: vitest reads its configuration from the default export
export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/long/**"],
    setupFiles: ["test/support/property-seed.ts", "test/support/marks.ts"],
    // The simulated clusters compute for seconds, several times that beside other work.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    pool: "forks",
    isolate: false,
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    reporters: [new ClosingLineReporter()],
  },
});
