// `npm run png -- FILE.svg ...`: a PNG beside each SVG file, twice its size, as for the plots of `ringtail bench --svg`. SVG is
// what the lab makes; a rasteriser is only needed where SVG is not taken.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installOnce } from "./installed.mjs";
import { root } from "./prepare.mjs";
import { runCommand } from "./shared/command.mjs";

const usage = "no file was given; allowed: npm run png -- FILE.svg ...";

async function main(files) {
  if (files.length === 0) throw new Error(usage);
  const strange = files.find((file) => !file.endsWith(".svg"));
  if (strange !== undefined) throw new Error(`${strange} is no SVG file; allowed: names that end with .svg`);
  installOnce(join(root, "tools/png"), "resvg, some 5 MB");
  const { Resvg } = await import("./png/node_modules/@resvg/resvg-js/index.js").then((module) => module.default);
  const options = { fitTo: { mode: "zoom", value: 2 }, font: { defaultFontFamily: "DejaVu Sans" } };
  for (const file of files) {
    const png = new Resvg(readFileSync(file, "utf8"), options).render().asPng();
    const path = file.replace(/\.svg$/, ".png");
    writeFileSync(path, png);
    console.log(path);
  }
}

runCommand("png", () => main(process.argv.slice(2)));
