/**
 * Gate: who may say what. It judges hellos (protocol, cluster, membership) and checks each request's frame type against
 * the role of its session, from one table, before the service of that type sees it.
 */
import { assert } from "../base/assert.ts";
import { hexOf } from "../base/bytes.ts";
import { codeOf, RingtailError, statusOk } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import type { Hello } from "../wire/gen/codecs.ts";
import { checkHello, Role } from "../wire/hello.ts";
import type { Peers } from "./peers.ts";
import type { Session, SessionRole } from "./session.ts";
import type { NodeState } from "./state.ts";

/** Takes a request that passed. */
export type Service = (now: Instant, session: Session, frame: Frame) => void;

/** The services behind the gate. */
export interface Services {
  /** GET, PUT, DELETE, MULTI_GET, FORWARD_PUT and COPY_READ. */
  readonly data: Service;
  /** REPLICA_READ, REPLICA_WRITE and REPAIR. */
  readonly replica: Service;
  readonly ring: Service;
  readonly status: Service;
  readonly report: Service;
}

const roleBit: Readonly<Record<SessionRole, number>> = { none: 0, client: 1, node: 2, joining: 4 };

/** One row per request type: its service, and which roles may send it. */
const rows: readonly (readonly [type: number, service: keyof Services, roles: readonly SessionRole[]])[] = [
  [FrameType.GET, "data", ["client"]],
  [FrameType.PUT, "data", ["client"]],
  [FrameType.DELETE, "data", ["client"]],
  [FrameType.MULTI_GET, "data", ["client"]],
  [FrameType.FORWARD_PUT, "data", ["node"]],
  [FrameType.COPY_READ, "data", ["client"]],
  [FrameType.FETCH_RING, "ring", ["client", "node", "joining"]],
  [FrameType.STATUS, "status", ["client"]],
  [FrameType.REPLICA_READ, "replica", ["node"]],
  [FrameType.REPLICA_WRITE, "replica", ["node"]],
  [FrameType.REPAIR, "replica", ["node"]],
  [FrameType.RECORD_PUSH, "replica", ["node"]],
  [FrameType.REPORT, "report", ["joining"]],
];

export class Gate {
  readonly #shared: NodeState;
  readonly #peers: Peers;
  readonly #describe: () => Hello;
  readonly #services: (Service | undefined)[] = new Array(256).fill(undefined);
  readonly #allowed: Uint8Array = new Uint8Array(256);

  constructor(shared: NodeState, peers: Peers, describe: () => Hello, services: Services) {
    this.#shared = shared;
    this.#peers = peers;
    this.#describe = describe;
    for (const [type, service, roles] of rows) {
      this.#services[type] = services[service];
      for (const role of roles) this.#allowed[type] = (this.#allowed[type] as number) | roleBit[role];
    }
  }

  /** A part of the node serves this request type for these roles. */
  add(type: number, roles: readonly SessionRole[], service: Service): void {
    assert(this.#services[type] === undefined, "a request type has one service");
    this.#services[type] = service;
    for (const role of roles) this.#allowed[type] = (this.#allowed[type] as number) | roleBit[role];
  }

  /** Null, and the session has its role; or why its hello is refused. */
  judge(now: Instant, session: Session, hello: Hello): RingtailError | null {
    const verdict = checkHello(this.#describe(), hello);
    if (verdict.status !== statusOk) return new RingtailError(codeOf(verdict.status), verdict.message);
    if (hello.role === Role.node) return this.#judgeNode(now, session, hello);
    session.role = hello.role === Role.client ? "client" : "joining";
    return null;
  }

  #judgeNode(now: Instant, session: Session, hello: Hello): RingtailError | null {
    if (this.#shared.ringOrNone === undefined) return new RingtailError("OVERLOADED", "this node has no ring yet");
    if (!this.#peers.joined) return new RingtailError("OVERLOADED", "this node is starting");
    const peer = this.#peers.of(hello.number);
    if (peer === undefined || peer.member.id !== hexOf(hello.nodeId)) {
      if (hello.epoch < this.#shared.epoch) {
        // It may have left, and must be able to learn that: it may ask for the ring, and for nothing else.
        session.role = "joining";
        return null;
      }
      const who = `node ${hexOf(hello.nodeId)}`;
      return new RingtailError(
        "PERMISSION_DENIED",
        `${who} is no member of this cluster under the number ${hello.number}`,
      );
    }
    session.role = "node";
    session.number = peer.number;
    peer.epoch = Math.max(peer.epoch, hello.epoch);
    peer.dialSoon(now);
    return null;
  }

  /** Hands a request to its service; throws `RingtailError` if the type is unknown or the role may not send it. */
  pass(now: Instant, session: Session, frame: Frame): void {
    const { type } = frame;
    const service = this.#services[type];
    if (service === undefined) throw new RingtailError("INVALID_ARGUMENT", `no such request: frame type ${type}`);
    if (((this.#allowed[type] as number) & roleBit[session.role]) === 0) {
      throw new RingtailError("PERMISSION_DENIED", `a ${session.role} may not send frames of type ${type}`);
    }
    const { fencedBy } = this.#shared;
    if (fencedBy !== "" && session.role === "node") throw new RingtailError("PERMISSION_DENIED", fencedBy);
    service(now, session, frame);
  }
}
