/**
 * The two cores of the model that think between messages, driven so that a state need not hold them: what a `HintDelivery`
 * remembers of one hint under way is the record it sent, and what a `Reaper` remembers of a certificate is what it asked about
 * and who has answered. Both are brought to where they were by telling them that again; what they do then is theirs.
 */
import { assert } from "../../base/assert.ts";
import { statusOk } from "../../base/errors.ts";
import type { NodeNumber } from "../../base/ids.ts";
import { Rng } from "../../base/rng.ts";
import { after, type Instant, instant } from "../../base/time.ts";
import { HintDelivery } from "../../handoff/delivery.ts";
import type { HintDeliveryEffects } from "../../handoff/delivery-effects.ts";
import type { HintSend } from "../../handoff/hint-lane.ts";
import type { ReapQuestion } from "../../repair/reap-round.ts";
import { Reaper, type ReaperEffects } from "../../repair/reaper.ts";
import type { Ring } from "../../ring/ring.ts";
import type { HintCounts } from "../../storage/hint-table.ts";
import type { ReapReply } from "../../wire/gen/codecs.ts";
import { type ModelKey, second } from "./seat.ts";
import { owners } from "./state.ts";

const inFlight = { inFlightMax: 1, inFlightPerTarget: 1, jitterUs: 0 };
const answer = { durable: true, creditBytes: 1 << 20, foregroundUs: 0, limitUs: 0 };

/** What a delivery wants done with a hint next: send it, delete it if it still is the one that was sent, or nothing. */
export interface HintWish {
  readonly wish: "deliver" | "drop" | "nothing";
  /** Goes with "drop": the causal hash. */
  readonly high: number;
  readonly low: number;
}

/** One delivery, of one hint. */
class OneHint implements HintDeliveryEffects {
  #page = -1;
  #read: HintSend | null = null;
  #sent: HintSend | null = null;
  wish: HintWish = { wish: "nothing", high: 0, low: 0 };
  readonly #delivery: HintDelivery;

  constructor(key: ModelKey, target: number, sealed: Uint8Array) {
    const counts: HintCounts = {
      total: 1,
      bytes: sealed.length,
      countOf: (of) => Number(of === target),
      bytesOf: (of) => (of === target ? sealed.length : 0),
      oldestOf: () => second,
      targets: () => [target],
    };
    const now = instant(0);
    this.#delivery = new HintDelivery({ effects: this, counts, rng: new Rng(1), config: inFlight });
    this.#delivery.onReachable(now, target);
    this.#delivery.tick(now);
    const entry = { target, ...key, second, bytes: sealed.length };
    this.#delivery.onPage(now, this.#page, { entries: [entry], cursor: null });
    if (this.#read !== null) this.#delivery.onRecord(now, this.#read.id, sealed, statusOk);
  }

  /** Its target has the record, on stable storage or not. */
  delivered(durable: boolean): void {
    if (this.#sent !== null) this.#delivery.onDelivered(instant(0), this.#sent.id, { ...answer, durable });
  }

  scan(_now: Instant, _target: number, _cursor: Uint8Array | null, _keysMax: number, token: number): void {
    this.#page = token;
  }

  read(_now: Instant, send: HintSend): void {
    this.#read = send;
  }

  deliver(_now: Instant, send: HintSend): void {
    this.#sent = send;
    this.wish = { wish: "deliver", high: 0, low: 0 };
  }

  keep(): void {
    throw new Error("the owners of the model's key do not change");
  }

  drop(_now: Instant, { causalHigh, causalLow }: HintSend): void {
    this.wish = { wish: "drop", high: causalHigh, low: causalLow };
  }

  ownersOf(): ArrayLike<number> {
    return owners;
  }

  hasLeft(): boolean {
    return false;
  }
}

/** What a delivery does with a hint that it has read. */
export function wishForHint(key: ModelKey, target: number, sealed: Uint8Array): HintWish {
  return new OneHint(key, target, sealed).wish;
}

/** What it does when the target's answer to this record arrives. */
export function wishAfterReceipt(key: ModelKey, target: number, sealed: Uint8Array, durable: boolean): HintWish {
  const hint = new OneHint(key, target, sealed);
  hint.delivered(durable);
  return hint.wish;
}

const ageUs = 1_000;

/** What a reaper asks of whom. */
export interface ReapWish {
  readonly question: ReapQuestion;
  readonly asked: readonly number[];
}

/** The reaper of the first owner. One is enough: it is led through its passes anew for each state, on a clock that goes on. */
export class ReaperSeat implements ReaperEffects {
  readonly #key: ModelKey;
  readonly #ring: Ring;
  readonly #reaper: Reaper;
  #now: Instant = instant(0);
  #sealed: Uint8Array | null = null;
  #scans: { readonly id: number; readonly partition: number }[] = [];
  #prepares: { readonly id: number; readonly member: NodeNumber; readonly request: ReapQuestion }[] = [];
  #commits: { readonly owner: NodeNumber; readonly request: ReapQuestion }[] = [];

  constructor(me: NodeNumber, ring: Ring, key: ModelKey) {
    this.#key = key;
    this.#ring = ring;
    const treeOf = (): number => owners.length;
    this.#reaper = new Reaper({ effects: this, me, ring, treeOf, ageUs });
  }

  /** What it asks once it has seen the record for long enough; null: there is nothing in it to forget. */
  begin(sealed: Uint8Array): ReapWish | null {
    this.#sealed = sealed;
    this.#prepares = [];
    this.#commits = [];
    this.#reaper.onRing(this.#now, this.#ring);
    this.#pump();
    // A pass to begin from, one to see the record, and one to see it again.
    for (let pass = 0; pass < 3 && this.#prepares.length === 0; pass += 1) {
      this.#now = after(this.#now, ageUs);
      this.#reaper.tick(this.#now);
      this.#pump();
    }
    const [first] = this.#prepares;
    return first === undefined ? null : { question: first.request, asked: this.#prepares.map(({ member }) => member) };
  }

  /** Whom it tells to forget the record once all whom it asked have given these answers. */
  certify(sealed: Uint8Array, replyOf: (member: number) => ReapReply): ReapWish | null {
    const wish = this.begin(sealed);
    assert(wish !== null, "what was asked about once is asked about again");
    for (const { id, member } of this.#prepares) this.#reaper.onPrepared(this.#now, id, member, replyOf(member));
    const [first] = this.#commits;
    return first === undefined ? null : { question: first.request, asked: this.#commits.map(({ owner }) => owner) };
  }

  #pump(): void {
    do {
      if (this.#reaper.starved) this.#reaper.grant(this.#now, 1);
      for (const { id, partition } of this.#scans.splice(0)) {
        const here = partition === this.#key.partition && this.#sealed !== null;
        const fullKeys = here ? [this.#key.fullKey] : [];
        const records = here ? [this.#sealed as Uint8Array] : [];
        this.#reaper.onScanned(this.#now, id, { fullKeys, records, unreadable: [], cursor: null });
      }
    } while (this.#scans.length > 0 || this.#reaper.starved);
  }

  scan(_now: Instant, id: number, partition: number): void {
    this.#scans.push({ id, partition });
  }

  prepare(_now: Instant, id: number, member: NodeNumber, request: ReapQuestion): void {
    this.#prepares.push({ id, member, request });
  }

  commit(_now: Instant, _id: number, owner: NodeNumber, request: ReapQuestion): void {
    this.#commits.push({ owner, request });
  }

  /** Entries are pruned from five on, which no model has. */
  inUse(): boolean {
    return true;
  }
}
