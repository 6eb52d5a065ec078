// Results of `ringtail bench --json` in rounds, as medians, and as tables.

/** The entries of `set` in rounds, told as they come: every second round backwards, since what a round leaves behind (a fuller store) does not always hit the same ones. */
export function* inRounds(set, rounds) {
  for (let round = 1; round <= rounds; round += 1) {
    for (const entry of round % 2 === 1 ? set : [...set].reverse()) {
      console.error(`round ${round} of ${rounds}: ${entry.name} ...`);
      yield [entry, round];
    }
  }
}

/** Adds a result to those of an entry, and says at once that it is void. */
export function keep(results, result) {
  results.push(result);
  if (result.voided !== null) console.error(`  VOIDED: ${result.voided}`);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What columns show, by name; `ms` have as many digits as the table asks for. */
const shown = {
  "ops/s": { of: ({ throughput }) => throughput, digits: 0 },
  p50: { of: ({ latencyMs }) => latencyMs.p50 },
  p99: { of: ({ latencyMs }) => latencyMs.p99 },
  "p99.9": { of: ({ latencyMs }) => latencyMs["p99.9"] },
  "p99.9 service": { of: ({ serviceMs }) => serviceMs["p99.9"] },
  "p99.9 lateness": { of: ({ latenessMs }) => latenessMs["p99.9"] },
  max: { of: ({ latencyMs }) => latencyMs.max, digits: 1 },
  "generator us/op": { of: ({ generator }) => generator.cpuUsPerOperation, digits: 1 },
  errors: { of: ({ errors }) => errors, digits: 0 },
};

/** The median of one column over results. */
export function medianOf(column, results) {
  return median(results.map(shown[column].of));
}

/** Entries of `{ name, results }` as rows of medians under a head, and how many of their runs were voided. */
export function medianTable(title, columns, entries, msDigits = 2) {
  const rows = entries.map(({ name, results }) => {
    const cells = columns.map((column) => medianOf(column, results).toFixed(shown[column].digits ?? msDigits));
    const voided = results.filter((result) => result.voided !== null).length;
    return [name, ...cells, voided === 0 ? "-" : `${voided} of ${results.length}`];
  });
  return [[title, ...columns, "voided"], ...rows];
}

/** Rows of cells, the first column to the left, the others to the right. */
export function printTable(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  for (const row of rows) {
    console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "));
  }
}

function markdownLine(cells) {
  return `| ${cells.join(" | ")} |`;
}

/** A Markdown table, the first column to the left, the others to the right. */
export function markdownTable(heading, rows) {
  const others = "--:|".repeat(heading.length - 1);
  return [markdownLine(heading), `|---|${others}`, ...rows.map(markdownLine)].join("\n");
}

/** The machine of a result. */
export function machineText({ cpus, cpuModel, memoryGiB, platform }) {
  return `${cpus} CPUs (${cpuModel}), ${memoryGiB} GiB, ${platform}`;
}

export function mediansText(runs, seconds) {
  return `medians of ${runs} run${runs === 1 ? "" : "s"} of ${seconds} s`;
}
