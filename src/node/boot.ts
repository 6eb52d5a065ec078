/**
 * Boot: the order in which a node comes to life, each step on stable storage before the next depends on it:
 *
 *   identity -> first ring (bootstrap, or from a seed node) -> identity with its cluster -> actor lease -> store
 *
 * A later start skips what is on disk already, but every boot draws a new actor incarnation: after an unclean stop
 * replicas may hold a dot whose local write never happened here, and a directory may have been copied. The same file
 * carries the lease of counters and, at the end, the word that the stop was clean.
 */
import { Durability } from "../base/durability.ts";
import { RingtailError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { type ActorEffects, Actors, type Incarnation, leaseOfBoot } from "../replica/actors.ts";
import { noMemory } from "../ring/consensus-acceptor.ts";
import type { Member, Ring } from "../ring/ring.ts";
import { encodeRing } from "../wire/ring-codec.ts";
import {
  type ActorState,
  actorBytes,
  ballotBytes,
  checkLaterFiles,
  encodedRingOf,
  identityBytes,
  loadActor,
  loadRing,
  ringBytes,
} from "./node-files.ts";
import type { NodeState } from "./state.ts";
import type { AfterSave } from "./state-saves.ts";

const leaseStep = 10_000;

/** What booting asks of the node around it. */
export interface BootEffects {
  /** The node has an identity on disk and no ring: look for one, and call `onFirstRing`. */
  seekRing(now: Instant): void;
  /** The node has its ring and may mint: open the store. */
  openStore(now: Instant, actors: Actors): void;
  /** The word of a clean stop is on disk. */
  stopped(): void;
}

export class Boot implements ActorEffects {
  readonly #shared: NodeState;
  readonly #effects: BootEffects;
  #firstRing: Ring | undefined = undefined;
  #actors: Actors | undefined = undefined;
  #incarnation: Incarnation = { high16: 0, low: 0 };
  #leaseTop = 0;
  /** This directory may lack history, and only the actor's file knows. */
  #doubted = false;
  #lossesSaved = 0;
  /** The run before has not said that it ended well. */
  wasUnclean = false;
  /** The store ended with this batch, if the last stop was clean; else 0. */
  batchAtStop = 0;
  /** The word of the end is on its way. */
  #ended = false;

  constructor(shared: NodeState, effects: BootEffects) {
    this.#shared = shared;
    this.#effects = effects;
  }

  /** Throws `RingtailError` when the files of this directory are damaged or do not fit the configuration. */
  start(): void {
    const { env, saves, nodeId, clusterId } = this.#shared;
    checkLaterFiles(env.stateFiles);
    const ring = loadRing(env.stateFiles);
    if (ring === undefined) {
      if (clusterId !== undefined) {
        throw new RingtailError(
          "STORAGE_FAILED",
          `the state file "ring" is missing: this node belongs to the cluster ${clusterId}, and must not look for another`,
        );
      }
      saves.save("identity", identityBytes({ nodeId, clusterId: undefined, hasBallot: false }), (now) =>
        this.#effects.seekRing(now),
      );
      return;
    }
    if (clusterId !== undefined && clusterId !== ring.clusterId) {
      throw new RingtailError(
        "STORAGE_FAILED",
        "the node's identity and ring files belong to different clusters: the directory mixes two nodes",
      );
    }
    this.#memberOf(ring);
    if (this.#shared.mayHaveVoted) this.#adopt(ring);
    else this.#prepareVotes(ring);
  }

  /** Saves the ring and who this node is in it; then obeys it. */
  onFirstRing(ring: Ring): void {
    const { env, saves, nodeId } = this.#shared;
    if (this.#firstRing !== undefined) return;
    if (!ring.members.some((member) => member.id === nodeId)) {
      env.fatal("the ring offered to this node does not name it");
      return;
    }
    this.#firstRing = ring;
    env.log.info("first ring received", {
      cluster: ring.clusterId,
      members: ring.members.length,
      partitions: ring.partitions,
    });
    saves.save("ring", ringBytes(encodeRing(ring)), () => this.#prepareVotes(ring));
  }

  /** The votes' file is made once, before the first vote, and the identity tells: later its absence is a loss. */
  #prepareVotes(ring: Ring): void {
    const { saves, nodeId } = this.#shared;
    saves.save("ballot", ballotBytes(noMemory(0, 0, false)), () => {
      const identity = identityBytes({ nodeId, clusterId: ring.clusterId, hasBallot: true });
      saves.save("identity", identity, () => this.#adopt(ring));
    });
  }

  /** This node in the ring of its directory. Throws `RingtailError` if it has no place there, or another one. */
  #memberOf(ring: Ring): Member {
    const { config, nodeId } = this.#shared;
    const member = ring.members.find((one) => one.id === nodeId);
    if (member === undefined) {
      throw new RingtailError(
        "STORAGE_FAILED",
        "the ring in this directory does not name the node in it: the directory mixes two nodes",
      );
    }
    if (member.status === "left") {
      throw new RingtailError(
        "PERMISSION_DENIED",
        `this node has left its cluster ${ring.clusterId}: to come back, it needs an empty directory`,
      );
    }
    if (member.address !== config.advertise) {
      const asked = `but is configured as ${config.advertise}: start it with the address it was created with`;
      throw new RingtailError("INVALID_ARGUMENT", `this node is ${member.address} in its cluster's ring, ${asked}`);
    }
    return member;
  }

  /** Obeys a ring that is on disk, and prepares the actor under which this boot mints. */
  #adopt(ring: Ring): void {
    const { env } = this.#shared;
    const member = this.#memberOf(ring);
    this.#shared.adoptRing(ring, member.number, encodedRingOf(env.stateFiles, ring).hash);
    const last = loadActor(env.stateFiles);
    this.#shared.isFirstBoot = this.#firstRing !== undefined;
    this.#shared.doubt = this.#doubtOf(ring, last);
    this.#doubted = this.#shared.doubt !== null;
    this.#shared.losses = (last?.losses ?? 0) + (this.#doubted ? 1 : 0);
    this.wasUnclean = last?.clean === false;
    this.batchAtStop = last?.newestBatch ?? 0;
    if (this.wasUnclean && last !== undefined) {
      env.log.warn("the last stop was not clean", { machineRestarted: restarted(last, env.bootId) });
    }
    this.#incarnation = this.drawIncarnation();
    this.#leaseTop = leaseOfBoot(last?.leaseTop ?? 0, leaseStep);
    this.#saveActor(null, (now) => this.#mayMint(now));
  }

  /** Why acknowledged writes may be missing from this directory; null: none can be. */
  #doubtOf(ring: Ring, last: ActorState | undefined): string | null {
    if (this.#firstRing !== undefined) return null;
    if (last === undefined) return "it is not known how the last run ended";
    if (last.clean) return null;
    if (restarted(last, this.#shared.env.bootId)) return "the machine went down while the node ran";
    const lazy = ring.buckets.some(({ durability }) => durability === Durability.memory);
    return lazy ? "the last run ended with writes that were in memory alone" : null;
  }

  /**
   * The store gives reason to doubt, too: it is found empty, or batches are missing. Until `doubtsSaved` the actor's
   * file holds no boot id, so that a boot that comes too early doubts as this one does.
   */
  doubt(reason: string): void {
    this.#shared.doubt = reason;
    if (this.#doubted) return;
    this.#doubted = true;
    this.#shared.losses += 1;
    this.#saveActor(null, () => {});
  }

  /** What was in doubt is written down elsewhere. */
  doubtsSaved(): void {
    if (!this.#doubted) return;
    this.#doubted = false;
    if (!this.#ended) this.#saveActor(null, () => {});
  }

  /** Whether the count of losses may be told. */
  get lossesSaved(): boolean {
    return this.#lossesSaved === this.#shared.losses;
  }

  /** `batchAtStop`: what the store holds at a clean stop; null: the node runs, or was in doubt to its end. */
  #saveActor(batchAtStop: number | null, done: AfterSave): void {
    const { high16: incarnationHigh, low: incarnationLow } = this.#incarnation;
    const { env, saves } = this.#shared;
    const bootId = this.#doubted ? "" : env.bootId;
    const { losses } = this.#shared;
    const stop = { clean: batchAtStop !== null, newestBatch: batchAtStop ?? 0 };
    const actor = { incarnationHigh, incarnationLow, leaseTop: this.#leaseTop, bootId, losses, ...stop };
    saves.save("actor", actorBytes(actor), (now) => {
      this.#lossesSaved = losses;
      done(now);
    });
  }

  #mayMint(now: Instant): void {
    this.#actors = new Actors({
      effects: this,
      node: this.#shared.number,
      partitions: this.#shared.ring.partitions,
      incarnation: this.#incarnation,
      leaseTop: this.#leaseTop,
      leaseStep,
    });
    this.#effects.openStore(now, this.#actors);
  }

  saveLease(_now: Instant, leaseTop: number): void {
    this.#leaseTop = leaseTop;
    this.#saveActor(null, () => this.#actors?.onLeaseSaved(this.#leaseTop));
  }

  drawIncarnation(): Incarnation {
    const bytes = this.#shared.env.randomBytes(6);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 6);
    return { high16: view.getUint16(0), low: view.getUint32(2) };
  }

  /** The store is closed, with this batch as its newest: leave word that this stop was clean. */
  saveCleanStop(newestBatch: number): void {
    this.#ended = true;
    this.#saveActor(this.#doubted ? null : newestBatch, () => this.#effects.stopped());
  }
}

/** Whether the machine was started anew since that run; unknown counts as yes. */
function restarted(last: ActorState, bootId: string): boolean {
  return last.bootId !== bootId || last.bootId === "";
}
