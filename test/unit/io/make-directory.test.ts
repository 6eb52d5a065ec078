/** Directories are made with those above them, or refused with what the system says. */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeDirectory } from "../../../src/io/make-directory.ts";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ringtail-make-directory-"));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

it("makes what is missing, with the mode, and does nothing where nothing is", () => {
  const path = join(root, "a", "b", "c");
  makeDirectory(path, 0o700);
  makeDirectory(path);
  for (const directory of [path, join(root, "a", "b"), join(root, "a")])
    expect(statSync(directory).mode & 0o777).toBe(0o700);
});

it("goes on where a part is there", () => {
  mkdirSync(join(root, "a"));
  makeDirectory(`${join(root, "a", "b")}/`);
  expect(statSync(join(root, "a", "b")).isDirectory()).toBe(true);
});

it("a file in its place, or above it, is an error", () => {
  writeFileSync(join(root, "file"), "");
  expect(() => makeDirectory(join(root, "file"))).toThrow("EEXIST");
  expect(() => makeDirectory(join(root, "file", "below"))).toThrow("EEXIST");
});

it.runIf(process.platform === "linux")(
  "a file system that takes no directories is an error, and no endless loop",
  () => {
    expect(() => makeDirectory("/proc/ringtail")).toThrow("ENOENT");
    expect(() => makeDirectory("/proc/ringtail/data")).toThrow("ENOENT");
  },
);
