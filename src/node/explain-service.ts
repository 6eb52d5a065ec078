/**
 * ExplainService: what this node can say of one key, for `ringtail explain`: its record, what it keeps of the key for
 * others, its place among the owners, and what it knows against forgetting the record. Whoever asks puts the answers of all
 * nodes together.
 */
import { noBytes } from "../base/bytes.ts";
import { RingtailError, wireOf } from "../base/errors.ts";
import { bucketBytesMax, fullKeyOf, keyBytesMax } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import { Slab } from "../base/slab.ts";
import type { Instant } from "../base/time.ts";
import { ReadRule } from "../handoff/transfer.ts";
import { ReapVerdict } from "../repair/reap-verdict.ts";
import type { Reaper } from "../repair/reaper.ts";
import type { Fields } from "../wire/codec.ts";
import type { Frame } from "../wire/frame.ts";
import { type ExplainHint, ExplainReply, ExplainRequest } from "../wire/gen/codecs.ts";
import { hintsPerExplainMax } from "../wire/limits.ts";
import { LocalRecords, type RecordAsker } from "./local-records.ts";
import type { ReapResources, ReapService } from "./reap-service.ts";
import type { Session } from "./session.ts";
import { Ticket } from "./ticket.ts";

const asksMax = 256;
const readsMax = asksMax * (1 + hintsPerExplainMax);

/** A question until its answer. */
interface Ask {
  readonly ticket: Ticket;
  readonly fullKey: Uint8Array;
  record: Uint8Array;
  readonly hints: Fields<ExplainHint>[];
  unreadable: boolean;
  open: number;
}

/** A read for it; `target` 0: of the own record. */
interface Read {
  readonly ask: Ask;
  readonly target: number;
}

export class ExplainService implements RecordAsker {
  readonly #resources: ReapResources;
  readonly #service: ReapService;
  readonly #reaper: Reaper;
  readonly #records: LocalRecords;
  readonly #reads: Slab<Read> = new Slab(readsMax);
  readonly #hash: Hash64 = new Hash64();
  #asks = 0;

  constructor(resources: ReapResources, service: ReapService, reaper: Reaper) {
    this.#resources = resources;
    this.#service = service;
    this.#reaper = reaper;
    this.#records = new LocalRecords(resources.shared, resources.run);
  }

  /** Throws `WireError` or `RingtailError` on bad input. */
  onRequest(now: Instant, session: Session, frame: Frame): void {
    const { bucket, key } = frame.decode(ExplainRequest);
    if (bucket.length < 1 || bucket.length > bucketBytesMax || key.length < 1 || key.length > keyBytesMax) {
      const sizes = `a bucket of ${bucket.length} bytes and a key of ${key.length} bytes`;
      throw new RingtailError("INVALID_ARGUMENT", sizes);
    }
    if (this.#asks === asksMax) {
      session.fail(frame, wireOf("OVERLOADED"), "too many keys are being explained");
      return;
    }
    this.#asks += 1;
    const fullKey = fullKeyOf(bucket, key);
    const targets = this.#resources.store().hints.targets().slice(0, hintsPerExplainMax);
    const ticket = new Ticket(session, frame);
    const ask: Ask = { ticket, fullKey, record: noBytes, hints: [], unreadable: false, open: 0 };
    ask.open = 1 + targets.length;
    this.#records.read(now, this, this.#reads.add({ ask, target: 0 }), fullKey);
    for (const target of targets) {
      this.#records.readHints(now, this, this.#reads.add({ ask, target }), fullKey, target);
    }
  }

  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    const { ask, target } = this.#reads.get(id) as Read;
    this.#reads.remove(id);
    if (error !== null) ask.unreadable = true;
    else if (sealed !== null && target === 0) ask.record = sealed;
    else if (sealed !== null) ask.hints.push({ target, record: sealed });
    ask.open -= 1;
    if (ask.open === 0) this.#answer(now, ask);
  }

  onMoved(): void {}

  #answer(now: Instant, { ticket, fullKey, record, hints, unreadable }: Ask): void {
    this.#asks -= 1;
    const { ring, number, epoch, config, readRule } = this.#resources.shared;
    hashKey(fullKey, this.#hash);
    const { high, low } = this.#hash;
    const partition = ring.partitionOf(high);
    const { n } = ring.policyOf(fullKey.subarray(1, 1 + (fullKey[0] as number)));
    const list = ring.preferenceList(partition, n);
    const position = list.subarray(0, n).indexOf(number) + 1;
    const ageUs = this.#reaper.ageOf(now, high, low);
    const general = this.#service.verdictOf({ epoch, partition, n, keys: [] });
    const held = position === 0 && record.length > 0 ? ReapVerdict.copy : general;
    ticket.answer(ExplainReply, {
      epoch,
      partition,
      n,
      position,
      synced: position > 0 && readRule(partition, n) === ReadRule.serve,
      pending: ring.pendingOf(partition, n) !== undefined,
      record,
      hints,
      seenSeconds: Math.max(0, Math.floor(ageUs / 1_000_000)),
      ageSeconds: Math.ceil(config.reapAgeMs / 1000),
      verdict: unreadable ? ReapVerdict.unreadable : hints.length > 0 ? ReapVerdict.hint : held,
      reaped: this.#service.reapedAt(high, low),
    });
  }

  settle(now: Instant): void {
    this.#records.settle(now);
  }
}
