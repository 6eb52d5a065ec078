/**
 * The values in the lines of a history file: how dots and vectors are written, and reading fields that may be anything,
 * since a person may have edited the file. Every reader throws `INVALID_ARGUMENT`, naming line and field.
 */
import { RingtailError } from "../../base/errors.ts";
import { type Dot, VersionVector } from "../../version/version-vector.ts";

/** A dot as three numbers: the actor's two words, and the counter. */
export type DotRow = readonly [actorHigh: number, actorLow: number, counter: number];
/** A line's fields. */
export type Row = Readonly<Record<string, unknown>>;

const wordMax = 0xffff_ffff;

/** The error for a file that makes no sense. */
export function badFile(message: string): RingtailError {
  return new RingtailError("INVALID_ARGUMENT", message);
}

/** A dot to write. */
export function dotRow(dot: Dot): DotRow {
  return [dot.actorHigh, dot.actorLow, dot.counter];
}

/** A vector to write. */
export function vectorRows(version: VersionVector): DotRow[] {
  return Array.from({ length: version.size }, (_, i) => dotRow(version.entry(i)));
}

function isWord(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= wordMax;
}

/** A dot that was read. */
export function dotOf(row: unknown, where: string): Dot {
  if (!Array.isArray(row) || row.length !== 3 || !row.every(isWord) || row[2] === 0) {
    const expected = `the two words of an actor and a counter, 0 to ${wordMax}`;
    throw badFile(`${where}: ${JSON.stringify(row)} is no dot; expected: ${expected}`);
  }
  const [actorHigh, actorLow, counter] = row as unknown as DotRow;
  return { actorHigh, actorLow, counter };
}

/** A vector that was read. */
export function vectorOf(rows: readonly unknown[], where: string): VersionVector {
  return rows.reduce<VersionVector>((version, row) => version.with(dotOf(row, where)), VersionVector.empty);
}

/** An object. */
export function object(value: unknown, where: string): Row {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
  throw badFile(`${where} is no JSON object`);
}

function wrong(row: Row, field: string, expected: string, where: string): RingtailError {
  return badFile(`${where}: ${field} is ${JSON.stringify(row[field]) ?? "missing"}; expected: ${expected}`);
}

/** A whole number; -1 stands for a value that no client made. */
export function integer(row: Row, field: string, where: string): number {
  const value = row[field];
  if (Number.isSafeInteger(value) && (value as number) >= -1) return value as number;
  throw wrong(row, field, "a whole number", where);
}

/** A text. */
export function text(row: Row, field: string, where: string): string {
  const value = row[field];
  if (typeof value === "string") return value;
  throw wrong(row, field, "a text", where);
}

/** True or false. */
export function boolean(row: Row, field: string, where: string): boolean {
  const value = row[field];
  if (typeof value === "boolean") return value;
  throw wrong(row, field, "true or false", where);
}

/** A list. */
export function list(row: Row, field: string, where: string): readonly unknown[] {
  const value = row[field];
  if (Array.isArray(value)) return value;
  throw wrong(row, field, "a list", where);
}

/** One of a few words. */
export function enumerated<T extends string>(row: Row, field: string, allowed: readonly T[], where: string): T {
  const found = allowed.find((word) => word === row[field]);
  if (found !== undefined) return found;
  throw wrong(row, field, allowed.join(", "), where);
}
