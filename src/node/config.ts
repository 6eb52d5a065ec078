/**
 * Configuration of one node: one table of settings, from which the configuration file, the `RINGTAIL_...` variables, the
 * command-line flags, `ringtail config` and the README's table all come. Plain data and validation; reading files and
 * variables is the CLI's work.
 *
 * What belongs to the cluster (Q, replication, bucket policies) is a setting only for the node that bootstraps: it
 * goes into the ring, and the ring is what every node obeys from then on.
 */
import { type DurabilityName, durabilityOf } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";

/** One node's configuration; every field is explained by its row in `settings`. */
export interface NodeConfig {
  readonly name: string;
  readonly directory: string;
  readonly secretFile: string;
  readonly logLevel: string;
  readonly listen: string;
  readonly advertise: string;
  readonly host: string;
  readonly zone: string;
  readonly weight: number;
  readonly seedNodes: readonly string[];
  readonly bootstrap: boolean;
  readonly expect: number;
  readonly insecure: boolean;
  readonly partitions: number;
  readonly replicasMax: number;
  readonly n: number;
  readonly r: number;
  readonly w: number;
  readonly durability: DurabilityName;
  readonly requestTimeoutMs: number;
  readonly requestTimeoutMaxMs: number;
  readonly objectBufferMiB: number;
  readonly logSegmentKiB: number;
  readonly siblingsMax: number;
  readonly connectionsMax: number;
  readonly inFlightMax: number;
  readonly inFlightPerConnectionMax: number;
  readonly inFlightMiBMax: number;
  readonly hintMiBPerNodeMax: number;
  readonly queuedMiBPerConnectionMax: number;
  readonly idleTimeoutMs: number;
  readonly diskReserveMiB: number;
  readonly repairPassMs: number;
  readonly scrubRoundMs: number;
  readonly repairWindowMs: number;
  readonly reapAgeMs: number;
  readonly backgroundUnbounded: boolean;
}

type Value = string | number | boolean | readonly string[];

/** One setting. `kind` decides how text is read; ranges are inclusive. */
export interface Setting {
  readonly key: keyof NodeConfig;
  readonly kind: "text" | "integer" | "flag" | "list" | "address" | "durability" | "level";
  readonly value: Value;
  readonly min?: number;
  readonly max?: number;
  readonly unit?: string;
  readonly help: string;
}

