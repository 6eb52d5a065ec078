/**
 * Coordination's replies: what peers answer to the requests of puts and gets, decoded and handed to the op that asked.
 * Every reply tells the epoch of its sender's ring; one that is newer has it pulled.
 */
import { type Status, statusOk } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { VersionVector } from "../version/version-vector.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { ErrorReply, ReplicaHeadReply, ReplicaReadReply, ReplicaWriteReply } from "../wire/gen/codecs.ts";
import type { Coordination } from "./coordination.ts";
import type { OpWatch } from "./op-watch.ts";
import type { Peer } from "./peers.ts";
import type { NodeState } from "./state.ts";

const silentRefusal: Pick<ErrorReply, "message" | "epoch"> = { message: "", epoch: 0 };

/** The table from reply types to what becomes of them. */
export class CoordinationReplies {
  readonly #shared: NodeState;
  readonly #coordination: Coordination;
  readonly #watch: OpWatch;

  constructor(shared: NodeState, coordination: Coordination, watch: OpWatch) {
    this.#shared = shared;
    this.#coordination = coordination;
    this.#watch = watch;
  }

  /** A reply of any kind, borrowed; false: no op asked for this kind. Throws `WireError` on a malformed body. */
  take(now: Instant, peer: Peer, frame: Frame): boolean {
    switch (frame.answers) {
      case FrameType.REPLICA_WRITE:
      case FrameType.HINT_KEEP:
        this.#onWrite(now, peer, frame);
        return true;
      case FrameType.REPLICA_READ:
      case FrameType.HINT_READ:
        this.#onRead(now, peer, frame);
        return true;
      case FrameType.REPLICA_HEAD:
        this.#onHead(now, peer, frame);
        return true;
      case FrameType.REPAIR:
        this.#coordination.onRepairReply(now, frame.frameId);
        return true;
      default:
        return false;
    }
  }

  #onWrite(now: Instant, peer: Peer, frame: Frame): void {
    const { frameId } = frame;
    // The first one's answer may end its op, and with it what is known of the others.
    const sharers = this.#coordination.takeSharers(frameId);
    if (frame.status === statusOk) {
      const reply = frame.decode(ReplicaWriteReply);
      this.#seen(now, peer, reply.epoch);
      this.#coordination.onLoad(peer.number, reply);
      this.#onWritten(now, frameId, reply);
      for (const id of sharers) this.#onWritten(now, id, reply);
      return;
    }
    const { message, epoch } = this.#refusal(now, peer, frame);
    const why = `node ${peer.number}: ${message}`;
    this.#onWriteRefused(now, frameId, frame.status, why, epoch);
    for (const id of sharers) this.#onWriteRefused(now, id, frame.status, why, epoch);
  }

  #onWritten(now: Instant, frameId: number, reply: ReplicaWriteReply): void {
    this.#watch.putAnswered(now, frameId, reply.keyUs, reply.loopUs, reply.storageUs);
    this.#coordination.onWriteReply(now, frameId, statusOk, reply.durable, "", reply.epoch);
  }

  #onWriteRefused(now: Instant, frameId: number, status: Status, message: string, epoch: number): void {
    this.#watch.putAnswered(now, frameId, 0, 0, 0);
    this.#coordination.onWriteReply(now, frameId, status, false, message, epoch);
  }

  #onRead(now: Instant, peer: Peer, frame: Frame): void {
    const { status, frameId } = frame;
    if (status === statusOk) {
      const reply = frame.decode(ReplicaReadReply);
      this.#seen(now, peer, reply.epoch);
      this.#coordination.onLoad(peer.number, reply);
      this.#watch.getAnswered(now, frameId, reply.loopUs, reply.storageUs);
      this.#coordination.onReadReply(now, frameId, reply);
      return;
    }
    const { message, epoch } = this.#refusal(now, peer, frame);
    this.#watch.getAnswered(now, frameId, 0, 0);
    this.#coordination.onReadRefused(now, frameId, status, `node ${peer.number}: ${message}`, epoch);
  }

  #onHead(now: Instant, peer: Peer, frame: Frame): void {
    let version: VersionVector | null = null;
    if (frame.status === statusOk) {
      const reply = frame.decode(ReplicaHeadReply);
      this.#seen(now, peer, reply.epoch);
      version = VersionVector.fromWords(reply.version.map((word) => word | 0));
    }
    this.#coordination.onHeadReply(now, frame.frameId, version);
  }

  #refusal(now: Instant, peer: Peer, frame: Frame): typeof silentRefusal {
    const reply = frame.size === 0 ? silentRefusal : frame.decode(ErrorReply);
    this.#seen(now, peer, reply.epoch);
    return reply;
  }

  #seen(now: Instant, peer: Peer, epoch: number): void {
    if (epoch > this.#shared.epoch) this.#shared.onNewerEpoch(now, peer.number, epoch);
  }
}
