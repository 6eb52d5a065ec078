/**
 * The house rules that a machine can check: each takes sources and returns one line per breach. The test
 * `test/tidy.test.ts` runs them all over the project, and each of them over a breach made for it.
 */
import ts from "typescript";
import { floors, importsOf, type Source } from "./sources.ts";

/** Code lines: neither blank nor comment alone. */
export const codeLinesMax = 400;
/** Lines of one function, its comment not counted. */
export const functionLinesMax = 70;

const bannedWords = [
  "participant",
  "neighbour",
  "rack",
  "datacenter",
  "vnode",
  "shard",
  "topology",
  "preflist",
  "stand-in",
  "vclock",
  "etag",
  "aae",
  "rebalance",
];
const bannedPattern = new RegExp(`\\b(${bannedWords.join("|")})s?\\b`, "i");

const bannedGlobals = new Set([
  "Date",
  "performance",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "process",
  "crypto",
  "WeakRef",
  "FinalizationRegistry",
  "Intl",
  "Buffer",
  "require",
]);
const bannedMembers = new Set([
  "Math.random",
  "localeCompare",
  "toLocaleString",
  "toLocaleUpperCase",
  "toLocaleLowerCase",
]);

function floorOf(path: string): number | undefined {
  const [top, folder, rest] = path.split("/");
  if (top !== "src" || folder === undefined) return undefined;
  return rest === undefined ? 7 : floors[folder];
}

/** A file imports from its own folder and from lower floors; `client` from floors 0-2; `io` and `sim` never each other. */
export function checkFloors(sources: readonly Source[]): string[] {
  const breaches: string[] = [];
  for (const source of sources) {
    if (source.folder === undefined) continue;
    const own = floorOf(source.path);
    if (own === undefined) breaches.push(`${source.path}: the folder is on no floor`);
    for (const target of importsOf(source)) {
      const floor = floorOf(target);
      if (own === undefined || floor === undefined || target.split("/")[1] === source.folder) continue;
      const limit = source.folder === "client" ? 3 : own;
      const alongside = own >= 6 && floor === 6;
      if (floor >= limit && !alongside)
        breaches.push(`${source.path} (floor ${own}) imports ${target} (floor ${floor})`);
    }
  }
  return breaches;
}

/** No import leads back to where it came from. */
export function checkCycles(sources: readonly Source[]): string[] {
  const graph = new Map(sources.map((source) => [source.path, importsOf(source)]));
  const done = new Set<string>();
  const breaches: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) breaches.push(`cycle: ${[...trail.slice(at), path].join(" -> ")}`);
    if (at >= 0 || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const source of sources) visit(source.path, []);
  return breaches;
}

function each(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => each(child, visit));
}

function lineOf(source: Source, node: ts.Node): number {
  return source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line + 1;
}

function isValueUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isTypeReferenceNode(parent) || ts.isQualifiedName(parent) || ts.isPropertySignature(parent)) return false;
  if (ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent) || ts.isMethodDeclaration(parent)) {
    return parent.name !== node;
  }
  return !ts.isParameter(parent) && !ts.isBindingElement(parent) && !ts.isVariableDeclaration(parent);
}

/** Floors 0-4 touch neither clock, timer, process nor randomness, import no Node built-in, and await only in `client`. */
export function checkGlobals(sources: readonly Source[]): string[] {
  const breaches: string[] = [];
  for (const source of sources) {
    const floor = floorOf(source.path);
    if (floor === undefined || floor > 4) continue;
    each(source.tree, (node) => {
      const at = (): string => `${source.path}:${lineOf(source, node)}`;
      if (ts.isIdentifier(node) && bannedGlobals.has(node.text) && isValueUse(node))
        breaches.push(`${at()}: ${node.text}`);
      if (ts.isPropertyAccessExpression(node)) {
        const whole = node.expression.getText(source.tree) === "Math" ? `Math.${node.name.text}` : node.name.text;
        if (bannedMembers.has(whole)) breaches.push(`${at()}: ${whole}`);
      }
      if (ts.isAwaitExpression(node) && source.folder !== "client") breaches.push(`${at()}: await`);
      if (ts.isImportDeclaration(node) && node.moduleSpecifier.getText(source.tree).includes('"node:')) {
        breaches.push(`${at()}: imports ${node.moduleSpecifier.getText(source.tree)}`);
      }
    });
  }
  return breaches;
}

