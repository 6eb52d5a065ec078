/** The checked-in wire code is what the schema gives. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

it("src/wire/gen is current", () => {
  const tool = fileURLToPath(new URL("../../../tools/generate-wire.mjs", import.meta.url));
  const run = spawnSync(process.execPath, [tool, "--check"], { encoding: "utf8" });
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
});
