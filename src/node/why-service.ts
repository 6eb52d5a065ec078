/**
 * WhyService: what this node can say of what was slow lately and of what is hot, for `ringtail why` and `ringtail top`.
 * It tells facts: the slowest operations, and when its process stood still. Whoever asks all nodes finds the causes, because
 * an operation may have waited for a process that is not its coordinator's.
 */
import { equalBytes } from "../base/bytes.ts";
import { type Instant, instant } from "../base/time.ts";
import type { HotKey as CountedKey } from "../metrics/top-keys.ts";
import type { Fields } from "../wire/codec.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  type HotKey,
  type Pause,
  type SlowOp,
  TopKeysReply,
  TopKeysRequest,
  WhyReply,
  WhyRequest,
} from "../wire/gen/codecs.ts";
import type { OpWatch } from "./op-watch.ts";
import { Part, type Route } from "./part.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

export class WhyService extends Part {
  readonly #shared: NodeState;
  readonly #watch: OpWatch;

  constructor(shared: NodeState, watch: OpWatch) {
    super();
    this.#shared = shared;
    this.#watch = watch;
  }

  override get routes(): readonly Route[] {
    return [
      { type: FrameType.WHY, roles: ["client"] },
      { type: FrameType.TOP_KEYS, roles: ["client"] },
    ];
  }

  override onRequest(now: Instant, session: Session, frame: Frame): void {
    if (frame.type === FrameType.WHY) session.answer(frame, WhyReply, this.tell(now, frame.decode(WhyRequest)));
    else this.#onTopKeys(now, session, frame);
  }

  /** The answer to WHY. */
  tell(now: Instant, { seconds, bucket }: WhyRequest): Fields<WhyReply> {
    const from = seconds === 0 ? instant(0) : instant(now - seconds * 1_000_000);
    const ops: Fields<SlowOp>[] = [];
    this.#watch.slowOps.since(from, ({ answeredAt, ...op }) => {
      if (bucket.length === 0 || equalBytes(op.bucket, bucket)) ops.push({ ...op, ageUs: now - answeredAt });
    });
    const pauses: Fields<Pause>[] = [];
    this.#shared.env.pauses.forEach((kind, began, ended) => {
      if (ended >= from) pauses.push({ kind, ageUs: now - ended, lengthUs: ended - began });
    });
    const totals = [...this.#watch.totals].map(([cause, { ops: count, us }]) => ({ cause, ops: count, us }));
    return { number: this.#shared.number, ops, pauses, totals };
  }

  #onTopKeys(now: Instant, session: Session, frame: Frame): void {
    frame.decode(TopKeysRequest);
    const { topGets, topPuts } = this.#watch;
    session.answer(frame, TopKeysReply, {
      number: this.#shared.number,
      getsPerSecond: topGets.perSecond(now),
      putsPerSecond: topPuts.perSecond(now),
      gets: topGets.hottest(now).map(rowOf),
      puts: topPuts.hottest(now).map(rowOf),
    });
  }
}

function rowOf({ fullKey, isCut, perSecond, excess }: CountedKey): Fields<HotKey> {
  return { fullKey, cut: isCut, perSecond, excess };
}
