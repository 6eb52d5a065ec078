/**
 * The dashboard: one page without anything from elsewhere, which asks `/status.json` every two seconds and shows each node's
 * state, rates and latencies. What nodes call themselves is set as text, never as markup.
 */

/** The page. */
export const pageHtml = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Ringtail</title>
<style>
  body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
  table { border-collapse: collapse; margin-top: 1rem }
  th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd }
  td.number { text-align: right; font-variant-numeric: tabular-nums }
  .alive { color: #08660c } .down { color: #b00020 } .starting, .stopping { color: #8a5a00 }
  #problem { color: #b00020 }
</style>
<h1>Ringtail</h1>
<p id="cluster">asking ...</p>
<p id="problem" role="alert"></p>
<table>
  <thead><tr id="heads"></tr></thead>
  <tbody id="nodes"></tbody>
</table>
<p>Quantiles are of the time since each node's start. <a href="/metrics">metrics</a>, <a href="/status.json">status</a></p>
<script src="/dashboard.js"></script>
</html>
`;

/** What the page runs. */
export const pageScript = `"use strict";
const everyMs = 2000;
const columns = ["node", "address", "host", "zone", "state", "up", "gets/s", "puts/s", "get p99.9", "put p99.9",
  "in flight", "refused", "peers not ok"];
const byId = (id) => document.getElementById(id);
let before = new Map();

function cell(text, name) {
  const td = document.createElement("td");
  td.textContent = text;
  if (name) td.className = name;
  return td;
}

function rate(node, name, now) {
  const then = before.get(node.id);
  const count = node.latenciesUs[name]?.count;
  if (count === undefined || then?.[name] === undefined || count < then[name]) return "";
  return String(Math.round((1000 * (count - then[name])) / (now - then.at)));
}

function millis(node, name) {
  const found = node.latenciesUs[name];
  return found && found.count > 0 ? (found["p99.9"] / 1000).toFixed(1) + " ms" : "";
}

function rowOf(node, now) {
  const unwell = Object.entries(node.peers).filter(([, state]) => state !== "ok");
  const up = node.uptimeSeconds === null ? "" : node.uptimeSeconds + " s";
  const numbers = [rate(node, "get", now), rate(node, "put", now), millis(node, "get"), millis(node, "put"),
    node.counters.requests_in_flight ?? "", node.counters.requests_refused ?? ""];
  const tr = document.createElement("tr");
  tr.append(cell(node.name), cell(node.address), cell(node.host), cell(node.zone), cell(node.state, node.state), cell(up));
  tr.append(...numbers.map((text) => cell(text, "number")));
  tr.append(cell(node.reason ?? unwell.map(([number, state]) => number + " " + state).join(", ")));
  return tr;
}

async function show() {
  try {
    const response = await fetch("/status.json");
    if (!response.ok) throw new Error(await response.text());
    const { cluster, nodes } = await response.json();
    const now = performance.now();
    byId("cluster").textContent = "cluster " + cluster.id + ", epoch " + cluster.epoch + ", " + cluster.partitions +
      " partitions, " + nodes.length + " nodes";
    byId("nodes").replaceChildren(...nodes.map((node) => rowOf(node, now)));
    before = new Map(nodes.map(({ id, latenciesUs }) =>
      [id, { at: now, get: latenciesUs.get?.count, put: latenciesUs.put?.count }]));
    byId("problem").textContent = "";
  } catch (error) {
    byId("problem").textContent = "no answer: " + error.message;
  }
  setTimeout(show, everyMs);
}

byId("heads").append(...columns.map((text) => {
  const th = document.createElement("th");
  th.textContent = text;
  return th;
}));
void show();
`;
