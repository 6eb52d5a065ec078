/** The long run, `npm run test:long`: one file at a time, so that each has the machine's cores to itself. */
import { defineConfig } from "vitest/config";
import base from "./vitest.config.ts";

// biome-ignore lint/style/noDefaultExport: vitest reads its configuration from the default export
export default defineConfig({
  ...base,
  test: { ...base.test, include: ["test/long/**/*.test.ts"], exclude: [], fileParallelism: false },
});
