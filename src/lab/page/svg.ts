/**
 * A plot as SVG text: axes, curves, marks and a legend. Our own few lines and no library, because what libraries for this
 * draw without a browser comes with colours of its own in every element, and here one plot must suit a light page, a dark
 * one, and a file of its own: all colours are in `plotStyle`, by class. Text is escaped; nothing is loaded from anywhere.
 */
import type { Scale } from "./scale.ts";

/** One line, or dots, of a plot. */
export interface Curve {
  readonly name: string;
  /** Which of the eight colours of `plotStyle`. */
  readonly colour: number;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly look: "line" | "dashed" | "dots" | "line with dots";
}

/** A moment, a value or a rate that is worth a line across the plot. */
export interface Mark {
  readonly at: number;
  /** Short: at the upper end of the line. */
  readonly label: string;
  /** What a reader sees who points at it. */
  readonly hint: string;
  readonly axis: "x" | "y";
}

/** A whole plot. */
export interface Plot {
  readonly title: string;
  readonly x: { readonly label: string; readonly scale: Scale };
  readonly y: { readonly label: string; readonly scale: Scale };
  readonly curves: readonly Curve[];
  readonly marks?: readonly Mark[];
}

const width = 860;
const height = 380;
const left = 66;
const right = 18;
const top = 62;
const bottom = 50;
const legendGap = 22;
/** About the width of a letter. */
const letter = 6.4;

const light = ["#1f6fb4", "#d9730d", "#c0392b", "#8b949e", "#2e8b57", "#7d4fb3", "#b8860b", "#17888f"];
const dark = ["#6cb2f5", "#f0a35e", "#ff7b72", "#8b949e", "#6fcf97", "#c49bf0", "#e3c15a", "#5fd0d6"];

function colours(palette: readonly string[]): string {
  return palette.map((colour, i) => `.c${i}{stroke:${colour}}.d${i}{fill:${colour}}`).join("");
}

/** The one style of all plots, for light and dark. */
export const plotStyle: string = `.plot{font:12px system-ui,"DejaVu Sans",sans-serif}.plot text{fill:#3c434a}.plot .title{font-size:14px;font-weight:600;fill:#1c2126}.plot .paper{fill:#fff}.plot .grid{stroke:#e4e7ea}.plot .axis{stroke:#9aa2aa}.plot .mark{stroke:#6b737b;stroke-dasharray:2 3}.plot .flag{font-size:10px}.curve{fill:none;stroke-width:1.8;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}${colours(light)}@media(prefers-color-scheme:dark){.plot text{fill:#b9c1c9}.plot .title{fill:#e8ecf0}.plot .paper{fill:#161b21}.plot .grid{stroke:#2a323a}.plot .axis{stroke:#66707a}.plot .mark{stroke:#9aa2aa}${colours(dark)}}`;

/** Text as it may stand in SVG and HTML. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function xOf(plot: Plot, value: number): string {
  return (left + (width - left - right) * clamped(plot.x.scale.at(value))).toFixed(1);
}

function yOf(plot: Plot, value: number): string {
  return (height - bottom - (height - top - bottom) * clamped(plot.y.scale.at(value))).toFixed(1);
}

function clamped(share: number): number {
  return Math.max(0, Math.min(1, share));
}

function textAt(x: number | string, y: number | string, text: string, more = ""): string {
  return `<text x="${x}" y="${y}"${more}>${escaped(text)}</text>`;
}

function grid(plot: Plot): string[] {
  const parts: string[] = [];
  for (const [value, label] of plot.y.scale.ticks) {
    parts.push(`<path class="grid" d="M${left} ${yOf(plot, value)}H${width - right}"/>`);
    parts.push(textAt(left - 8, Number(yOf(plot, value)) + 4, label, ' text-anchor="end"'));
  }
  for (const [value, label] of plot.x.scale.ticks) {
    parts.push(`<path class="grid" d="M${xOf(plot, value)} ${top}V${height - bottom}"/>`);
    parts.push(textAt(xOf(plot, value), height - bottom + 18, label, ' text-anchor="middle"'));
  }
  parts.push(`<path class="axis" fill="none" d="M${left} ${top}V${height - bottom}H${width - right}"/>`);
  const middle = (height + top - bottom) / 2;
  parts.push(textAt(16, middle, plot.y.label, ` text-anchor="middle" transform="rotate(-90 16 ${middle})"`));
  parts.push(textAt((width + left - right) / 2, height - 10, plot.x.label, ' text-anchor="middle"'));
  return parts;
}

/** Lines with their labels; a label that the one before leaves no room for is left out, its hint stays. */
function markLines(plot: Plot): string[] {
  let free = 0;
  return (plot.marks ?? []).map(({ axis, at, label, hint }) => {
    const x = xOf(plot, at);
    const y = yOf(plot, at);
    let path = `M${left} ${y}H${width - right}`;
    let text = textAt(width - right - 4, Number(y) - 4, label, ' text-anchor="end"');
    if (axis === "x") {
      const half = (label.length * letter) / 2;
      path = `M${x} ${top}V${height - bottom}`;
      text = Number(x) - half < free ? "" : textAt(x, top - 4, label, ' class="flag" text-anchor="middle"');
      if (text !== "") free = Number(x) + half;
    }
    return `<g><title>${escaped(hint)}</title><path class="mark" d="${path}"/>${text}</g>`;
  });
}

function curveLines(plot: Plot, { colour, points, look }: Curve): string[] {
  const at = points.map(([x, y]) => `${xOf(plot, x)},${yOf(plot, y)}`);
  const parts: string[] = [];
  if (look !== "dots" && at.length > 1) {
    const dashed = look === "dashed" ? " dashed" : "";
    parts.push(`<polyline class="curve c${colour}${dashed}" points="${at.join(" ")}"/>`);
  }
  if (look === "dots" || look === "line with dots" || at.length === 1) {
    for (const point of at) {
      const [x, y] = point.split(",");
      parts.push(`<circle class="d${colour}" cx="${x}" cy="${y}" r="3.4"/>`);
    }
  }
  return parts;
}

/** Names beside samples of their lines, in one row below the title; a name that several curves share stands once. */
function legend(curves: readonly Curve[]): string[] {
  const parts: string[] = [];
  const named = curves.filter(({ name }, i) => name !== "" && curves.findIndex((one) => one.name === name) === i);
  let x = left;
  for (const { name, colour, look } of named) {
    const dashed = look === "dashed" ? " dashed" : "";
    if (look === "dots") parts.push(`<circle class="d${colour}" cx="${x + 9}" cy="36" r="3.4"/>`);
    else parts.push(`<path class="curve c${colour}${dashed}" d="M${x} 36h18"/>`);
    parts.push(textAt(x + 24, 40, name));
    x += 24 + name.length * letter + legendGap;
  }
  return parts;
}

/** The plot. `alone`: as a file of its own, with its style and a ground; else as a part of a page that has `plotStyle`. */
export function svgOf(plot: Plot, alone: boolean): string {
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(plot.title)}"${alone ? ` width="${width}" height="${height}"` : ""}>`,
  ];
  if (alone) parts.push(`<style>${plotStyle}</style><rect class="paper" width="${width}" height="${height}"/>`);
  parts.push(textAt(left, 20, plot.title, ' class="title"'), ...legend(plot.curves), ...grid(plot));
  parts.push(...markLines(plot));
  for (const curve of plot.curves) parts.push(...curveLines(plot, curve));
  return `${parts.join("\n")}\n</svg>\n`;
}
