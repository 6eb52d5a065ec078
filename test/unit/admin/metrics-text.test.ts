/** The text for Prometheus: every line is one that its parsers take, each family has one type, and what is missing is left out. */
import { expect, it } from "vitest";
import { metricsText, type NodeFigures } from "../../../src/admin/metrics-text.ts";
import type { HintStatusReply, RepairStatusReply, StatusReply } from "../../../src/wire/gen/codecs.ts";

function figures(): NodeFigures {
  const status = {
    name: 'a "quoted"\\ name\nof two lines',
    number: 3,
    software: "ringtail/1",
    epoch: 7,
    phase: "serving",
    uptimeSeconds: 12,
    peers: [{ number: 2, state: "down" }],
    counters: [
      { name: "requests_in_flight", value: 4 },
      { name: "store_bufferHits", value: 5 },
    ],
    latencies: [
      { name: "get", count: 10, p50Us: 500, p99Us: 1_000, p999Us: 2_000, maxUs: 3_000 },
      { name: "put", count: 0, p50Us: 0, p99Us: 0, p999Us: 0, maxUs: 0 },
    ],
  };
  const hints = { rows: [{ target: 2, count: 9, bytes: 99, bytesMax: 1000, oldest: 1_000, failure: 13 }] };
  const repair = { pairs: 8, nowUs: 5e6, verifiedUs: 2e6, unsynced: 1, counters: [{ name: "scrub_pages", value: 6 }] };
  return {
    status: status as unknown as StatusReply,
    hints: hints as unknown as HintStatusReply,
    repair: repair as unknown as RepairStatusReply,
    residentBytes: 1024,
    cpuSeconds: 1.5,
    nowSeconds: 1_060,
  };
}

it("is one type line per family and then its samples", async () => {
  const seen = new Set<string>();
  let family = "";
  for (const line of (await metricsText(figures())).trimEnd().split("\n")) {
    if (line === "" || line.startsWith("# HELP ")) continue;
    const type = /^# TYPE ([a-z_]+) (counter|gauge)$/.exec(line);
    if (type !== null) {
      family = type[1] as string;
      expect(seen.has(family), family).toBe(false);
      seen.add(family);
      if (type[2] === "counter") expect(family).toMatch(/_total$/);
      continue;
    }
    const sample = /^([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\.)*"(?:,[a-z]+="(?:[^"\\\n]|\\.)*")*\})? -?\d+(\.\d+)?$/.exec(
      line,
    );
    expect(sample, line).not.toBeNull();
    expect(sample?.[1]).toBe(family);
  }
});

it("says what the node said", async () => {
  const text = await metricsText(figures());
  const lines = text.split("\n");
  for (const line of [
    'ringtail_node_info{name="a \\"quoted\\"\\\\ name\\nof two lines",number="3",software="ringtail/1"} 1',
    "ringtail_ready 1",
    "ringtail_ring_epoch 7",
    'ringtail_peer_state{peer="2",state="down"} 1',
    "ringtail_requests_in_flight 4",
    "ringtail_store_buffer_hits_total 5",
    'ringtail_get_latency_seconds{quantile="0.999"} 0.002',
    "ringtail_get_latency_samples_total 10",
    "ringtail_put_latency_samples_total 0",
    'ringtail_hints{target="2"} 9',
    'ringtail_hint_oldest_seconds{target="2"} 60',
    'ringtail_hint_delivery_failing{target="2",error="CONNECTION_LOST"} 1',
    "ringtail_repair_oldest_unverified_seconds 3",
    "ringtail_replicas_not_synced 1",
    "ringtail_repair_scrub_pages_total 6",
  ])
    expect(lines).toContain(line);
  // No quantile of nothing.
  expect(text).not.toContain("ringtail_put_latency_seconds{");
});
