/** schema/README.md says what the code does: frame types, statuses, reserved numbers. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorTable } from "../../../src/base/errors.ts";
import { FrameType } from "../../../src/wire/frame-types.ts";
import { schema } from "./schema.ts";

const schemaDir = new URL("../../../schema/", import.meta.url);
const readme = readFileSync(new URL("README.md", schemaDir), "utf8");

describe("schema/README.md", () => {
  it("lists every frame type with messages that exist", () => {
    const rows = [...readme.matchAll(/^\| (0x[0-9a-f]{2}) \| ([A-Z_]+) \| (.*?) \| (.*?) \|/gm)];
    const listed = rows.map((row) => [row[2], Number(row[1])]);
    expect(Object.fromEntries(listed)).toEqual(FrameType);
    for (const row of rows) {
      for (const [, message] of `${row[3]} ${row[4]}`.matchAll(/`(\w+)`/g))
        expect(schema.has(message as string)).toBe(true);
    }
  });

  it("lists every status", () => {
    const section = readme.slice(readme.indexOf("### Statuses"), readme.indexOf("## Dots"));
    const listed = [...section.matchAll(/\| (\d+) \| `([A-Z_]+)`/g)].map((row) => [row[2], Number(row[1])]);
    const known = Object.entries(errorTable).map(([code, row]) => [code, row.wire]);
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(known));
  });

  it("lists every reserved number", () => {
    const section = readme.slice(readme.indexOf("### Reserved numbers"), readme.indexOf("## What is stored"));
    const listed = [...section.matchAll(/^\| `(\w+)` \| ([\d, ]+) \|/gm)].map((row) => [row[1], row[2]]);
    const reserved: (string | undefined)[][] = [];
    for (const name of readdirSync(schemaDir).filter((one) => one.endsWith(".proto"))) {
      const text = readFileSync(new URL(name, schemaDir), "utf8");
      for (const [, message, body] of text.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gm)) {
        for (const [, numbers] of (body as string).matchAll(/reserved ([\d, ]+);/g)) reserved.push([message, numbers]);
      }
    }
    expect(listed.sort()).toEqual(reserved.sort());
  });
});
