/**
 * ClientService: what clients may ask, from the decoded frame to the op and from the finished op to the answer.
 *
 * A get is coordinated here whoever owns the key. A put is coordinated by an owner while one can be reached, because
 * the coordinator mints the dot: another node forwards the request, once. Which requests get here, and when, is decided
 * by `reception.ts`, before they are decoded.
 */
import { noBytes } from "../base/bytes.ts";
import { RingtailError, statusOk, wireOf } from "../base/errors.ts";
import { fullKeyOf } from "../base/full-key.ts";
import { Hash64, hashKey } from "../base/hash.ts";
import { noNode } from "../base/ids.ts";
import type { DurationUs, Instant } from "../base/time.ts";
import { noWords } from "../base/words.ts";
import { GetOp } from "../coordinator/get.ts";
import { PutOp } from "../coordinator/put.ts";
import { type AskedQuorum, type Quorum, resolveDurability, resolveQuorum } from "../coordinator/quorum.ts";
import { countSlots, slotsMax } from "../coordinator/slots.ts";
import type { Latency } from "../metrics/metrics.ts";
import { openContext, sealContext } from "../version/context.ts";
import { recordBody, versionOfSealed } from "../version/record.ts";
import { VersionVector } from "../version/version-vector.ts";
import { ackWord } from "../wire/ack-word.ts";
import type { Fields } from "../wire/codec.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  FetchRingReply,
  FetchRingRequest,
  GetReply,
  GetRequest,
  MultiGetReply,
  MultiGetRequest,
  type MultiGetResult,
  PutReply,
  PutRequest,
  ReplicaReadRequest,
} from "../wire/gen/codecs.ts";
import { frameBytesMax, keysPerMultiGetMax } from "../wire/limits.ts";
import { ringToMessage } from "../wire/ring-codec.ts";
import { checkKey, checkPut, putOfDelete } from "./client-requests.ts";
import type { Coordination } from "./coordination.ts";
import { CopyService } from "./copy-service.ts";
import type { EpochGate } from "./epoch-gate.ts";
import { Flights } from "./flights.ts";
import type { Forwarding } from "./forwarding.ts";
import type { OpWatch } from "./op-watch.ts";
import { type Beginner, Reception } from "./reception.ts";
import { type GetOrigin, MultiGet, MultiGetPart, Request, requestOf } from "./request.ts";
import type { Routing } from "./routing.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";

/** Left in a multi-get's frame for what is not records. */
const multiGetSlack = 256 * 1024;
/** By how many have answered; filled for each answer. */
const ackLists: readonly Uint32Array[] = Array.from({ length: slotsMax + 1 }, (_, count) => new Uint32Array(count));

/** An answer whose fields are filled in anew each time. Its lists of words keep their class (base/one-shape.ts). */
type Reply<T> = { -readonly [K in keyof T]: Fields<T[K]> };

