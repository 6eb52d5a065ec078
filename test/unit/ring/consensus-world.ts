/**
 * A small world for the consensus: nodes with disks, a network that loses, delays, doubles and reorders messages, and
 * crashes that lose what was not saved. One seed decides everything. It watches what may never happen: two rings of
 * one epoch, an epoch that goes back, a proposal whose outcome was told wrongly.
 *
 * Messages cross as frames' bytes, so that their codecs are part of it. The network keeps one promise of TCP: what a
 * life of a node has sent does not arrive after something that a later life sent.
 */
import { hexOf } from "../../../src/base/bytes.ts";
import { statusOk, wireOf } from "../../../src/base/errors.ts";
import { type NodeNumber, nodeId } from "../../../src/base/ids.ts";
import { Rng } from "../../../src/base/rng.ts";
import { type Instant, instant } from "../../../src/base/time.ts";
import { type BallotMemory, type EncodedRing, type RingMessage, RingProposals } from "../../../src/ring/consensus.ts";
import {
  type RingProposalsEffects,
  type RingProposalsTiming,
  ringProposalsTiming,
} from "../../../src/ring/consensus-effects.ts";
import { encodedRing } from "../../../src/ring/consensus-state.ts";
import { nextRing } from "../../../src/ring/next-ring.ts";
import { recoveredRing } from "../../../src/ring/recovery.ts";
import type { Ring } from "../../../src/ring/ring.ts";
import { encode } from "../../../src/wire/codec.ts";
import { Frame } from "../../../src/wire/frame.ts";
import { decodeRing, encodeRing } from "../../../src/wire/ring-codec.ts";
import {
  decodeBallotMemory,
  encodeBallotMemory,
  readRingMessage,
  sendRingMessage,
} from "../../../src/wire/ring-messages.ts";

/** One node: its disk, and its present life if it runs. */
export interface WorldNode {
  readonly number: NodeNumber;
  ring: Uint8Array;
  ballot: Uint8Array | null;
  life: number;
  core: RingProposals | null;
  /** Saves of this life that are under way, in order. */
  saves: { file: "ring" | "ballot"; bytes: Uint8Array; token: number; at: number }[];
  fenced: boolean;
}

/** What the network does to a message. */
export interface Network {
  lossPerMille: number;
  doublePerMille: number;
  delayUsMax: number;
  saveUsMax: number;
}

/** A network that only takes its time. */
export const calmNetwork: Network = { lossPerMille: 0, doublePerMille: 0, delayUsMax: 2_000, saveUsMax: 5_000 };

interface Event {
  readonly at: number;
  readonly run: () => void;
}

interface Wanted {
  readonly hash: string;
  readonly epoch: number;
}

const codec = { decode: decodeRing, encode: encodeRing };
/** How often a node looks whether its tick is due, as a host whose alarm comes late does. */
const lookUs = 20_000;

function hashText(ring: EncodedRing): string {
  return `${ring.hash.high.toString(16)}.${ring.hash.low.toString(16)}`;
}

/** What was broken. */
export class ConsensusBroken extends Error {}

export class ConsensusWorld {
  readonly rng: Rng;
  readonly nodes = new Map<NodeNumber, WorldNode>();
  /** Chosen rings by epoch. */
  readonly chosen = new Map<number, EncodedRing>();
  readonly story: string[] = [];
  readonly decisions = new Map<number, { status: number; message: string }>();
  readonly alarms: string[] = [];
  network: Network = { ...calmNetwork };
  /** Whether a message gets from one to the other. */
  reaches: (from: NodeNumber, to: NodeNumber) => boolean = () => true;
  /** Looks at each message before it is sent; false: it is lost. */
  filter: (from: NodeNumber, to: NodeNumber, message: RingMessage) => boolean = () => true;
  timing: RingProposalsTiming = ringProposalsTiming;
  /** Whether pings carry digests. */
  pings = true;
  /** Whether messages are told in the story. */
  verbose = false;
  now = 0;
  #tokens = 0;
  /** The latest first; of one instant, the first to come is the last here. */
  readonly #events: Event[] = [];
  readonly #wanted = new Map<number, Wanted>();

