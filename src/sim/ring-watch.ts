/**
 * RingWatch: what rings a run has seen. A node saves a ring before it obeys it, so each is seen here first, as its save
 * begins, and again when the node may obey it: the save has ended well, or a start finds the file. The node sees no
 * difference. The checkers (one-ring-per-epoch, ownership-never-gaps) listen, and everybody who must know whose seat is
 * still in the cluster asks.
 */
import type { Hash64 } from "../base/hash.ts";
import type { Instant } from "../base/time.ts";
import { transferStates } from "../handoff/transfer.ts";
import { loadRing, loadTransfers } from "../node/node-files.ts";
import type { Member } from "../ring/member.ts";
import type { Ring } from "../ring/ring.ts";
import { ringHash } from "../ring/ring-digest.ts";
import type { StateFileEvents, StateFileName, StateFiles } from "../storage/state-files.ts";
import type { TransferProgress } from "../wire/gen/codecs.ts";

/** A node is about to keep this ring, and to obey it once it has. */
export interface RingSaved {
  readonly at: Instant;
  readonly seat: number;
  readonly ring: Ring;
  /** Of the file that holds it. */
  readonly hash: Hash64;
  /** Nobody has saved a ring of this epoch, or of a later one, before. */
  readonly isNews: boolean;
}

/** Told of every ring that a node saves. */
export type RingWatcher = (saved: RingSaved) => void;

/** A ring that a node may obey from now on. */
export type RingKept = Omit<RingSaved, "isNews">;

/** Told when a node keeps, for the first time, that it copies what it is to own. */
export type CopyWatcher = (seat: number, transfer: TransferProgress) => void;

const copying = transferStates.indexOf("copying");
const confirmed = transferStates.indexOf("confirmed");

/** The rings of one world. */
export class RingWatch {
  readonly #watchers: RingWatcher[] = [];
  readonly #keptWatchers: ((kept: RingKept) => void)[] = [];
  readonly #known: Map<string, Ring> = new Map();
  readonly #memberAt: Map<string, Member> = new Map();
  readonly #copyWatchers: CopyWatcher[] = [];
  /** By seat and replica: the fence of the transfer that was told last. */
  readonly #told: Map<string, number> = new Map();
  #newest: Ring | undefined = undefined;

  watch(watcher: RingWatcher): void {
    this.#watchers.push(watcher);
  }

  watchKept(watcher: (kept: RingKept) => void): void {
    this.#keptWatchers.push(watcher);
  }

  watchCopying(watcher: CopyWatcher): void {
    this.#copyWatchers.push(watcher);
  }

  /** The ring of the highest epoch that a node has saved. */
  get newest(): Ring | undefined {
    return this.#newest;
  }

  /** The member at an address, as the newest ring has it. Nobody comes back to an address. */
  memberAt(address: string): Member | undefined {
    return this.#memberAt.get(address);
  }

  /** A node saves these bytes as its ring. */
  onSave(at: Instant, seat: number, file: Uint8Array): void {
    const { ring, hash } = this.#ringOf(file);
    if (ring === undefined) return;
    const isNews = ring.epoch > (this.#newest?.epoch ?? 0);
    if (isNews) {
      this.#newest = ring;
      for (const member of ring.members) this.#memberAt.set(member.address, member);
    }
    for (const watcher of this.#watchers) watcher({ at, seat, ring, hash, isNews });
  }

  /** These bytes are the ring of a node's disk. */
  onKept(at: Instant, seat: number, file: Uint8Array): void {
    const { ring, hash } = this.#ringOf(file);
    if (ring === undefined) return;
    for (const watcher of this.#keptWatchers) watcher({ at, seat, ring, hash });
  }

  #ringOf(file: Uint8Array): { readonly ring: Ring | undefined; readonly hash: Hash64 } {
    const hash = ringHash(file);
    const name = `${hash.high}.${hash.low}`;
    const ring = this.#known.get(name) ?? loadRing(filesWith(file));
    if (ring !== undefined) this.#known.set(name, ring);
    return { ring, hash };
  }

  /** A node saves these bytes as what it knows of its transfers. */
  onTransfers(seat: number, file: Uint8Array): void {
    for (const transfer of loadTransfers(filesWith(file))?.transfers ?? []) {
      const { partition, n, since, sending, state } = transfer;
      if (sending || state < copying || state > confirmed) continue;
      const name = `${seat}/${partition}/${n}`;
      if (this.#told.get(name) === since) continue;
      this.#told.set(name, since);
      for (const watcher of this.#copyWatchers) watcher(seat, transfer);
    }
  }
}

function filesWith(file: Uint8Array): StateFiles {
  return { load: () => file, save: () => {}, attach: () => {} };
}

/** What is watched of a node's state files. */
export interface FileWatch {
  onSave(name: StateFileName, file: Uint8Array): void;
  /** These bytes are on the disk: a save has ended well, or a start finds them. */
  onKept(name: StateFileName, file: Uint8Array): void;
}

/** A node's state files, with the watch before them. */
export class WatchedStateFiles implements StateFiles {
  readonly #inner: StateFiles;
  readonly #watch: FileWatch;
  /** By token: saves under way. */
  readonly #open: Map<number, { readonly name: StateFileName; readonly file: Uint8Array }> = new Map();

  constructor(inner: StateFiles, watch: FileWatch) {
    this.#inner = inner;
    this.#watch = watch;
  }

  attach(events: StateFileEvents): void {
    this.#inner.attach({
      onStateWritten: (now, token, error) => {
        const save = this.#open.get(token);
        this.#open.delete(token);
        if (save !== undefined && error === null) this.#watch.onKept(save.name, save.file);
        events.onStateWritten(now, token, error);
      },
    });
  }

  load(name: StateFileName): Uint8Array | null {
    const file = this.#inner.load(name);
    if (file !== null) this.#watch.onKept(name, file);
    return file;
  }

  save(name: StateFileName, bytes: Uint8Array, token: number): void {
    this.#watch.onSave(name, bytes);
    this.#open.set(token, { name, file: bytes.slice() });
    this.#inner.save(name, bytes, token);
  }
}
