/**
 * Boot: the order in which a node comes to life, each step on stable storage before the next depends on it:
 *
 *   identity -> first ring (bootstrap, or from a seed node) -> identity with its cluster -> actor lease -> store
 *
 * A later start skips what is on disk already, but every boot draws a new actor incarnation: after an unclean stop
 * replicas may hold a dot whose local write never happened here, and a directory may have been copied (mechanisms.md
 * 3.3). The same file carries the lease of counters and, at the end, the word that the stop was clean.
 */
import { assert } from "../base/assert.ts";
import { RingtailError } from "../base/errors.ts";
import { idBytes } from "../base/ids.ts";
import type { Instant } from "../base/time.ts";
import { type ActorEffects, Actors, type Incarnation, leaseOfBoot } from "../replica/actors.ts";
import type { Ring } from "../ring/ring.ts";
import type { StateFileEvents } from "../storage/state-files.ts";
import { actorBytes, identityBytes, loadActor, loadRing, ringBytes } from "./node-files.ts";
import type { NodeState } from "./state.ts";

const leaseStep = 10_000;

/** What a completed save lets happen next. */
const Saved = { identity: 1, firstRing: 2, member: 3, actor: 4, lease: 5, clean: 6 } as const;

/** What booting asks of the node around it. */
export interface BootEffects {
  /** The node has an identity on disk and no ring: look for one, and call `onFirstRing`. */
  seekRing(now: Instant): void;
  /** The node has its ring and may mint: open the store. */
  openStore(now: Instant, actors: Actors): void;
  /** The word of a clean stop is on disk. */
  stopped(): void;
  settle(now: Instant): void;
}

export class Boot implements StateFileEvents, ActorEffects {
  readonly #shared: NodeState;
  readonly #effects: BootEffects;
  #firstRing: Ring | undefined = undefined;
  #actors: Actors | undefined = undefined;
  #incarnation: Incarnation = { high16: 0, low: 0 };
  #leaseTop = 0;

  constructor(shared: NodeState, effects: BootEffects) {
    this.#shared = shared;
    this.#effects = effects;
    shared.env.stateFiles.attach(this);
  }

  /** Throws `RingtailError` when the files of this directory are damaged or do not fit the configuration. */
  start(): void {
    const { env, nodeId, clusterId } = this.#shared;
    const ring = loadRing(env.stateFiles);
    if (ring === undefined) {
      if (clusterId !== undefined) {
        throw new RingtailError(
          "STORAGE_FAILED",
          `the state file "ring" is missing: this node belongs to the cluster ${clusterId}, and must not look for another`,
        );
      }
      env.stateFiles.save("identity", identityBytes({ nodeId, clusterId: undefined }), Saved.identity);
      return;
    }
    if (clusterId !== undefined && clusterId !== ring.clusterId) {
      throw new RingtailError(
        "STORAGE_FAILED",
        "the node's identity and ring files belong to different clusters: the directory mixes two nodes",
      );
    }
    this.#adopt(ring);
  }

  onFirstRing(ring: Ring): void {
    const { env, nodeId } = this.#shared;
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
    env.stateFiles.save("ring", ringBytes(ring), Saved.firstRing);
  }

  /** Obeys a ring that is on disk, and prepares the actor under which this boot mints. */
  #adopt(ring: Ring): void {
    const { env, config, nodeId } = this.#shared;
    const member = ring.members.find((one) => one.id === nodeId);
    if (member === undefined) {
      throw new RingtailError(
        "STORAGE_FAILED",
        "the ring in this directory does not name the node in it: the directory mixes two nodes",
      );
    }
    if (member.address !== config.advertise) {
      const asked = `but is configured as ${config.advertise}: start it with the address it was created with`;
      throw new RingtailError("INVALID_ARGUMENT", `this node is ${member.address} in its cluster's ring, ${asked}`);
    }
    this.#shared.adoptRing(ring, member.number, env.deriveKey(idBytes(ring.clusterId), "context"));
    const last = loadActor(env.stateFiles);
    if (last !== undefined && !last.clean) {
      const machineRestarted = last.bootId !== env.bootId || last.bootId === "";
      env.log.warn("the last stop was not clean", { machineRestarted });
    }
    this.#incarnation = this.drawIncarnation();
    this.#leaseTop = leaseOfBoot(last?.leaseTop ?? 0, leaseStep);
    this.#saveActor(Saved.actor, false);
  }

  #saveActor(token: number, clean: boolean): void {
    const { high16, low } = this.#incarnation;
    const { env } = this.#shared;
    const actor = { incarnationHigh: high16, incarnationLow: low, leaseTop: this.#leaseTop, bootId: env.bootId, clean };
    env.stateFiles.save("actor", actorBytes(actor), token);
  }

  onStateWritten(now: Instant, token: number, error: string | null): void {
    const { env, nodeId } = this.#shared;
    if (error !== null) {
      env.fatal(`a file of the node could not be written: ${error}`);
      return;
    }
    if (token === Saved.identity) this.#effects.seekRing(now);
    else if (token === Saved.firstRing) {
      const clusterId = this.#firstRing?.clusterId;
      env.stateFiles.save("identity", identityBytes({ nodeId, clusterId }), Saved.member);
    } else if (token === Saved.member) {
      assert(this.#firstRing !== undefined, "a first ring was saved");
      this.#adopt(this.#firstRing);
    } else if (token === Saved.actor) this.#mayMint(now);
    else if (token === Saved.lease) this.#actors?.onLeaseSaved(this.#leaseTop);
    else this.#effects.stopped();
    this.#effects.settle(now);
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
    this.#saveActor(Saved.lease, false);
  }

  drawIncarnation(): Incarnation {
    const bytes = this.#shared.env.randomBytes(6);
    const view = new DataView(bytes.buffer, bytes.byteOffset, 6);
    return { high16: view.getUint16(0), low: view.getUint32(2) };
  }

  /** The store is closed: leave word that this stop was clean. */
  saveCleanStop(): void {
    this.#saveActor(Saved.clean, true);
  }
}
