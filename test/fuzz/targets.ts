/**
 * What is fuzzed: everything that reads bytes or text from elsewhere. A target has valid inputs to begin with, and takes
 * one input: it returns when that was accepted or refused as it should be, and throws when it was not. Refusals are the
 * named error of the reader and nothing else; what is accepted must also be consistent.
 */
import { crc32c } from "../../src/base/crc32c.ts";
import { RingtailError } from "../../src/base/errors.ts";
import { clusterIdOf, nodeIdOf } from "../../src/base/ids.ts";
import { Rng } from "../../src/base/rng.ts";
import { type Instant, instant } from "../../src/base/time.ts";
import { writeWord } from "../../src/base/words.ts";
import { encodeMembers } from "../../src/membership/members-file.ts";
import { Membership } from "../../src/membership/membership.ts";
import { updateBytes } from "../../src/membership/packets.ts";
import { configOf, settings } from "../../src/node/config.ts";
import {
  actorBytes,
  identityBytes,
  loadActor,
  loadBallot,
  loadIdentity,
  loadMembers,
  loadRing,
  loadTransfers,
  membersBytes,
} from "../../src/node/node-files.ts";
import { openStateFile, type StateFileName, type StateFiles, sealStateFile } from "../../src/storage/state-files.ts";
import { logEntryBytes, putLogEntry, readLogEntries } from "../../src/storage/write-ahead-log.ts";
import { ContextKey, openContext } from "../../src/version/context.ts";
import { checkRecord, mergeSealed, openRecord, RecordError, sealRecord } from "../../src/version/record.ts";
import { decode, encode, type MessageCodec } from "../../src/wire/codec.ts";
import { type Frame, FrameReader } from "../../src/wire/frame.ts";
import * as codecs from "../../src/wire/gen/codecs.ts";
import { WireError } from "../../src/wire/wire-error.ts";
import { fromHex, readVectors } from "../support/vectors.ts";
import { membershipOptions } from "./member.ts";

export interface Target {
  readonly name: string;
  readonly corpus: readonly Uint8Array[];
  take(bytes: Uint8Array, rng: Rng): void;
}

/** Runs `read`; the result, or undefined if it was refused with one of `refusals`. Anything else goes on up. */
function attempt<T>(read: () => T, ...refusals: readonly (abstract new (...args: never[]) => Error)[]): T | undefined {
  try {
    return read();
  } catch (error) {
    if (refusals.some((refusal) => error instanceof refusal)) return undefined;
    throw error;
  }
}

function demand(holds: boolean, text: string): void {
  if (!holds) throw new Error(text);
}

const allCodecs = Object.values<MessageCodec<unknown>>({ ...codecs });
const messageVectors = Object.entries(readVectors<Record<string, string>>("messages"));

/** Each message's decoder gets every message's bytes: fields of one are garbage for the other. */
const messages: Target = {
  name: "messages",
  corpus: messageVectors.map(([, hex]) => fromHex(hex)),
  take(bytes, rng) {
    const codec = rng.pick(allCodecs);
    const message = attempt(() => decode(codec, bytes, 0, bytes.length), WireError);
    if (message === undefined) return;
    const again = encode(codec, message);
    const back = encode(codec, decode(codec, again, 0, again.length));
    demand(Buffer.compare(again, back) === 0, `${codec.name}: what was decoded is encoded otherwise each time`);
  },
};

const frameVectors = readVectors<readonly { readonly bytes: string; readonly message?: string }[]>("frames");

/** A stream of frames in chunks of any size: whole frames or one complaint, and never more than came in. */
const frames: Target = {
  name: "frames",
  corpus: frameVectors.map(({ bytes }) => fromHex(bytes)),
  take(bytes, rng) {
    let bad = 0;
    let delivered = 0;
    const onFrame = (_now: Instant, { bytes: chunk, start, end }: Frame): void => {
      demand(bad === 0, "a frame follows a complaint");
      demand(start <= end && end <= chunk.length, "a body lies outside of its chunk");
      delivered += 10 + end - start;
    };
    const onBadFrame = (): void => {
      bad += 1;
    };
    const reader = new FrameReader({ onFrame, onBadFrame }, 4096);
    for (let at = 0; at < bytes.length; ) {
      const size = rng.between(1, Math.max(1, bytes.length - at));
      reader.feed(instant(1), bytes.slice(at, at + size));
      at += size;
    }
    demand(bad <= 1 && delivered + reader.pendingBytes <= bytes.length, "a reader made up bytes");
    demand(bad > 0 || delivered + reader.pendingBytes === bytes.length, "a reader lost bytes");
  },
};

