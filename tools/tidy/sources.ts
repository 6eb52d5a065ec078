/** The project's sources as the house rules see them: path, text, parsed tree, floor. */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** The repository's root. */
export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** Floors by folder of src. */
export const floors: Readonly<Record<string, number>> = {
  base: 0,
  version: 1,
  ring: 1,
  metrics: 1,
  wire: 2,
  storage: 2,
  membership: 3,
  replica: 3,
  coordinator: 3,
  handoff: 3,
  repair: 3,
  node: 4,
  client: 4,
  io: 5,
  sim: 5,
  admin: 6,
  lab: 6,
  cli: 6,
  testing: 6,
};

/** One TypeScript file; generated code is not among them. */
export interface Source {
  /** From the root, with forward slashes. */
  readonly path: string;
  /** The folder under src, "" for src/index.ts, undefined outside src. */
  readonly folder: string | undefined;
  readonly text: string;
  readonly tree: ts.SourceFile;
}

function walk(directory: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === "gen" || entry.name === "node_modules" || entry.name === "dist") continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) found.push(...walk(path));
    else found.push(path);
  }
  return found.sort();
}

/** All files under a folder of the root, by path from the root. */
export function filesUnder(folder: string): string[] {
  return walk(join(root, folder)).map((path) => relative(root, path).replaceAll("\\", "/"));
}

/** The TypeScript files under a folder of the root. */
export function sourcesUnder(folder: string): Source[] {
  return filesUnder(folder)
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      const parts = path.split("/");
      const inSource = parts[0] === "src";
      return {
        path,
        folder: inSource ? (parts.length > 2 ? parts[1] : "") : undefined,
        text,
        tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true),
      };
    });
}

/** The paths, from the root, that a source imports from the project itself. */
export function importsOf(source: Source): string[] {
  const found: string[] = [];
  for (const statement of source.tree.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
    const specifier = statement.moduleSpecifier;
    if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith(".")) continue;
    found.push(join(source.path, "..", specifier.text).replaceAll("\\", "/"));
  }
  return found;
}