export class ClientService implements Beginner {
  readonly #shared: NodeState;
  readonly #routing: Routing;
  readonly #epochs: EpochGate;
  readonly #hash = new Hash64();
  readonly #getLatency: Latency;
  readonly #putLatency: Latency;
  readonly #watch: OpWatch;
  readonly copies: CopyService;
  /** Who is let in, and when. */
  readonly reception: Reception;
  readonly #flights: Flights = new Flights();
  readonly #beginGet = (now: Instant, op: GetOp<GetOrigin>): void => {
    this.#routing.aimGet(op);
    this.#watch.took(now, op, requestOf(op.origin).arrivedAt);
    (this.#coordination as Coordination).gets.begin(now, op);
  };
  #coordination: Coordination | undefined = undefined;
  #forwarding: Forwarding | undefined = undefined;
  // Answers are encoded before the next one is filled in, so one object of each kind serves all.
  readonly #getReply: Reply<GetReply> = {
    record: noBytes,
    context: noBytes,
    epoch: 0,
    acks: noWords,
    coordinator: 0,
    elapsedUs: 0,
    stalePossible: false,
    lww: false,
    hedged: false,
    queue: 0,
    busy: 0,
    slow: false,
    phases: noWords,
  };
  readonly #putReply: Reply<PutReply> = {
    context: noBytes,
    epoch: 0,
    acks: noWords,
    coordinator: 0,
    elapsedUs: 0,
    forwardedBy: 0,
    stalePossible: false,
    lww: false,
    queue: 0,
    busy: 0,
    slow: false,
    phases: noWords,
  };

  constructor(shared: NodeState, routing: Routing, epochs: EpochGate, watch: OpWatch) {
    this.#shared = shared;
    this.#watch = watch;
    this.#routing = routing;
    this.#epochs = epochs;
    this.#getLatency = shared.metrics.latency("get");
    this.#putLatency = shared.metrics.latency("put");
    this.reception = new Reception(shared, this);
    this.copies = new CopyService(shared, epochs, (session) => this.reception.leave(session, 0));
  }

  attach(coordination: Coordination, forwarding: Forwarding): void {
    this.#coordination = coordination;
    this.#forwarding = forwarding;
  }

  /** A client's request: it stands in line, or is worked on at once. */
  onRequest(now: Instant, session: Session, frame: Frame): void {
    if (frame.type === FrameType.FORWARD_PUT) this.#onForwarded(now, session, frame);
    else this.reception.onRequest(now, session, frame);
  }

  /** A put that a peer forwards. Throws `WireError` or `RingtailError` on bad input. */
  #onForwarded(now: Instant, session: Session, frame: Frame): void {
    if (!this.reception.admitsForwarded(session, frame.size)) {
      this.reception.refuse(session, frame);
      return;
    }
    const put = frame.decode(PutRequest);
    if (!this.#epochs.admits(now, session, frame, put.epoch)) return;
    this.#onPut(now, new Request(now, session, frame, session.number, frame.size), put);
  }

  /** Begins a client's request that was let in. Throws `WireError` or `RingtailError` on bad input. */
  begin(now: Instant, arrivedAt: Instant, session: Session, frame: Frame): number {
    switch (frame.type) {
      case FrameType.GET:
        return this.#onGet(now, new Request(arrivedAt, session, frame), frame.decode(GetRequest));
      case FrameType.PUT: {
        const put = frame.decode(PutRequest);
        put.tombstone = false;
        return this.#onPut(now, new Request(arrivedAt, session, frame, noNode, frame.size), put);
      }
      case FrameType.DELETE: {
        const request = new Request(arrivedAt, session, frame, noNode, frame.size);
        return this.#onPut(now, request, putOfDelete(frame));
      }
      case FrameType.COPY_READ: {
        const asked = frame.decode(ReplicaReadRequest);
        asked.timeoutUs = this.#timeLeft(now, arrivedAt, asked.timeoutUs);
        this.copies.read(now, session, frame, asked, () => this.reception.enter(session, 0));
        return 1;
      }
      default:
        return this.#onMultiGet(now, new Request(arrivedAt, session, frame), frame);
    }
  }

  /** The gets that were begun together leave. */
  begun(now: Instant): void {
    this.#flights.leave(now, this.#beginGet);
  }

  /** What is left of a request's time. Throws `DEADLINE_EXCEEDED` if that is nothing: no work is done for it. */
  #timeLeft(now: Instant, arrivedAt: Instant, asked: number): number {
    const config = this.#shared.config;
    const timeoutUs = asked === 0 ? config.requestTimeoutMs * 1000 : Math.min(asked, config.requestTimeoutMaxMs * 1000);
    const left = this.reception.timeLeft(now, arrivedAt, timeoutUs);
    if (left === 0) throw new RingtailError("DEADLINE_EXCEEDED", "its time was over before its turn came");
    return left;
  }

  #newGet(
    origin: GetOrigin,
    bucket: Uint8Array,
    key: Uint8Array,
    asked: AskedQuorum,
    timeLeftUs: number,
  ): GetOp<GetOrigin> {
    checkKey(bucket, key);
    const ring = this.#shared.ring;
    const op = new GetOp<GetOrigin>(origin, fullKeyOf(bucket, key), resolveQuorum(ring.policyOf(bucket), asked));
    hashKey(op.fullKey, this.#hash);
    op.hashHigh = this.#hash.high;
    op.hashLow = this.#hash.low;
    op.partition = ring.partitionOf(op.hashHigh);
    op.timeoutUs = timeLeftUs;
    return op;
  }

  #onGet(now: Instant, request: Request, get: GetRequest): number {
    const timeLeftUs = this.#timeLeft(now, request.arrivedAt, get.timeoutUs);
    return this.#board(this.#newGet(request, get.bucket, get.key, get, timeLeftUs));
  }

  /** Lets a get share a read with others of its key. Returns what that costs a turn. */
  #board(op: GetOp<GetOrigin>): number {
    this.reception.enter(requestOf(op.origin).session, 0);
    return this.#flights.board(op) ? 0 : 1;
  }

  #onMultiGet(now: Instant, request: Request, frame: Frame): number {
    const get = frame.decode(MultiGetRequest);
    if (get.keys.length === 0 || get.keys.length > keysPerMultiGetMax) {
      throw new RingtailError(
        "INVALID_ARGUMENT",
        `${get.keys.length} keys in one multi-get; allowed: 1 to ${keysPerMultiGetMax}`,
      );
    }
    const timeLeftUs = this.#timeLeft(now, request.arrivedAt, get.timeoutUs);
    const whole = new MultiGet(request, get.keys.map(newResult));
    const ops = get.keys.map((key, index) =>
      this.#newGet(new MultiGetPart(whole, index), get.bucket, key, get, timeLeftUs),
    );
    if (this.#shared.inFlight + ops.length > this.#shared.config.inFlightMax) {
      this.reception.refuse(request.session, request);
      return 1;
    }
    let cost = 0;
    for (const op of ops) cost += this.#board(op);
    return cost;
  }

  /** Returns what the put costs a turn. */
  #onPut(now: Instant, request: Request, put: PutRequest): number {
    checkPut(put);
    const shared = this.#shared;
    const ring = shared.ring;
    const policy = ring.policyOf(put.bucket);
    const quorum = resolveQuorum(policy, put);
    const fullKey = fullKeyOf(put.bucket, put.key);
    const op = new PutOp<Request>(request, fullKey, quorum);
    hashKey(fullKey, this.#hash);
    op.hashHigh = this.#hash.high;
    op.hashLow = this.#hash.low;
    op.partition = ring.partitionOf(op.hashHigh);
    op.timeoutUs = this.#timeLeft(now, request.arrivedAt, put.timeoutUs);
    this.#routing.aim(op, "put");
    const passedOn = request.type === FrameType.FORWARD_PUT;
    if (!this.#routing.mayCoordinate(op, passedOn)) {
      this.#passOn(now, op, put, passedOn);
      return 1;
    }
    op.durability = resolveDurability(policy, put.durability);
    if (put.context.length > 0) {
      const { version, own } = openContext(shared.contextKey, fullKey, put.context);
      op.context = version;
      op.contextOwn = own;
    }
    op.requestId = put.requestId.slice();
    op.value = put.value;
    op.tombstone = put.tombstone;
    op.overwrite = put.overwrite;
    op.second = Math.floor(shared.env.wallMs() / 1000);
    this.reception.enter(request.session, request.bytes);
    this.#watch.took(now, op, request.arrivedAt);
    (this.#coordination as Coordination).puts.begin(now, op);
    return 1;
  }

  /** Somebody else is to coordinate the put; what was forwarded once is not forwarded again. */
  #passOn(now: Instant, op: PutOp<Request>, put: PutRequest, passedOn: boolean): void {
    if (passedOn) {
      op.origin.fail(wireOf("WRONG_OWNER"), "the put was forwarded to a node that may not coordinate it");
      return;
    }
    const forwarding = this.#forwarding as Forwarding;
    if (forwarding.forward(now, op.origin, put, op.partition, op.quorum, op.timeoutUs)) {
      this.reception.enter(op.origin.session, op.origin.bytes);
    }
  }

  answerPut(now: Instant, op: PutOp<Request>): void {
    const request = op.origin;
    this.reception.leave(request.session, request.bytes);
    const elapsed = now - request.arrivedAt;
    const phases = this.#watch.answered(now, op);
    this.reception.onAnswer(now, now - op.started);
    if (op.status !== statusOk) {
      request.fail(op.status, op.message, 0, op.sealed.length > 0);
      return;
    }
    this.#putLatency.record(elapsed);
    this.#shared.background.onAnswered(now, elapsed);
    const shared = this.#shared;
    const reply = this.#putReply;
    reply.context = sealContext(shared.contextKey, op.fullKey, op.version, shared.number, shared.epoch, op.own);
    reply.forwardedBy = request.forwardedBy;
    reply.acks = acksOf(op.targetNumbers, op.acked, op.durable, op.fallbacks);
    this.#tellHow(reply, op.quorum, elapsed, phases);
    request.answer(PutReply, reply);
  }

  answerGet(now: Instant, op: GetOp<GetOrigin>): void {
    const phases = this.#watch.answered(now, op);
    for (let origin: GetOrigin | null = op.origin; origin !== null; origin = origin.companion) {
      this.reception.leave(requestOf(origin).session, 0);
      this.reception.onAnswer(now, now - op.started);
      if (origin instanceof MultiGetPart) this.#answerPart(now, op, origin);
      else this.#answerOne(now, op, origin, phases);
    }
  }

  #answerOne(now: Instant, op: GetOp<GetOrigin>, request: Request, phases: Uint32Array): void {
    const elapsed = now - request.arrivedAt;
    if (op.status !== statusOk) {
      request.fail(op.status, op.message);
      return;
    }
    this.#getLatency.record(elapsed);
    this.#shared.background.onAnswered(now, elapsed);
    const reply = this.#getReply;
    reply.record = op.merged === null ? noBytes : recordBody(op.merged);
    reply.context = this.#contextOf(op);
    reply.hedged = op.hedged;
    reply.acks = acksOf(op.targetNumbers, op.answered, 0, op.fallbacks);
    this.#tellHow(reply, op.quorum, elapsed, phases);
    request.answer(GetReply, reply);
  }

  /** What every answer tells of its coordinator, and of how it came about. */
  #tellHow(reply: Reply<GetReply | PutReply>, quorum: Quorum, elapsedUs: DurationUs, phases: Uint32Array): void {
    const shared = this.#shared;
    reply.epoch = shared.epoch;
    reply.coordinator = shared.number;
    reply.elapsedUs = elapsedUs;
    reply.stalePossible = quorum.stalePossible;
    reply.lww = quorum.lww;
    reply.queue = shared.queue();
    reply.busy = shared.busy;
    reply.slow = shared.slow();
    reply.phases = phases;
  }

  #contextOf(op: GetOp<GetOrigin>): Uint8Array {
    const version = op.merged === null ? VersionVector.empty : versionOfSealed(op.merged);
    // A fallback coordinates no put while an owner can.
    const none = op.firstSlot < 0 || ((op.fallbacks >>> op.firstSlot) & 1) === 1;
    const fastest = none ? 0 : (op.targetNumbers[op.firstSlot] as number);
    return sealContext(this.#shared.contextKey, op.fullKey, version, fastest, this.#shared.epoch);
  }

  #answerPart(now: Instant, op: GetOp<GetOrigin>, part: MultiGetPart): void {
    const whole = part.whole;
    const result = whole.results[part.index] as (typeof whole.results)[number];
    result.status = op.status;
    if (op.status === statusOk) {
      const size = op.merged === null ? 0 : op.merged.length;
      if (whole.bytes + size > frameBytesMax - multiGetSlack) result.askAlone = true;
      else {
        whole.bytes += size;
        if (op.merged !== null) result.record = recordBody(op.merged);
        result.context = this.#contextOf(op);
        result.stalePossible = op.quorum.stalePossible;
        result.acks = Array.from(acksOf(op.targetNumbers, op.answered, 0, op.fallbacks));
      }
    }
    whole.pending -= 1;
    if (whole.pending > 0) return;
    whole.request.answer(MultiGetReply, {
      results: whole.results,
      epoch: this.#shared.epoch,
      coordinator: this.#shared.number,
      elapsedUs: now - whole.request.arrivedAt,
      lww: op.quorum.lww,
      queue: this.#shared.queue(),
      busy: this.#shared.busy,
      slow: this.#shared.slow(),
    });
  }

  /** The ring, unless the asker's is as new. */
  onFetchRing(session: Session, frame: Frame): void {
    const asked = frame.decode(FetchRingRequest);
    const ring = this.#shared.ringOrNone;
    const newer = ring !== undefined && asked.epoch < ring.epoch ? ringToMessage(ring) : null;
    session.answer(frame, FetchRingReply, { ring: newer, epoch: this.#shared.epoch });
  }
}

/** The words of those that answered, in memory that the next call uses again. */
function acksOf(targets: Uint16Array, acked: number, durable: number, fallbacks: number): Uint32Array {
  const acks = ackLists[countSlots(acked)] as Uint32Array;
  for (let slot = 0, to = 0; to < acks.length; slot += 1) {
    if (((acked >>> slot) & 1) === 0) continue;
    acks[to] = ackWord(targets[slot] as number, slot, (fallbacks >>> slot) & 1, (durable >>> slot) & 1);
    to += 1;
  }
  return acks;
}

function newResult(): MultiGetResult {
  return { status: statusOk, record: noBytes, context: noBytes, acks: [], askAlone: false, stalePossible: false };
}
