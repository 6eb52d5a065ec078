// Executes the README's examples: shell blocks in a shell, TypeScript blocks after a type check, all in one directory in which
// `ringtail` is a command and a package.
import { spawn } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { root } from "../prepare.mjs";
import { program } from "../shared/processes.mjs";
import { checkOutput } from "./blocks.mjs";

/** Where the README says that the cluster is. */
const usualPort = 7401;
const blockTimeoutMs = 20_000;

/** The addresses that the README uses, and those of the cluster. */
function addresses(basePort, nodes) {
  const replaced = (text, from, to) => {
    let made = text;
    for (let i = 0; i < nodes; i += 1) made = made.replaceAll(`127.0.0.1:${from + i}`, `127.0.0.1:${to + i}`);
    return made;
  };
  return {
    real: (text) => replaced(text, usualPort, basePort),
    documented: (text) => replaced(text, basePort, usualPort),
  };
}

/** Runs a command to its end; stdout and stderr come as one text. */
function execute(command, args, options) {
  return new Promise((resolve) => {
    const stdio = ["ignore", "pipe", "pipe"];
    const child = spawn(command, args, { ...options, stdio, timeout: blockTimeoutMs, killSignal: "SIGKILL" });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.on("close", (code) => {
      const ended = code === 0 ? undefined : `ended with status ${code}`;
      resolve({ output, problem: child.killed ? `not done after ${blockTimeoutMs / 1000} s` : ended });
    });
  });
}

/** Runs examples against the cluster of `nodes` nodes from `basePort` on, in a directory of its own, and says how each went. */
export class Examples {
  #directory;
  #where;
  #environment;
  #failed = 0;
  #programs = 0;

  constructor(directory, basePort, nodes) {
    this.#directory = directory;
    this.#where = addresses(basePort, nodes);
    const bin = join(directory, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "ringtail"), `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`, { mode: 0o755 });
    // The package under its own name, as an application finds it, and the types that it builds on.
    mkdirSync(join(directory, "node_modules/@types"), { recursive: true });
    symlinkSync(root.replace(/\/$/, ""), join(directory, "node_modules/ringtail"));
    symlinkSync(join(root, "node_modules/@types/node"), join(directory, "node_modules/@types/node"));
    writeFileSync(join(directory, "package.json"), '{ "type": "module" }\n');
    this.#environment = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      RINGTAIL_SEED_NODES: `127.0.0.1:${basePort}`,
    };
  }

  get failed() {
    return this.#failed;
  }

  async run(one) {
    const started = Date.now();
    const problems =
      one.language === "ts" ? await this.#runTypeScript(one.blocks) : await this.#runShell(one.blocks[0]);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    for (const [i, block] of one.blocks.entries()) {
      const name = `README.md:${block.line} ${block.language}`;
      if (problems[i] === undefined) console.log(`ok      ${name}${i === 0 ? ` (${seconds} s)` : ""}`);
      else {
        this.#failed += 1;
        console.error(`failed  ${name}: ${problems[i]}`);
      }
    }
  }

  async #runShell(block) {
    const script = `set -eu\n${this.#where.real(block.text)}`;
    const { output, problem } = await execute("sh", ["-c", script], { cwd: this.#directory, env: this.#environment });
    if (problem !== undefined) return [`${problem}\n${output}`];
    return [checkOutput(block, output, this.#where)];
  }

  async #runTypeScript(blocks) {
    this.#programs += 1;
    const mark = "--- end of a block ---";
    const text = blocks.map((block) => `${this.#where.real(block.text)}\nconsole.log("${mark}");\n`).join("");
    const source = join(this.#directory, `example-${this.#programs}.ts`);
    writeFileSync(source, text);
    const wrong = typeErrors(source);
    if (wrong !== "") return blocks.map((_, i) => (i === 0 ? wrong : "not run: see above"));
    const target = source.replace(/\.ts$/, ".js");
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
    writeFileSync(target, ts.transpileModule(text, { compilerOptions }).outputText);
    const options = { cwd: this.#directory, env: this.#environment };
    const { output, problem } = await execute(process.execPath, [target], options);
    const outputs = output.split(`${mark}\n`);
    return blocks.map((block, i) => {
      const complete = i < outputs.length - 1;
      if (!complete) return `${problem ?? "did not come to its end"}\n${outputs[i] ?? ""}`;
      const last = i === blocks.length - 1;
      if (last && problem !== undefined) return `${problem}\n${outputs[i + 1]}`;
      return checkOutput(block, outputs[i], this.#where);
    });
  }
}

function typeErrors(source) {
  const built = ts.createProgram([source], {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ["node"],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  });
  const host = { getCanonicalFileName: (name) => name, getCurrentDirectory: () => "", getNewLine: () => "\n" };
  return ts.formatDiagnostics(ts.getPreEmitDiagnostics(built), host).trim();
}