  constructor(seed: number, ring: Ring) {
    this.rng = new Rng(seed);
    const first = encodedRing(codec, ring);
    this.chosen.set(ring.epoch, first);
    for (const member of ring.members) {
      const node = {
        number: member.number,
        ring: first.bytes,
        ballot: null,
        life: 0,
        core: null,
        saves: [],
        fenced: false,
      };
      this.nodes.set(member.number, node);
    }
  }

  node(number: number): WorldNode {
    const node = this.nodes.get(number as NodeNumber);
    if (node === undefined) throw new Error(`no node ${number}`);
    return node;
  }

  core(number: number): RingProposals {
    const { core } = this.node(number);
    if (core === null) throw new Error(`node ${number} is down`);
    return core;
  }

  get time(): Instant {
    return instant(this.now);
  }

  say(text: string): void {
    this.story.push(`${String(Math.round(this.now / 1000)).padStart(7)} ms  ${text}`);
  }

  /** Adds a machine that holds `ring`: a member of it that has never run. */
  add(number: number, ring: EncodedRing): void {
    const node = { ballot: null, life: 0, core: null, saves: [], fenced: false };
    this.nodes.set(number as NodeNumber, { number: number as NodeNumber, ring: ring.bytes, ...node });
  }

  startAll(): void {
    for (const node of this.nodes.values()) if (node.core === null && !node.fenced) this.start(node.number);
  }

  start(number: number): void {
    const node = this.node(number);
    node.life += 1;
    const ring = decodeRing(node.ring);
    const { ballot, life } = node;
    const memory: BallotMemory | null = ballot === null ? null : decodeBallotMemory(ballot);
    node.core = new RingProposals({
      effects: this.#effects(node),
      self: node.number,
      nodeId: nodeId(number.toString(16).padStart(32, "0")),
      life: 1000 * number + life,
      rng: this.rng.fork(`${number}/${life}`),
      codec,
      ring: { ...encodedRing(codec, ring), bytes: node.ring },
      memory,
      planRecovery: recoveredRing,
      timing: this.timing,
    });
    this.#guard(node, () => node.core?.start(this.time));
    this.#tick(node, life);
    this.#ping(node, life);
  }

  /** Ends the life of a node; each save that is under way may still have reached the disk, up to a first that did not. */
  crash(number: number, savesLand = this.rng.below(3)): void {
    const node = this.node(number);
    node.core = null;
    for (const save of node.saves.slice(0, savesLand)) this.#land(node, save.file, save.bytes);
    node.saves = [];
  }

  /** Proposes a ring through a node; the token names the decision. */
  propose(number: number, ring: Ring): number {
    this.#tokens += 1;
    const token = this.#tokens;
    const encoded = encodedRing(codec, ring);
    this.#wanted.set(token, { hash: hashText(encoded), epoch: ring.epoch });
    const node = this.node(number);
    this.#guard(node, () => node.core?.propose(this.time, token, ring));
    return token;
  }

  recover(number: number, lost: readonly number[]): number {
    this.#tokens += 1;
    const token = this.#tokens;
    const node = this.node(number);
    this.#guard(node, () => node.core?.recover(this.time, token, lost as readonly NodeNumber[]));
    return token;
  }

  /** Runs everything that is due in the next `ms`. */
  run(ms: number): void {
    const end = this.now + ms * 1000;
    for (let event = this.#next(end); event !== null; event = this.#next(end)) {
      this.now = event.at;
      event.run();
    }
    this.now = end;
  }

  /** Runs until the condition holds; throws if it does not within `ms`. */
  runUntil(what: string, ms: number, condition: () => boolean): void {
    const end = this.now + ms * 1000;
    while (!condition()) {
      const event = this.#next(end);
      if (event === null) throw new ConsensusBroken(`${what}: not within ${ms} ms`);
      this.now = event.at;
      event.run();
    }
  }

  after(us: number, run: () => void): void {
    const at = this.now + us;
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#events[middle] as Event).at > at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { at, run });
  }

