/** StatusService: what `ringtail status` and `ringtail config` ask of a running node. Counters are read, never computed. */
import { noBytes } from "../base/bytes.ts";
import { durabilityName } from "../base/durability.ts";
import { idBytes } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import { softwareName } from "../base/version.ts";
import type { Store } from "../storage/store.ts";
import type { Frame } from "../wire/frame.ts";
import { type ConfigEntry, type Counter, type LatencySummary, StatusReply, StatusRequest } from "../wire/gen/codecs.ts";
import { transferBytesPerSecondMax } from "./background.ts";
import { settings } from "./config.ts";
import type { Peers } from "./peers.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

export class StatusService {
  readonly #shared: NodeState;
  readonly #peers: Peers;

  constructor(shared: NodeState, peers: Peers) {
    this.#shared = shared;
    this.#peers = peers;
  }

  onStatus(now: Instant, store: Store | undefined, session: Session, frame: Frame): void {
    const asked = frame.decode(StatusRequest);
    const shared = this.#shared;
    const ring = shared.ringOrNone;
    session.answer(frame, StatusReply, {
      clusterId: ring === undefined ? noBytes : idBytes(ring.clusterId),
      epoch: shared.epoch,
      number: shared.number,
      nodeId: idBytes(shared.nodeId),
      name: shared.config.name,
      pid: shared.env.pid,
      software: softwareName,
      uptimeSeconds: Math.floor((now - shared.startedAt) / 1_000_000),
      insecure: shared.config.insecure,
      phase: shared.phase,
      peers: this.#peers.list.map(({ number, state }) => ({
        number,
        state: state === "ok" ? shared.routeState(number) : state,
      })),
      counters: this.#counters(store),
      latencies: this.#latencies(),
      config: asked.withConfig ? this.#config() : [],
      durability: ring === undefined ? "" : durabilityName(ring.policyOf(noBytes).durability),
    });
  }

  #counters(store: Store | undefined): Counter[] {
    const rows: Counter[] = [{ name: "requests_in_flight", value: this.#shared.inFlight }];
    for (const { name, value } of this.#shared.metrics.counters) rows.push({ name, value });
    const rate = this.#shared.background.shareOf(transferBytesPerSecondMax);
    rows.push({ name: "transfer_bytes_per_second", value: rate });
    rows.push({ name: "background_slices", value: this.#shared.background.slices });
    if (store === undefined) return rows;
    rows.push({ name: "store_data_bytes", value: store.dataBytes });
    for (const [name, value] of Object.entries(store.counters)) rows.push({ name: `store_${name}`, value });
    return rows;
  }

  #latencies(): LatencySummary[] {
    return this.#shared.metrics.latencies.map((latency) => {
      const { name, count, p50, p99, p999, max } = latency.summary();
      return { name, count, p50Us: p50, p99Us: p99, p999Us: p999, maxUs: max };
    });
  }

  #config(): ConfigEntry[] {
    return settings.map((setting) => {
      const value = String(this.#shared.config[setting.key]);
      return { key: setting.key, value, source: value === String(setting.value) ? "default" : "given" };
    });
  }
}