/** All settings, in the order in which they are shown. */
export const settings: readonly Setting[] = [
  { key: "name", kind: "text", value: "node", help: "The node's name, for people; unique in a cluster makes sense." },
  {
    key: "directory",
    kind: "text",
    value: "ringtail-data",
    help: "Where this node keeps its data and its own files; one directory per node, never shared and never copied to another.",
  },
  {
    key: "secretFile",
    kind: "text",
    value: "",
    help: "A file of 64 hexadecimal digits, mode 0600, the same on every node: contexts are authenticated under it. Empty, on loopback only: they are bound to the cluster, but could be forged.",
  },
  { key: "logLevel", kind: "level", value: "info", help: "debug, info, warn, error or silent." },
  {
    key: "listen",
    kind: "address",
    value: "127.0.0.1:7401",
    help: "Where the node listens for clients and nodes. Any address that is not loopback needs `insecure` until transport security exists.",
  },
  {
    key: "advertise",
    kind: "address",
    value: "",
    help: "The address that others use to reach this node. Empty: the listen address.",
  },
  {
    key: "host",
    kind: "text",
    value: "",
    help: "The machine this node runs on; no two replicas of a key are put on one host. Empty: the node's name.",
  },
  {
    key: "zone",
    kind: "text",
    value: "",
    help: "The failure domain above the host; replicas are spread over zones while there are enough.",
  },
  {
    key: "weight",
    kind: "integer",
    value: 100,
    min: 1,
    max: 1000,
    help: "The node's share of the partitions, relative to the others'. Higher: more data and load here.",
  },
  { key: "seedNodes", kind: "list", value: [], help: "Addresses of nodes to ask for the ring at the first start." },
  {
    key: "bootstrap",
    kind: "flag",
    value: false,
    help: "Make a new cluster, if this node holds no ring yet. Say it on exactly one node: a second one makes a second cluster.",
  },
  {
    key: "expect",
    kind: "integer",
    value: 1,
    min: 1,
    max: 1000,
    help: "With `bootstrap`: how many nodes, this one included, must have reported before the first ring is made.",
  },
  {
    key: "insecure",
    kind: "flag",
    value: false,
    help: "Allow listeners on addresses that are not loopback although nothing is encrypted or authenticated.",
  },
  {
    key: "partitions",
    kind: "integer",
    value: 1024,
    min: 8,
    max: 16384,
    help: "Q, a power of two, fixed when the cluster is created. Higher: finer balance with many nodes; lower: less memory for trees.",
  },
  {
    key: "replicasMax",
    kind: "integer",
    value: 3,
    min: 1,
    max: 7,
    help: "The largest N any bucket may have; the layout keeps a host's partitions further apart than this.",
  },
  {
    key: "n",
    kind: "integer",
    value: 3,
    min: 1,
    max: 7,
    help: "Replicas of each key, for buckets without a policy of their own. Higher: more failures survived, more work per write.",
  },
  {
    key: "r",
    kind: "integer",
    value: 2,
    min: 1,
    max: 7,
    help: "Replicas that must answer a get. r + w > n makes a get see the last acknowledged put.",
  },
  {
    key: "w",
    kind: "integer",
    value: 2,
    min: 1,
    max: 7,
    help: "Replicas that must acknowledge a put. Higher: more copies at the ack; lower: more failures tolerated while writing.",
  },
  {
    key: "durability",
    kind: "durability",
    value: "one-durable",
    help: "What a replica has done before it acknowledges: memory, buffered, one-durable or durable.",
  },
  {
    key: "requestTimeoutMs",
    kind: "integer",
    value: 1000,
    min: 1,
    max: 600000,
    unit: "ms",
    help: "The deadline of a request that names none.",
  },
  {
    key: "requestTimeoutMaxMs",
    kind: "integer",
    value: 60000,
    min: 1,
    max: 600000,
    unit: "ms",
    help: "The longest deadline a request may ask for; also how long write ids are remembered (twice this).",
  },
  {
    key: "objectBufferMiB",
    kind: "integer",
    value: 64,
    min: 1,
    max: 65536,
    unit: "MiB",
    help: "Memory for recent records, so that hot gets and the read half of writes need no engine call. Higher: fewer engine reads; lower: less memory.",
  },
  {
    key: "logSegmentKiB",
    kind: "integer",
    value: 16_384,
    min: 64,
    max: 262_144,
    unit: "KiB",
    help: "The size of a segment of the write-ahead log. Larger: longer starts after a crash; smaller: more syncs of the store.",
  },
  {
    key: "siblingsMax",
    kind: "integer",
    value: 64,
    min: 1,
    max: 1024,
    help: "A put that would leave more siblings is refused with TOO_MANY_SIBLINGS; merges between replicas never are.",
  },
  {
    key: "connectionsMax",
    kind: "integer",
    value: 4096,
    min: 8,
    max: 65536,
    help: "Connections accepted at once; 256 of them are kept for nodes.",
  },
  {
    key: "inFlightMax",
    kind: "integer",
    value: 16384,
    min: 16,
    max: 65536,
    help: "Requests this node works on at once; above it, OVERLOADED.",
  },
  {
    key: "inFlightMiBMax",
    kind: "integer",
    value: 256,
    min: 16,
    max: 65536,
    unit: "MiB",
    help: "Bytes of puts this node works on at once, a quarter of them for one connection; above it, OVERLOADED. Higher: larger bursts of large values; lower: less memory.",
  },
  {
    key: "inFlightPerConnectionMax",
    kind: "integer",
    value: 1024,
    min: 1,
    max: 65536,
    help: "Requests of one client connection worked on at once; above it, OVERLOADED.",
  },
  {
    key: "hintMiBPerNodeMax",
    kind: "integer",
    value: 4096,
    min: 1,
    max: 1048576,
    unit: "MiB",
    help: "What this node keeps at most for one other that cannot be reached: hints, which go to it when it is back and never expire. Without room left the put goes to another node, and if there is none it is refused. Higher: longer outages under load; lower: less disk for the absent.",
  },
  {
    key: "queuedMiBPerConnectionMax",
    kind: "integer",
    value: 32,
    min: 9,
    max: 1024,
    unit: "MiB",
    help: "Answers or requests queued for one connection; a client that does not read its answers is disconnected, a peer that is too slow fails its requests.",
  },
  {
    key: "idleTimeoutMs",
    kind: "integer",
    value: 300000,
    min: 1000,
    max: 86400000,
    unit: "ms",
    help: "A client connection without a frame for this long is closed.",
  },
  {
    key: "diskReserveMiB",
    kind: "integer",
    value: 256,
    min: 0,
    max: 1048576,
    unit: "MiB",
    help: "With less free space than this the node takes no new keys, and asks the others to write elsewhere; deletes, changes of old keys and copies from other nodes still go in. Below a quarter of it copies of unknown keys are refused, too. Higher: more room for those; 0: never.",
  },
  {
    key: "repairPassMs",
    kind: "integer",
    value: 600_000,
    min: 1000,
    max: 86_400_000,
    unit: "ms",
    help: "Within this time every replica is compared with each other owner's, at least every 15 s with one of them. Shorter: differences are repaired sooner; longer: less background work.",
  },
  {
    key: "repairWindowMs",
    kind: "integer",
    value: 2500,
    min: 1100,
    max: 600_000,
    unit: "ms",
    help: "A difference between replicas is repaired when it has lasted this long; more than the deadline of most writes makes sense. Shorter: transfers end sooner; longer: fewer writes under way are taken for differences.",
  },
  {
    key: "scrubRoundMs",
    kind: "integer",
    value: 604_800_000,
    min: 1000,
    max: 2_592_000_000,
    unit: "ms",
    help: "Every record is read from the disk, and its checksum verified, within this time if the background work's share allows. Shorter: damage is found while other replicas are still whole; longer: less is read.",
  },
  {
    key: "reapAgeMs",
    kind: "integer",
    value: 3_600_000,
    min: 1000,
    max: 604_800_000,
    unit: "ms",
    help: "A tombstone is forgotten when it has stayed as it is for so long, and every node has answered that nothing older of its key is left anywhere; versions are pruned alike. Longer than any write can be on its way between two nodes. Shorter: space is free sooner, and more is read; longer: more tombstones lie about.",
  },
  {
    key: "backgroundUnbounded",
    kind: "flag",
    value: false,
    help: "Transfers, anti-entropy, delivery of hints, scrub and reaping take all they can get, whatever clients wait for: for comparing with how they are governed.",
  },
];