  /** The newest ring that anybody chose. */
  newest(): EncodedRing {
    return [...this.chosen.values()].reduce((a, b) => (a.ring.epoch > b.ring.epoch ? a : b));
  }

  #next(end: number): Event | null {
    const event = this.#events.at(-1);
    if (event === undefined || event.at > end) return null;
    this.#events.pop();
    return event;
  }

  #guard(node: WorldNode, act: () => void): void {
    if (node.core !== null) act();
  }

  #tick(node: WorldNode, life: number): void {
    if (node.core === null || node.life !== life) return;
    if (node.core.nextTick() <= this.time) node.core.tick(this.time);
    this.after(lookUs, () => this.#tick(node, life));
  }

  /** Every half second one other node hears this one's digest, as pings do. */
  #ping(node: WorldNode, life: number): void {
    if (node.core === null || node.life !== life) return;
    const others = [...this.nodes.values()].filter((other) => other !== node);
    if (this.pings && others.length > 0) {
      const other = this.rng.pick(others);
      const { ring, hash } = node.core.ring;
      const { epoch } = ring;
      const delivered = this.reaches(node.number, other.number) && !this.rng.chance(this.network.lossPerMille);
      this.after(this.#delay(), () => {
        if (delivered && node.life === life) other.core?.onDigest(this.time, node.number, epoch, hash.high, hash.low);
      });
    }
    this.after(500_000, () => this.#ping(node, life));
  }

  #delay(): number {
    return 200 + this.rng.below(this.network.delayUsMax);
  }

  #effects(node: WorldNode): RingProposalsEffects {
    const { life } = node;
    const check = (): void => {
      if (node.life !== life || node.core === null) throw new ConsensusBroken(`a dead life of ${node.number} acts`);
    };
    return {
      send: (_now, to, message) => {
        const passes = this.filter(node.number, to, message);
        if (this.verbose && message.kind !== "digest") {
          this.say(`${node.number} -> ${to}  ${describe(message)}${passes ? "" : " (lost)"}`);
        }
        if (passes) this.#send(node, life, to, message);
      },
      saveBallot: (_now, memory, token) => this.#save(node, life, "ballot", encodeBallotMemory(memory), token),
      saveRing: (_now, ring, token) => {
        this.#choose(ring);
        this.#save(node, life, "ring", ring.bytes, token);
      },
      chosen: (_now, ring) => {
        check();
        this.say(`${node.number} takes ring ${epochText(ring.ring.epoch)}: ${weightsOf(ring.ring)}`);
        if (hexOf(ring.bytes) !== hexOf(node.ring)) throw new ConsensusBroken("acted on a ring that is not on disk");
      },
      fenced: (_now, ring) => {
        node.fenced = true;
        this.say(`${node.number} is fenced by ring ${epochText(ring.ring.epoch)}`);
      },
      decided: (_now, token, status, message) => this.#decide(node, token, status, message),
      conflict: (_now, from, epoch) => {
        this.alarms.push(`conflict ${node.number} ${from} ${epoch}`);
        this.say(`ALARM at ${node.number}: ${from} holds another ring ${epochText(epoch)}`);
      },
      rolledBack: (_now, number) => {
        this.alarms.push(`rolled-back ${node.number} ${number}`);
        this.say(`ALARM at ${node.number}: the votes of ${number} went back`);
      },
    };
  }

  #choose(ring: EncodedRing): void {
    const { epoch } = ring.ring;
    const known = this.chosen.get(epoch);
    if (known === undefined) this.chosen.set(epoch, ring);
    else if (hashText(known) !== hashText(ring)) throw new ConsensusBroken(`two rings of epoch ${epoch}`);
  }

  #decide(node: WorldNode, token: number, status: number, message: string): void {
    if (this.decisions.has(token)) throw new ConsensusBroken("a request was decided twice");
    this.decisions.set(token, { status, message });
    this.say(`${node.number} answers its operator: ${status === statusOk ? "done" : `${status} ${message}`}`);
    const wanted = this.#wanted.get(token);
    if (wanted === undefined) return;
    const known = this.chosen.get(wanted.epoch);
    const own = known !== undefined && hashText(known) === wanted.hash;
    if (status === statusOk && !own) throw new ConsensusBroken("a change was called done that was not chosen");
    if (status === wireOf("BASE_EPOCH_CHANGED") && own) throw new ConsensusBroken("a chosen change was called refused");
  }

  #send(node: WorldNode, life: number, to: NodeNumber, message: RingMessage): void {
    let frame: { type: number; body: Uint8Array } | null = null;
    sendRingMessage(message, (type, bodyCodec, body) => {
      frame = { type, body: encode(bodyCodec, body) };
      return true;
    });
    const { type, body } = frame as unknown as { type: number; body: Uint8Array };
    const copies = this.rng.chance(this.network.doublePerMille) ? 2 : 1;
    for (let i = 0; i < copies; i += 1) {
      if (this.rng.chance(this.network.lossPerMille) || !this.reaches(node.number, to)) continue;
      this.after(this.#delay(), () => {
        const target = this.nodes.get(to);
        if (target?.core == null || node.life !== life || !this.reaches(node.number, to)) return;
        const read = readRingMessage(new Frame(type, 0, 0, body));
        if (read === null) throw new ConsensusBroken(`no message in frame ${type}`);
        target.core.onMessage(this.time, node.number, read);
      });
    }
  }

  #save(node: WorldNode, life: number, file: "ring" | "ballot", bytes: Uint8Array, token: number): void {
    const last = node.saves.findLast((save) => save.file === file);
    const at = Math.max(this.now + 500 + this.rng.below(this.network.saveUsMax), last?.at ?? 0);
    const save = { file, bytes, token, at };
    node.saves.push(save);
    this.after(at - this.now, () => {
      if (node.life !== life || node.core === null) return;
      node.saves.splice(node.saves.indexOf(save), 1);
      this.#land(node, file, bytes);
      node.core.onPersisted(this.time, token);
    });
  }

  #land(node: WorldNode, file: "ring" | "ballot", bytes: Uint8Array): void {
    if (file === "ballot") node.ballot = bytes;
    else {
      if (decodeRing(bytes).epoch <= decodeRing(node.ring).epoch) throw new ConsensusBroken("an epoch went back");
      node.ring = bytes;
    }
  }
}

