/** The test run: every suite but the long ones, which are commands of their own. */
import { defineConfig } from "vitest/config";
import { ClosingLineReporter } from "./reporter.ts";

// biome-ignore lint/style/noDefaultExport: vitest reads its configuration from the default export
export default defineConfig({
  root: new URL("..", import.meta.url).pathname,
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/long/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: "forks",
    reporters: [new ClosingLineReporter()],
  },
});
