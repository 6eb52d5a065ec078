// A run second by second as one SVG: p50, p99, p99.9 and the slowest on a logarithmic axis, marks as vertical lines.
const width = 900;
const height = 320;
const left = 46;
const right = 12;
const top = 34;
const bottom = 28;

const curves = [
  ["max", "#c9c9c9"],
  ["p99.9", "#c0392b"],
  ["p99", "#e59866"],
  ["p50", "#2874a6"],
];
const decades = [0.1, 1, 10, 100, 1000];

function textAt(x, y, text, more = "") {
  return `<text x="${x}" y="${y}"${more}>${text.replace(/[&<]/g, " ")}</text>`;
}

/** The SVG. */
export function plotOf({ series, marks, story, rate }) {
  const end = series.at(-1)?.to ?? 1;
  const xOf = (second) => (left + ((width - left - right) * Math.max(0, second)) / end).toFixed(1);
  const least = Math.log10(decades[0]);
  const most = Math.log10(decades.at(-1));
  const yOf = (ms) => {
    const share = (Math.log10(Math.max(decades[0], ms)) - least) / (most - least);
    return (height - bottom - (height - top - bottom) * Math.min(1, share)).toFixed(1);
  };
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
  ];
  parts.push(`<rect width="${width}" height="${height}" fill="#fff"/>`);
  for (const ms of decades) {
    parts.push(`<path d="M${left} ${yOf(ms)}H${width - right}" stroke="#eee"/>`);
    parts.push(textAt(left - 6, Number(yOf(ms)) + 4, `${ms} ms`, ' text-anchor="end"'));
  }
  for (let second = 0; second <= end; second += 10)
    parts.push(textAt(xOf(second), height - 10, String(second), ' text-anchor="middle"'));
  for (const [i, { second, text }] of marks.entries()) {
    parts.push(`<path d="M${xOf(second)} ${top}V${height - bottom}" stroke="#555" stroke-dasharray="3 3"/>`);
    parts.push(textAt(Number(xOf(second)) + 3, top + 10 + 12 * (i % 3), text));
  }
  for (const [name, colour] of curves) {
    const points = series.map((point) => `${xOf((point.from + point.to) / 2)},${yOf(point[name])}`).join(" ");
    parts.push(`<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"/>`);
  }
  parts.push(textAt(left, 16, `${story}, ${rate} operations/s, each second:`));
  for (const [i, [name, colour]] of curves.entries())
    parts.push(textAt(left + 240 + 60 * i, 16, name, ` fill="${colour}" font-weight="bold"`));
  return `${parts.join("\n")}\n</svg>\n`;
}