const logLevels: readonly string[] = ["debug", "info", "warn", "error", "silent"];

const byKey = new Map<string, Setting>(settings.map((setting) => [setting.key, setting]));

function refuse(key: string, text: string, allowed: string): RingtailError {
  return new RingtailError("INVALID_ARGUMENT", `${key} is ${text === "" ? "empty" : text}; allowed: ${allowed}`);
}

const addressPattern = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/;

/** Splits "host:port"; throws `INVALID_ARGUMENT` naming `what`. Port 0 asks the system for a free one. */
export function parseAddress(what: string, address: string): { readonly host: string; readonly port: number } {
  const match = addressPattern.exec(address);
  const port = Number(match?.[2] ?? -1);
  if (match === null || port < 0 || port > 65535) throw refuse(what, address, "HOST:PORT with a port of 0..65535");
  return { host: (match[1] as string).replace(/^\[|\]$/g, ""), port };
}

/** Whether an address is one of this machine's loopback addresses. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Reads one setting from text (flags, variables) or from a value of the file; throws `INVALID_ARGUMENT`. */
export function readSetting(key: string, value: unknown): Value {
  const setting = byKey.get(key);
  if (setting === undefined) {
    const known = settings.map((one) => one.key).join(", ");
    throw new RingtailError("INVALID_ARGUMENT", `no such setting: ${key} (there are: ${known})`);
  }
  const text = Array.isArray(value) ? value.join(",") : String(value);
  switch (setting.kind) {
    case "integer": {
      const number = /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
      const min = setting.min ?? 0;
      const max = setting.max ?? Number.MAX_SAFE_INTEGER;
      if (number >= min && number <= max) return number;
      throw refuse(key, text, `a whole number, ${min} to ${max} ${setting.unit ?? ""}`.trimEnd());
    }
    case "flag":
      if (text !== "true" && text !== "false") throw refuse(key, text, "true or false");
      return text === "true";
    case "list": {
      const list = text.split(",").map((one) => one.trim());
      return list.filter((one) => one !== "");
    }
    case "address":
      if (text !== "") parseAddress(key, text);
      return text;
    case "durability":
      durabilityOf(text);
      return text;
    case "level":
      if (!logLevels.includes(text)) throw refuse(key, text, logLevels.join(", "));
      return text;
    case "text":
      if (text.length > 255) throw refuse(key, `${text.length} characters long`, "at most 255 characters");
      return text;
  }
}