const sealedVectors = readVectors<readonly { readonly sealed: string }[]>("records").map(({ sealed }) =>
  fromHex(sealed),
);

/** Half of the records get a good checksum again, or no mutation would get past it. */
const records: Target = {
  name: "records",
  corpus: sealedVectors,
  take(bytes, rng) {
    if (bytes.length >= 8 && rng.chance(500)) writeWord(bytes, 4, crc32c(bytes, 8, bytes.length));
    if (checkRecord(bytes) !== null) return;
    const set = attempt(() => openRecord(bytes), RecordError);
    if (set === undefined) return;
    const again = openRecord(sealRecord(set));
    demand(again.sameCausally(set), "a record changes when it is sealed again");
    const other = rng.pick(sealedVectors);
    const merged = attempt(() => mergeSealed(bytes, other), RecordError);
    if (merged !== undefined) demand(checkRecord(merged) === null, "a merge has no good checksum");
  },
};

const contextKey = new ContextKey(1, new Uint8Array(16));

interface ContextVector {
  readonly fullKey: string;
  readonly context: string;
}

const contextVectors = readVectors<readonly ContextVector[]>("contexts");

/** Nobody who lacks the key makes a context that opens: not out of others, not of other keys. */
const contexts: Target = {
  name: "contexts",
  corpus: contextVectors.map(({ context }) => fromHex(context)),
  take(bytes, rng) {
    const fullKey = fromHex(rng.pick(contextVectors).fullKey);
    const opened = attempt(() => openContext(contextKey, fullKey, bytes), RingtailError);
    demand(opened === undefined || opened.version.size === 0, "a context opens that nobody has sealed");
  },
};

const files = new Map<StateFileName, Uint8Array>();
const held: StateFiles = {
  attach: () => {},
  load: (name) => files.get(name) ?? null,
  save: () => {},
};
const nodeId = nodeIdOf(new Uint8Array(16).fill(7));
const clusterId = clusterIdOf(new Uint8Array(16).fill(9));
const loaders = {
  identity: loadIdentity,
  ring: loadRing,
  ballot: loadBallot,
  actor: loadActor,
  transfers: loadTransfers,
};

const actor = { incarnationHigh: 1, incarnationLow: 2, leaseTop: 20_000, bootId: "boot", losses: 0 };

/** The files of a node: accepted, or refused with the file's name; the members' file is opened by membership. */
const stateFiles: Target = {
  name: "state files",
  corpus: [
    identityBytes({ nodeId, clusterId, hasBallot: true }),
    actorBytes({ ...actor, clean: false, newestBatch: 0 }),
    actorBytes({ ...actor, clean: true, newestBatch: 700 }),
    membersBytes(encodeMembers(64, [])),
    ...messageVectors
      .filter(([name]) => name === "RingState" || name.endsWith("File"))
      .map(([, hex]) => sealStateFile(1, fromHex(hex))),
  ],
  take(bytes, rng) {
    const file = bytes.length > 16 && rng.chance(700) ? sealStateFile(1, bytes.subarray(16)) : bytes;
    for (const [name, load] of Object.entries(loaders)) {
      files.set(name as StateFileName, file);
      attempt(() => load(held), RingtailError);
    }
    files.set("members", file);
    const stored = attempt(() => loadMembers(held), RingtailError);
    if (stored === undefined || stored === null) return;
    attempt(() => new Membership(membershipOptions(new Rng(1), stored)), WireError);
    attempt(() => openStateFile("ring", 1, file), RingtailError);
  },
};

