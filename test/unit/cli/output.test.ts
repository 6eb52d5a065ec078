/** What commands share: files that were named on the command line, and names and numbers from it, end in one error. */
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { bucketName, readNamed, reportError, wholeNumber, writeNamed } from "../../../src/cli/output.ts";

const nowhere = join(import.meta.dirname, "no", "such", "place");

it.each([
  ["a file that cannot be read", () => readNamed(nowhere, "the log"), "cannot read the log"],
  ["a file that cannot be written", () => writeNamed(nowhere, "the log", ""), "cannot write the log"],
  ["a bucket without a name", () => bucketName(""), "allowed: 1 to"],
  ["a number out of range", () => wholeNumber("--keys", "0", 1, 10), "--keys is 0; allowed: a whole number, 1 to 10"],
])("%s", (_, act, message) => {
  expect(act).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringContaining(message) }));
});

it("a bug of ours ends as one line, too, with a status of its own", () => {
  const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const status = reportError(new TypeError("no such\nthing"), false);
  const lines = said.mock.calls.map(([line]) => String(line));
  said.mockRestore();
  expect(status).toBe(70);
  expect(lines).toEqual([expect.stringMatching(/^ringtail: BUG: no such thing \(a bug of Ringtail's.*\n$/)]);
});