/** The ring after `ring` in which one member's weight is another: the smallest change that can be told apart. */
export function withWeight(ring: Ring, number: number, weight: number): Ring {
  return nextRing(ring, { members: ring.members.map((one) => (one.number === number ? { ...one, weight } : one)) });
}

function epochText(epoch: number): string {
  return epoch > 1 << 20 ? `${epoch % (1 << 20)} + 2^20` : String(epoch);
}

function weightsOf(ring: Ring): string {
  return ring.members
    .map((one) => (one.status === "left" ? `${one.number} left` : `${one.number}:${one.weight}`))
    .join(" ");
}

function ballotText(ballot: { round: number; node: number }): string {
  return `${ballot.round}.${ballot.node}`;
}

function describe(message: RingMessage): string {
  const { stamp } = message;
  const at = `at ${epochText(stamp.epoch)}`;
  if (message.kind === "digest" || message.kind === "pull") return `${message.kind} ${at}`;
  if (message.kind === "chosen") return `chosen ${epochText(decodeRing(message.bytes).epoch)}`;
  const head = `${message.kind} ${ballotText(message.ballot)} for ${epochText(message.target)}`;
  if (message.kind === "accept") return `${head}: ${weightsOf(decodeRing(message.bytes))}`;
  if (message.kind === "refusal") return `${head}: ${message.reason} ${ballotText(message.promised)}`;
  if (message.kind !== "promise") return head;
  const { accepted, acceptedNext } = message;
  const held =
    accepted === null ? "" : `, accepted ${ballotText(accepted.ballot)}: ${weightsOf(decodeRing(accepted.bytes))}`;
  return `${head}${held}${acceptedNext === null ? "" : `, accepted before: ${weightsOf(decodeRing(acceptedNext.bytes))}`}`;
}