/** A whole configuration from settings that were given; the rest are defaults. Checks what spans several settings. */
export function configOf(given: Readonly<Partial<Record<keyof NodeConfig, unknown>>>): NodeConfig {
  const values: Record<string, Value> = {};
  for (const setting of settings) values[setting.key] = setting.value;
  for (const [key, value] of Object.entries(given)) if (value !== undefined) values[key] = readSetting(key, value);
  const config = values as unknown as { -readonly [K in keyof NodeConfig]: NodeConfig[K] };
  if (config.advertise === "") config.advertise = config.listen;
  if (config.host === "") config.host = config.name;
  checkTogether(config);
  return config;
}

function checkTogether(config: NodeConfig): void {
  if ((config.partitions & (config.partitions - 1)) !== 0) {
    throw refuse("partitions", String(config.partitions), "a power of two, 8 to 16384");
  }
  if (config.n > config.replicasMax) throw refuse("n", String(config.n), `1 to ${config.replicasMax} (replicasMax)`);
  if (config.r > config.n) throw refuse("r", String(config.r), `1 to ${config.n} (n)`);
  if (config.w > config.n) throw refuse("w", String(config.w), `1 to ${config.n} (n)`);
  if (config.reapAgeMs < 2 * config.requestTimeoutMaxMs) {
    const least = 2 * config.requestTimeoutMaxMs;
    const allowed = `${least} or more (twice requestTimeoutMaxMs): writes on their way`;
    throw refuse("reapAgeMs", String(config.reapAgeMs), allowed);
  }
  for (const seedNode of config.seedNodes) parseAddress("seedNodes", seedNode);
  const { host } = parseAddress("listen", config.listen);
  if (!isLoopback(host) && !config.insecure) {
    throw new RingtailError(
      "INVALID_ARGUMENT",
      `listen is ${config.listen}, which is not a loopback address: nothing is encrypted yet, so this needs --insecure`,
    );
  }
  if (!isLoopback(host) && config.secretFile === "") {
    throw refuse("secretFile", "", "the path of the cluster's secret, where the listen address is not loopback");
  }
  if (!config.bootstrap && config.expect > 1)
    throw refuse("expect", String(config.expect), "more than 1 only with bootstrap");
}
