/**
 * What every command shares: printing data as text or JSON, and ending with one line on stderr and the status of the
 * error table when something is wrong. Never a stack trace for what a user or the network did.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { errorTable, RingtailError } from "../base/errors.ts";
import { bucketBytes } from "../client/options.ts";

/** The status of a command that found no such key. */
export const exitNotFound = 1;
/** The status of a command, or a node, that meets a bug of ours. */
const exitBug = 70;

/** The status of a command that found a promise broken. */
export const exitViolated = 30;

/** Options of every command that prints data. */
export interface JsonOption {
  readonly json?: boolean;
}

/** Prints one JSON document. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Prints lines of text. */
export function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

/** Prints rows in columns; the first row is the heading. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  for (const row of rows)
    print(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    );
}

/** The text of a value: UTF-8 if it is that and printable, else base64. */
export function valueText(value: Uint8Array): { readonly value: string; readonly encoding: "utf8" | "base64" } {
  const text = Buffer.from(value).toString("utf8");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const printable = !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffd]/.test(text);
  if (printable && Buffer.from(text, "utf8").equals(value)) return { value: text, encoding: "utf8" };
  return { value: Buffer.from(value).toString("base64"), encoding: "base64" };
}

interface Reported {
  readonly code: string;
  readonly message: string;
  readonly exit: number;
}

/** The error to report: the system's own, such as a directory that cannot be made, is one of storage. */
function reported(error: unknown): Reported {
  if (error instanceof RingtailError)
    return { code: error.code, message: error.message, exit: errorTable[error.code].exit };
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && "syscall" in error)
    return { code: "STORAGE_FAILED", message, exit: errorTable.STORAGE_FAILED.exit };
  return { code: "BUG", message: `${message} (a bug of Ringtail's; RINGTAIL_TRACE=1 shows where)`, exit: exitBug };
}

/** Reports an error as the command line does, and returns the exit status. */
export function reportError(error: unknown, json: boolean): number {
  if (process.env.RINGTAIL_TRACE === "1") console.error(error);
  const { code, message, exit } = reported(error);
  if (json) printJson({ error: { code, message } });
  process.stderr.write(`ringtail: ${code}: ${message.replaceAll("\n", " ")}\n`);
  return exit;
}

/** A bad argument. */
export function badArgument(message: string): RingtailError {
  return new RingtailError("INVALID_ARGUMENT", message);
}

/** A file that was named on the command line, `what` before its path in the error; throws `INVALID_ARGUMENT`. */
export function readNamed(path: string, what: string = ""): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const named = what === "" ? path : `${what} ${path}`;
    throw badArgument(`cannot read ${named}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Writes a file that was named on the command line; `what` says which; throws `INVALID_ARGUMENT` where that is not possible. */
export function writeNamed(path: string, what: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw badArgument(`cannot write ${what} ${path}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** A bucket from the command line; throws `INVALID_ARGUMENT`. */
export function bucketName(text: string): string {
  bucketBytes(text);
  return text;
}

/** A whole number from the command line; throws `INVALID_ARGUMENT` naming what is allowed. */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= max))
    throw badArgument(`${name} is ${text}; allowed: a whole number, ${min} to ${max}`);
  return number;
}
