// The code blocks of a document: which of them are executed, which belong together, and what they should print.

/** All fenced blocks: language and marks, text, line number of the fence; `output` joins the executed block above it. */
export function blocksOf(text) {
  const found = [];
  const pattern = /^```([^\n]*)\n([\s\S]*?)^```$/gm;
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const [language, ...marks] = match[1].trim().split(/\s+/);
    const line = text.slice(0, match.index).split("\n").length;
    const adjacent = text.slice(end, match.index).trim() === "";
    end = match.index + match[0].length;
    const last = found.at(-1);
    if (language === "text" && marks[0] === "output" && adjacent && last !== undefined) last.output = match[2];
    else found.push({ language, marks, line, text: match[2], output: undefined });
  }
  return found;
}

/** Executed in this order: each shell block alone, each chain of TypeScript blocks as one program. */
export function programsOf(blocks) {
  const programs = [];
  for (const block of blocks.filter(({ marks }) => marks[0] === "run")) {
    const last = programs.at(-1);
    if (block.language === "ts" && block.marks[1] === "more" && last?.language === "ts") last.blocks.push(block);
    else programs.push({ language: block.language, blocks: [block] });
  }
  return programs;
}

function outputPattern(expected) {
  const lines = expected.trim().split("\n");
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const parts = lines.map((line) => {
    if (line.trim() === "...") return "(?:[^\\n]*\\n)*?";
    return `${line.split("...").map(escaped).join("[^\\n]*")}\\n`;
  });
  return new RegExp(`^${parts.join("")}$`);
}

/** Undefined, or what is wrong with the output of a block; `where` translates addresses. */
export function checkOutput(block, output, where) {
  if (block.output === undefined) return undefined;
  const tidy = `${output
    .trim()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
  if (outputPattern(where.real(block.output)).test(tidy)) return undefined;
  return `its output is not what the README shows:\n${where.documented(tidy)}`;
}
