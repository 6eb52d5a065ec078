/**
 * Making a directory with those above it. Node's own way of doing that (`recursive`) never returns where the file system
 * has the directory above and takes none, as under /proc: it makes the upper one, which is there, and tries again.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Makes it and what is missing above it; nothing if it is there. Throws what the system says when it cannot be. */
export function makeDirectory(path: string, mode: number = 0o777): void {
  const missing = [resolve(path)];
  // The root is always there.
  while (!existsSync(missing[0] as string)) missing.unshift(dirname(missing[0] as string));
  for (const directory of missing) makeOne(directory, mode);
}

function makeOne(directory: string, mode: number): void {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Somebody else may have been faster, too.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(directory).isDirectory()) throw error;
  }
}
