/**
 * Inbox: the line in which clients' requests stand before anything is done for them (G11). A turn of the event loop
 * begins so many requests as it is good for, so that answers of peers, replica work and what is under way get their
 * turn first; what else came stands in line, undecoded. So the loop's backlog is here, where it can be seen, and not in
 * the buffers of the sockets, where nobody knows how long it has waited: a turn is short, and each turn reads whatever
 * has come.
 *
 * The line is bounded by time (CoDel, doi:10.1145/2209249.2209264): if for a whole interval the request that had waited
 * longest had waited more than the target, more comes than can be done, and no buffer helps. From then on reads that
 * have waited for the target are refused, writes after twice that, and the newest go first: they have most of their
 * time left. Before that a burst may wait for an interval, in its order. A refusal costs a few dozen bytes, ready made.
 *
 * Clients take turns, whoever asks most: so a client that floods the node makes its own requests wait, not those of the
 * others. How many are worked on at once is the business of `admission.ts`; where that is full, the line waits. In an
 * overload it is fewer while turns are long, since then it is the loop that is short of time: the more is under way,
 * the later all of it ends, and late puts of one key cost more than their time, they leave siblings. With short turns
 * it is a disk or a peer that is waited for, and more may be under way.
 */
import { canary } from "../base/canary.ts";
import { mark } from "../base/mark.ts";
import { after, type DurationUs, type Instant, instant, never } from "../base/time.ts";
import type { Frame } from "../wire/frame.ts";
import type { Asker, InLine } from "./asker.ts";
import type { Session } from "./session.ts";

/** What a wait should not exceed for long. */
export const targetUs: DurationUs = 5_000;
/** For so long it may; and so long may anything wait while there is no overload. */
export const intervalUs: DurationUs = 100_000;
/**
 * A turn should not be longer, or whatever comes meanwhile has waited for most of the target before it is seen. How
 * many requests that is depends on the machine and on who else wants its CPUs: it is found out, turn by turn.
 */
const turnUs: DurationUs = 2_500;
/**
 * With fewer, what each turn costs of its own (one write per link, one append to the log) is most of its work: where
 * others want the CPU too, turns are long however little they do, and doing less would only make each request dearer.
 */
export const perTurnLeast = 16;
/** In an overload of the CPU no more than this need be worked on at once to keep it busy. */
const atOnceLeast = 32;
const perTurnMost = 64;
/** Requests in line, and their bytes: more are refused as they come. */
const waitingMax = 8_192;
const waitingBytesMax = 32 * 1024 * 1024;

/** A request in line: the frame as it came, not decoded. */
class Waiting implements InLine {
  readonly session: Session;
  readonly arrivedAt: Instant;
  /** A copy of its own. */
  readonly frame: Frame;

  constructor(session: Session, arrivedAt: Instant, frame: Frame) {
    this.session = session;
    this.arrivedAt = arrivedAt;
    this.frame = frame;
  }

  get type(): number {
    return this.frame.type;
  }
}

/** What an inbox asks of the node; each call is one effect. */
export interface InboxEffects {
  /** Whether another request may be worked on. */
  hasRoom(now: Instant): boolean;
  /** Requests that are worked on. */
  readonly inFlight: number;
  /** Begins a request that came at `arrivedAt`; its frame is borrowed. Returns what it costs a turn, in requests. */
  begin(now: Instant, arrivedAt: Instant, session: Session, frame: Frame): number;
  /** Everything that this turn takes from the line has been begun. */
  begun(now: Instant): void;
  /** Answers OVERLOADED. */
  refuse(session: Session, frame: Frame): void;
}

export class Inbox {
  readonly #effects: InboxEffects;
  /** Those with requests in line. */
  readonly #askers: Asker[] = [];
  /** Whose turn it is. */
  #next = 0;
  #waiting = 0;
  #waitingBytes = 0;
  /** Requests that a turn begins, and what this one may still begin. */
  #perTurn = perTurnMost;
  #left = perTurnMost;
  #overloaded = false;
  /** In an overload: requests that may be worked on at once. */
  #atOnce = atOnceLeast;
  /** When the line last looked as it does in the present state: long in an overload, else short. */
  #usualAt: Instant = instant(0);

  constructor(effects: InboxEffects) {
    this.#effects = effects;
  }

  /** Requests in line. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Bytes of them. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** More comes than can be done. */
  get overloaded(): boolean {
    return this.#overloaded;
  }

