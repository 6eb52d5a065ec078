/**
 * The settings of one node: what each is called, what it is unless said otherwise, what it may be, and what it does. The
 * README's table, the flags' help and `ringtail config` are made from these rows; reading values is config.ts.
 */
import type { DurabilityName } from "../base/durability.ts";
import type { ProfileName } from "../membership/profile.ts";

/** One node's configuration; every field is explained by its row in `settings`. */
export interface NodeConfig {
  readonly name: string;
  readonly directory: string;
  readonly secretFile: string;
  readonly logLevel: string;
  readonly listen: string;
  readonly advertise: string;
  readonly adminListen: string;
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
  readonly profile: ProfileName;
  readonly requestTimeoutMs: number;
  readonly requestTimeoutMaxMs: number;
  readonly objectBufferMiB: number;
  readonly logSegmentKiB: number;
  readonly siblingsMax: number;
  readonly connectionsMax: number;
  readonly inFlightMax: number;
  readonly inFlightPerClientMax: number;
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
  readonly withoutPhases: boolean;
  readonly cpusMaySleep: boolean;
  readonly withoutRehearsal: boolean;
  readonly bodyMaxBytes: number;
  readonly latencyTargetMs: number;
}

/** What a setting is set to. */
export type Value = string | number | boolean | readonly string[];

/** One setting. `kind` decides how text is read; ranges are inclusive. */
export interface Setting {
  readonly key: keyof NodeConfig;
  readonly kind: "text" | "integer" | "flag" | "list" | "address" | "durability" | "level" | "profile";
  readonly value: Value;
  readonly min?: number;
  readonly max?: number;
  readonly unit?: string;
  /** What may stand in place of a value of this kind. */
  readonly word?: string;
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
    key: "adminListen",
    kind: "address",
    word: "off",
    value: "",
    help: "Where the dashboard, /metrics, /healthz and /readyz are served over HTTP. Empty: on 127.0.0.1, at the port of `listen` and 80 more, if that is free; off: nowhere. Any address that is not loopback needs `insecure`.",
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
    key: "profile",
    kind: "profile",
    value: "lan",
    help: "How soon membership takes a silent node for dead: lan (answers within 200 ms; dead after 2 s at the least) or wan (within 3 s; after 30 s). The same on every node: one with shorter times accuses whom the others still wait for.",
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
    value: 0,
    min: 0,
    max: 65536,
    unit: "MiB",
    help: "Memory for recent records, so that hot gets and the read half of writes need no engine call. Higher: fewer engine reads; lower: less memory. 0: a 64th of the machine's memory, from 64 to 1024 MiB.",
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
    help: "Bytes of puts this node works on at once, a quarter of them for one client; above it, OVERLOADED. Higher: larger bursts of large values; lower: less memory.",
  },
  {
    key: "inFlightPerClientMax",
    kind: "integer",
    value: 4096,
    min: 1,
    max: 65536,
    help: "Requests of one client, over all of its connections, that this node works on or keeps in line at once; above it, OVERLOADED. Higher: one client may have more of the node; lower: a busy one is refused sooner.",
  },
  {
    key: "inFlightPerConnectionMax",
    kind: "integer",
    value: 1024,
    min: 1,
    max: 65536,
    help: "The same for one connection of a client.",
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
    key: "withoutPhases",
    kind: "flag",
    value: false,
    help: "Replies do not tell where their time went, and nothing is kept for `ringtail why` and `ringtail top`: for measuring what these cost.",
  },
  {
    key: "cpusMaySleep",
    kind: "flag",
    value: false,
    help: "Leave it to the kernel how deeply CPUs sleep while requests come. Otherwise a node that may (Linux, as root) asks it, under load, for CPUs that wake up within 2 us, and on a virtual machine for CPUs that do not sleep.",
  },
  {
    key: "withoutRehearsal",
    kind: "flag",
    value: false,
    help: "Start without the rehearsal: one or two seconds of CPU in which the node's code runs in a small simulated cluster, so that what is new to it later (a ring that moves, a node that dies) is not new to the compiler as well.",
  },
  {
    key: "backgroundUnbounded",
    kind: "flag",
    value: false,
    help: "Transfers, anti-entropy, delivery of hints, scrub and reaping take all they can get, whatever clients wait for: for comparing with how they are governed.",
  },
  {
    key: "bodyMaxBytes",
    kind: "integer",
    value: 2048,
    min: 0,
    max: 1_048_576,
    unit: "bytes",
    help: "A get has one replica send its record, and the others only the head of a record larger than this. Higher: fewer second round trips where replicas differ or one is late; lower: fewer bytes between nodes, which pays from about 2 KiB on (docs/GRAY.md). 0: all send all.",
  },
  {
    key: "latencyTargetMs",
    kind: "integer",
    value: 30,
    min: 0,
    max: 600_000,
    unit: "ms",
    help: "What nearly every get should take at the most. A large record that is late is asked of a second replica after what 95 of 100 answers of the two fastest peers take, a third of this at the most; nobody is asked twice where even the fastest takes longer than that third. 0: never.",
  },
];
