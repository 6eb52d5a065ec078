/**
 * With `RINGTAIL_MARKS` set to a file's path, notes there which rare branches each test file takes: `npm run marks`. Loaded
 * before every test file.
 */
import { appendFileSync } from "node:fs";
import { afterAll, expect } from "vitest";
import { listenForMarks } from "../../src/base/mark.ts";

const path = process.env["RINGTAIL_MARKS"] ?? "";

if (path !== "") {
  const seen = new Set<string>();
  listenForMarks((name) => seen.add(name));
  afterAll(() => {
    const file = (expect.getState().testPath ?? "").replace(/^.*\/test\//, "test/");
    appendFileSync(path, [...seen].map((name) => `${name} ${file}\n`).join(""));
  });
}
