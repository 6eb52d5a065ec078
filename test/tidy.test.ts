/** The house rules as a test: over the whole project, and each rule over a breach made for it, so that it can fail. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import * as rules from "../tools/tidy/rules.ts";
import { filesUnder, root, type Source, sourcesUnder } from "../tools/tidy/sources.ts";

const src = sourcesUnder("src");
const all = [...src, ...sourcesUnder("test"), ...sourcesUnder("tools")];

function made(path: string, text: string): Source {
  const parts = path.split("/");
  const folder = parts[0] === "src" ? (parts.length > 2 ? parts[1] : "") : undefined;
  return { path, folder, text, tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true) };
}

function wordFiles(): { path: string; text: string }[] {
  const own = new Set(["tools/tidy/rules.ts", "test/tidy.test.ts"]);
  const folders = ["src", "test", "tools", "schema", "native-bench", "docs"].filter((folder) =>
    existsSync(join(root, folder)),
  );
  const paths = [...folders.flatMap(filesUnder), "README.md"].filter((path) =>
    /\.(ts|mjs|md|proto|txt|cpp|h)$/.test(path),
  );
  return paths
    .filter((path) => !own.has(path) && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

describe("the house rules hold", () => {
  it("reads the project", () => expect(src.length).toBeGreaterThan(50));
  it("floors", () => expect(rules.checkFloors(src)).toEqual([]));
  it("no cycles", () => expect(rules.checkCycles(src)).toEqual([]));
  it("no clock, timer, randomness or built-in below floor 5", () => expect(rules.checkGlobals(src)).toEqual([]));
  it("words", () => expect(rules.checkWords(wordFiles())).toEqual([]));
  it("sizes of files and functions", () => expect(rules.checkSizes(src)).toEqual([]));
  it("a comment at the top of each file", () => expect(rules.checkHeaders(all)).toEqual([]));
  it("a doc comment on each export", () => expect(rules.checkDocs(src)).toEqual([]));
  it("named exports, no barrels", () => expect(rules.checkExports(src)).toEqual([]));
});

describe("each rule can fail", () => {
  it("floors", () => {
    expect(rules.checkFloors([made("src/base/a.ts", 'import { b } from "../node/b.ts";')])).toHaveLength(1);
    expect(rules.checkFloors([made("src/io/a.ts", 'import { b } from "../sim/b.ts";')])).toHaveLength(1);
    expect(rules.checkFloors([made("src/replica/a.ts", 'import { b } from "../coordinator/b.ts";')])).toHaveLength(1);
    expect(rules.checkFloors([made("src/client/a.ts", 'import { b } from "../replica/b.ts";')])).toHaveLength(1);
    expect(rules.checkFloors([made("src/attic/a.ts", "")])).toHaveLength(1);
  });
  it("cycles", () => {
    const a = made("src/base/a.ts", 'import { b } from "./b.ts";');
    const b = made("src/base/b.ts", 'export { a } from "./a.ts";');
    expect(rules.checkCycles([a, b])).toHaveLength(1);
  });
  it.each([
    "Date.now()",
    "setTimeout(f, 1)",
    "Math.random()",
    "await f()",
    "process.pid",
    "new WeakRef(a)",
    '"".localeCompare("")',
  ])("globals: %s", (text) =>
    expect(rules.checkGlobals([made("src/node/a.ts", `async function g() { return ${text}; }`)])).toHaveLength(1),
  );
  it("built-ins", () =>
    expect(rules.checkGlobals([made("src/wire/a.ts", 'import { x } from "node:fs";')])).toHaveLength(1));
  it("words", () =>
    expect(rules.checkWords([{ path: "a.md", text: "every vnode is fine, and so are stack traces" }])).toHaveLength(1));
  it("sizes", () => {
    const lines = "const a = 1;\n".repeat(rules.codeLinesMax + 1);
    expect(rules.checkSizes([made("src/base/a.ts", lines)])).toHaveLength(1);
    const body = "  a();\n".repeat(rules.functionLinesMax);
    expect(rules.checkSizes([made("src/base/a.ts", `function f() {\n${body}}\n`)])).toHaveLength(1);
  });
  it("headers", () => expect(rules.checkHeaders([made("src/base/a.ts", "const a = 1;")])).toHaveLength(1));
  it("docs", () =>
    expect(
      rules.checkDocs([made("src/base/a.ts", "/** File. */\n\nexport const a = 1;\nexport const b = 2;")]),
    ).toHaveLength(1));
  it("exports", () => expect(rules.checkExports([made("src/base/a.ts", 'export * from "./b.ts";')])).toHaveLength(1));
});

describe("documents", () => {
  const readmes = ["README.md", "src/README.md", "src/sim/README.md", "test/README.md", "schema/README.md"];
  it.each(readmes)("paths in %s exist", (document) => {
    const text = readFileSync(join(root, document), "utf8");
    const named = [...text.matchAll(/`((?:src|test|tools|schema|docs|native-bench)\/[\w./-]+)`|\]\(([\w./-]+)\)/g)];
    const missing = named
      .map((match) => (match[1] === undefined ? join(dirname(document), match[2] as string) : match[1]))
      .filter((path) => !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });

  it("the version is the same everywhere", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(readFileSync(join(root, "src/base/version.ts"), "utf8")).toContain(`"ringtail/${version}"`);
  });

  it("dependencies are pinned exactly", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<
      string,
      Record<string, string>
    >;
    const versions = [...Object.values(manifest.dependencies ?? {}), ...Object.values(manifest.devDependencies ?? {})];
    expect(versions.filter((version) => !/^(npm:@?[\w/-]+@)?\d+\.\d+\.\d+(-[\w-]+)?$/.test(version))).toEqual([]);
  });
});
