/**
 * A report as one HTML file that needs nothing else: no network, no script; plots are inline SVG, light or dark as the
 * reader's system is. What is in it is data (Page), put together by `pages.ts`.
 */
import { escaped, type Plot, plotStyle, svgOf } from "./svg.ts";

/** A part of a report: prose, a plot, a table (its first row is the head), lines of a terminal; in this order. */
export interface Section {
  readonly heading: string;
  readonly text?: readonly string[];
  readonly plots?: readonly NamedPlot[];
  readonly table?: readonly (readonly string[])[];
  readonly note?: string;
  readonly code?: readonly string[];
}

/** A plot, and the name of its file where it gets one. */
export interface NamedPlot {
  readonly name: string;
  readonly plot: Plot;
}

/** A whole report. */
export interface Page {
  readonly title: string;
  readonly subtitle: string;
  /** Why its figures must not be quoted; empty: they may. */
  readonly warnings: readonly string[];
  /** A few figures on top. */
  readonly figures: readonly { readonly label: string; readonly value: string }[];
  readonly sections: readonly Section[];
  /** Everything as data, folded away. */
  readonly data: unknown;
}

const style = `:root{color-scheme:light dark;--ink:#1c2126;--soft:#59626b;--paper:#f5f6f7;--card:#fff;--line:#dfe3e6;--warn:#8a1f11;--warnpaper:#fdecea}@media(prefers-color-scheme:dark){:root{--ink:#e8ecf0;--soft:#9aa4ae;--paper:#0f1318;--card:#161b21;--line:#2a323a;--warn:#ffb4a9;--warnpaper:#3a1512}}*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,"DejaVu Sans",sans-serif}main{max-width:960px;margin:0 auto;padding:28px 18px 60px}h1{font-size:24px;margin:0}h2{font-size:17px;margin:0 0 10px}p{margin:6px 0;color:var(--soft)}section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px;margin:16px 0}.figures{display:flex;flex-wrap:wrap;gap:12px;margin:16px 0}.figure{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 16px;min-width:112px}.figure b{display:block;font-size:20px;font-variant-numeric:tabular-nums}.figure span{color:var(--soft);font-size:13px}.warning{background:var(--warnpaper);color:var(--warn);border-radius:8px;padding:10px 16px;margin:14px 0;font-weight:600}svg{width:100%;height:auto;display:block}.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13.5px;font-variant-numeric:tabular-nums;width:100%}th,td{padding:4px 9px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--soft);font-weight:600}th:first-child,td:first-child,td.long,th.long{text-align:left}td.long{white-space:normal}pre{overflow-x:auto;background:var(--paper);border-radius:6px;padding:10px 12px;font-size:12.5px;margin:8px 0 0}`;

function cell(tag: "td" | "th", text: string): string {
  // A sentence in a column of figures.
  const long = /[a-z]{2} [a-z]/.test(text) ? ' class="long"' : "";
  return `<${tag}${long}>${escaped(text)}</${tag}>`;
}

function tableOf(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows.map(
    (row, i) => `<tr>${row.map((one) => cell(i === 0 ? "th" : "td", one)).join("")}</tr>`,
  );
  return `<div class="scroll"><table><thead>${head}</thead><tbody>\n${body.join("\n")}\n</tbody></table></div>`;
}

function sectionOf({ heading, text, plots, table, note, code }: Section): string {
  return [
    `<section><h2>${escaped(heading)}</h2>`,
    ...(text ?? []).map((one) => `<p>${escaped(one)}</p>`),
    ...(plots ?? []).map(({ plot }) => svgOf(plot, false)),
    ...(table === undefined ? [] : [tableOf(table)]),
    ...(note === undefined ? [] : [`<p>${escaped(note)}</p>`]),
    ...(code === undefined ? [] : [`<pre>${escaped(code.join("\n"))}</pre>`]),
    "</section>",
  ].join("\n");
}

/** The file. */
export function htmlOf(page: Page): string {
  const figures = page.figures.map(
    ({ label, value }) => `<div class="figure"><b>${escaped(value)}</b><span>${escaped(label)}</span></div>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(page.title)}</title>
<style>${style}${plotStyle}</style></head><body><main>
<h1>${escaped(page.title)}</h1>
<p>${escaped(page.subtitle)}</p>
${page.warnings.map((one) => `<div class="warning">${escaped(one)}</div>`).join("\n")}
<div class="figures">${figures.join("")}</div>
${page.sections.map(sectionOf).join("\n")}
<details><summary>everything as JSON</summary><pre>${escaped(JSON.stringify(page.data))}</pre></details>
</main></body></html>
`;
}

/** The plots of a page as files of their own: name and text. */
export function svgFilesOf(page: Page): readonly (readonly [name: string, svg: string])[] {
  return page.sections.flatMap(({ plots }) =>
    (plots ?? []).map(({ name, plot }) => [`${name}.svg`, svgOf(plot, true)] as const),
  );
}