  /** How long the request at the head of the line has waited; 0: there is none. For checkers. */
  longestWait(now: Instant): DurationUs {
    let oldest = now;
    for (const asker of this.#askers) if (asker.oldestAt < oldest) oldest = asker.oldestAt;
    return now - oldest;
  }

  /** A request has come; its frame is borrowed. */
  onRequest(now: Instant, session: Session, frame: Frame): void {
    if (this.#waiting === 0 && this.#left > 0 && this.#hasRoom(now)) {
      this.#left -= this.#effects.begin(now, now, session, frame);
      this.#effects.begun(now);
    } else if (this.#waiting >= waitingMax || this.#waitingBytes + frame.size > waitingBytesMax) {
      this.#effects.refuse(session, frame);
    } else this.#queue(now, new Waiting(session, now, frame.copy()));
  }

  #queue(now: Instant, one: Waiting): void {
    // Nobody looked at a line that was not there.
    if (this.#waiting === 0 && !this.#overloaded) this.#usualAt = now;
    const { asker } = one.session;
    if (asker.waiting === 0) this.#askers.push(asker);
    asker.push(one);
    one.session.waiting += 1;
    this.#waiting += 1;
    this.#waitingBytes += one.frame.size;
  }

  /**
   * The end of a turn that took so long: refuses whom it cannot serve in time, begins what the next turn is good for.
   * Returns whether that turn should come at once, because there is more.
   */
  endTurn(now: Instant, tookUs: DurationUs): boolean {
    if (tookUs > turnUs) this.#perTurn = Math.max(perTurnLeast, this.#perTurn - (this.#perTurn >> 2));
    else if (this.#left <= 0) this.#perTurn = Math.min(perTurnMost, this.#perTurn + (this.#perTurn >> 2));
    this.#left = this.#perTurn;
    this.#atOnce = tookUs > turnUs ? Math.max(atOnceLeast, this.#atOnce - (this.#atOnce >> 3)) : this.#atOnce + 1;
    this.#judge(now);
    if (this.#waiting === 0) return false;
    this.#refuseLate(now);
    const before = this.#waiting;
    while (this.#left > 0 && this.#waiting > 0 && this.#hasRoom(now)) this.#beginOne(now);
    if (this.#waiting !== before) this.#effects.begun(now);
    return this.#waiting > 0 && this.#left <= 0;
  }

  #hasRoom(now: Instant): boolean {
    if (this.#overloaded && this.#effects.inFlight >= this.#atOnce) return false;
    return this.#effects.hasRoom(now);
  }

  /** CoDel: what no wait of a whole interval has contradicted. */
  #judge(now: Instant): void {
    const isLong = this.longestWait(now) > targetUs;
    if (isLong === this.#overloaded) this.#usualAt = now;
    else if (now - this.#usualAt >= intervalUs) {
      mark(isLong ? "inbox.overloaded" : "inbox.calm");
      this.#overloaded = isLong;
      this.#atOnce = Math.max(atOnceLeast, this.#effects.inFlight);
      this.#usualAt = now;
    }
  }

  #refuseLate(now: Instant): void {
    if (canary("line-without-end")) return;
    const readsUs = this.#overloaded ? targetUs : intervalUs;
    const reads = instant(Math.max(0, now - readsUs));
    const writes = instant(Math.max(0, now - (this.#overloaded ? 2 * targetUs : intervalUs)));
    for (let i = this.#askers.length - 1; i >= 0; i -= 1) {
      const asker = this.#askers[i] as Asker;
      for (let late = asker.takeOlder(reads, writes); late !== undefined; late = asker.takeOlder(reads, writes)) {
        const { session, frame } = this.#leave(late);
        this.#effects.refuse(session, frame);
      }
      if (asker.waiting === 0) this.#drop(i);
    }
  }

  #beginOne(now: Instant): void {
    if (this.#next >= this.#askers.length) this.#next = 0;
    const asker = this.#askers[this.#next] as Asker;
    const one = this.#leave(this.#overloaded ? asker.takeNewest() : asker.takeNext());
    if (asker.waiting === 0) this.#drop(this.#next);
    else if (!canary("no-turns-among-clients")) this.#next += 1;
    const { session, arrivedAt, frame } = one;
    if (session.closed) return;
    this.#left -= this.#effects.begin(now, arrivedAt, session, frame);
  }

  /** Nobody else puts anything in line. */
  #leave(inLine: InLine): Waiting {
    const one = inLine as Waiting;
    one.session.waiting -= 1;
    this.#waiting -= 1;
    this.#waitingBytes -= one.frame.size;
    return one;
  }

  #drop(index: number): void {
    const last = this.#askers.pop() as Asker;
    if (index < this.#askers.length) this.#askers[index] = last;
  }

  /** When `endTurn` is due although nothing else happens. */
  nextTick(now: Instant): Instant {
    return this.#waiting === 0 ? never : after(now, targetUs);
  }
}