function logOf(sealed: readonly Uint8Array[]): Uint8Array {
  const fullKey = fromHex(contextVectors[0]?.fullKey ?? "016162");
  const out = new Uint8Array(sealed.reduce((sum, one) => sum + logEntryBytes(fullKey, one), 0));
  let at = 0;
  for (const one of sealed) {
    const entry = { n: 3, partition: 1, hashHigh: 2, hashLow: 3, fullKey, sealed: one, forgotten: at > 0 };
    at = putLogEntry(out, at, entry);
  }
  return out;
}

/** A segment of the log: what is read ends at the first entry that is none. */
const log: Target = {
  name: "log segments",
  corpus: [logOf(sealedVectors.slice(0, 1)), logOf(sealedVectors.slice(0, 4))],
  take(bytes) {
    let entries = 0;
    const end = readLogEntries(bytes, ({ fullKey, sealed }) => {
      entries += fullKey.length + sealed.length;
    });
    demand(end <= bytes.length && entries <= end, "a log has more in it than bytes");
  },
};

/** One membership takes all datagrams; nothing they say makes it die, grow without bound or go back. */
class Gossip implements Target {
  readonly name = "datagrams";
  readonly corpus: readonly Uint8Array[];
  readonly #saves: number[] = [];
  #membership: Membership;
  #now = 1;

  constructor() {
    const sent: Uint8Array[] = [];
    this.#membership = this.#begin(sent);
    for (let i = 0; i < 400; i += 1) this.#tick(this.#membership, 50_000);
    this.corpus = [...sent.slice(0, 60), updateBytes(sampleUpdate)];
  }

  #begin(sent: Uint8Array[] = []): Membership {
    this.#saves.length = 0;
    const membership = new Membership(membershipOptions(new Rng(1), null, sent, this.#saves));
    membership.start(instant(this.#now));
    this.#tick(membership, 0);
    return membership;
  }

  #tick(membership: Membership, us: number): void {
    this.#now += us;
    membership.tick(instant(this.#now));
    for (const token of this.#saves.splice(0)) membership.onPersisted(instant(this.#now), token);
  }

  take(bytes: Uint8Array, rng: Rng): void {
    if (this.#membership.cloned) this.#membership = this.#begin();
    const before = this.#membership.incarnation;
    this.#membership.onDatagram(instant(this.#now), `127.0.0.${rng.below(5)}:7401`, bytes);
    if (rng.chance(20)) this.#tick(this.#membership, rng.below(2_000_000));
    demand(this.#membership.incarnation >= before, "the own incarnation went back");
    if (this.#membership.members.length > 5000) this.#membership = this.#begin();
  }
}

const sampleUpdate = {
  id: nodeId,
  number: 2,
  address: "127.0.0.2:7401",
  versionMin: 1,
  versionMax: 1,
  flags: 0,
  incarnation: 3,
  state: 1,
  accuser: "",
} as const;

const text = new TextDecoder();
const json = new TextEncoder();

/** A configuration file: accepted whole, or refused with INVALID_ARGUMENT; every accepted value is of its setting's kind. */
const configuration: Target = {
  name: "configuration",
  corpus: [
    json.encode(JSON.stringify({ name: "n1", listen: "127.0.0.1:7401", n: 3, durability: "durable" })),
    ...settings.map(({ key, value }) =>
      json.encode(JSON.stringify({ name: "n1", listen: "127.0.0.1:1", [key]: value })),
    ),
  ],
  take(bytes) {
    const given = attempt(() => JSON.parse(text.decode(bytes)) as unknown, SyntaxError);
    if (typeof given !== "object" || given === null) return;
    const config = attempt(() => configOf(given as Parameters<typeof configOf>[0]), RingtailError);
    if (config === undefined) return;
    for (const { key, value } of settings) {
      const found = (config as unknown as Record<string, unknown>)[key];
      demand(value === undefined || typeof found === typeof value, `${key} became ${typeof found}`);
    }
    demand(({} as { polluted?: unknown }).polluted === undefined, "the prototype of objects was changed");
  },
};

export const targets: readonly Target[] = [
  messages,
  frames,
  records,
  contexts,
  stateFiles,
  log,
  new Gossip(),
  configuration,
];