/** Words that are banned because they have no other meaning here. */
export function checkWords(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  const breaches: string[] = [];
  for (const { path, text } of files) {
    for (const [index, line] of text.split("\n").entries()) {
      const match = bannedPattern.exec(line);
      if (match !== null) breaches.push(`${path}:${index + 1}: "${match[0]}"`);
    }
  }
  return breaches;
}

function codeLines(text: string): number {
  const bare = text.replace(/\/\*[\s\S]*?\*\//g, "");
  return bare.split("\n").filter((line) => line.trim() !== "" && !line.trim().startsWith("//")).length;
}

/** Files of at most 400 code lines, functions of at most 70 lines. */
export function checkSizes(sources: readonly Source[]): string[] {
  const breaches: string[] = [];
  for (const source of sources) {
    const lines = codeLines(source.text);
    if (lines > codeLinesMax) breaches.push(`${source.path}: ${lines} code lines`);
    each(source.tree, (node) => {
      if (!ts.isFunctionLike(node) || !("body" in node) || node.body === undefined) return;
      const first = source.tree.getLineAndCharacterOfPosition(node.getStart(source.tree)).line;
      const last = source.tree.getLineAndCharacterOfPosition(node.end).line;
      if (last - first + 1 > functionLinesMax)
        breaches.push(`${source.path}:${first + 1}: a function of ${last - first + 1} lines`);
    });
  }
  return breaches;
}

/** Every file opens with a comment that says what it is. */
export function checkHeaders(sources: readonly Source[]): string[] {
  return sources
    .filter(({ text }) => !text.startsWith("/**") && !text.startsWith("#!"))
    .map(({ path }) => `${path}: no comment at the top`);
}

function isExported(node: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

/**
 * Every exported declaration of src has a doc comment; a type of the same name shares its value's, and what the comment
 * at the top of the file is about, by name, needs no second one.
 */
export function checkDocs(sources: readonly Source[]): string[] {
  const breaches: string[] = [];
  for (const source of sources) {
    if (source.folder === undefined) continue;
    const top = source.text.slice(0, source.text.indexOf("*/") + 1);
    const documented = new Set(top.match(/\w+/g));
    const missing: [string, number][] = [];
    for (const statement of source.tree.statements) {
      if (!isExported(statement)) continue;
      const names = ts.isVariableStatement(statement)
        ? statement.declarationList.declarations.map(({ name }) => name.getText(source.tree))
        : [(statement as ts.DeclarationStatement).name?.getText(source.tree) ?? "?"];
      const comments = ts.getJSDocCommentsAndTags(statement);
      for (const name of names) {
        if (comments.length > 0) documented.add(name);
        else missing.push([name, lineOf(source, statement)]);
      }
    }
    for (const [name, line] of missing) if (!documented.has(name)) breaches.push(`${source.path}:${line}: ${name}`);
  }
  return breaches;
}

/** Named exports only, and no barrels inside src. */
export function checkExports(sources: readonly Source[]): string[] {
  const breaches: string[] = [];
  for (const source of sources) {
    for (const statement of source.tree.statements) {
      const star = ts.isExportDeclaration(statement) && statement.exportClause === undefined;
      if (star) breaches.push(`${source.path}:${lineOf(source, statement)}: export *`);
      if (ts.isExportAssignment(statement) && source.folder !== undefined) {
        breaches.push(`${source.path}:${lineOf(source, statement)}: default export`);
      }
    }
  }
  return breaches;
}
