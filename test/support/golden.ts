/** Golden stories: scenario texts under `test/golden`, compared line by line; `UPDATE_GOLDEN=1` rewrites them. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "vitest";

/** Compares `text` with `test/golden/<name>.txt`; a missing file fails unless UPDATE_GOLDEN is set. */
export function expectGolden(name: string, text: string): void {
  const file = new URL(`../golden/${name}.txt`, import.meta.url);
  const body = text.endsWith("\n") ? text : `${text}\n`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, body);
  expect(existsSync(file), `${name}.txt is missing: run once with UPDATE_GOLDEN=1`).toBe(true);
  expect(body).toBe(readFileSync(file, "utf8"));
}
