/** The error table: numbers and exit statuses are unique, within their ranges, and lead back to the code. */
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../../src/base/errors.ts";
import { codeOf, errorTable, RingtailError, statusOk, wireOf } from "../../../src/base/errors.ts";

const codes = Object.keys(errorTable) as ErrorCode[];

describe("the error table", () => {
  it("gives each error a wire number and an exit status of its own", () => {
    const wires = codes.map(wireOf);
    expect(new Set(wires).size).toBe(codes.length);
    expect(wires.every((wire) => Number.isInteger(wire) && wire > statusOk && wire <= 0xff)).toBe(true);
    const exits = codes.map((code) => errorTable[code].exit);
    expect(new Set(exits).size).toBe(codes.length);
    expect(exits.every((exit) => exit >= 2 && exit <= 125)).toBe(true);
    for (const code of codes) expect(codeOf(wireOf(code))).toBe(code);
  });

  it("has the numbers that are on the wire already", () => {
    const fixed: [ErrorCode, number][] = [
      ["INVALID_ARGUMENT", 1],
      ["QUORUM_NOT_MET", 4],
      ["DEADLINE_EXCEEDED", 5],
      ["OVERLOADED", 6],
      ["TOO_MANY_SIBLINGS", 7],
      ["PROTOCOL_MISMATCH", 12],
      ["STORAGE_FAILED", 15],
      ["EXPIRED", 20],
    ];
    for (const [code, wire] of fixed) expect(wireOf(code)).toBe(wire);
  });

  it("reads an unknown number, of a newer peer, as PROTOCOL_MISMATCH", () => {
    expect(codeOf(255)).toBe("PROTOCOL_MISMATCH");
  });

  it("says for every error what it means and what to do", () => {
    for (const code of codes) {
      expect(errorTable[code].meaning.length).toBeGreaterThan(10);
      expect(errorTable[code].cure.length).toBeGreaterThan(0);
    }
    expect(codes.filter((code) => errorTable[code].internal)).toEqual(["WRONG_OWNER", "NOT_SYNCED", "EXPIRED"]);
  });
});

describe("RingtailError", () => {
  it("carries a code, and the table's meaning unless it is told more", () => {
    const error = new RingtailError("OVERLOADED", undefined, 50);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.retryable, error.retryAfterMs]).toEqual([
      "RingtailError",
      "OVERLOADED",
      true,
      50,
    ]);
    expect(error.message).toBe(errorTable.OVERLOADED.meaning);
    expect(new RingtailError("INVALID_ARGUMENT", "r is 9").message).toBe("r is 9");
    expect(new RingtailError("INVALID_ARGUMENT").retryable).toBe(false);
  });
});
