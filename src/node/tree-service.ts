/**
 * TreeService: this node as the side that is asked when trees are compared: frames to the `Responder` and back, the store
 * behind it. Whether a tree may be compared is for others to say.
 */
import type { Status } from "../base/errors.ts";
import { bucketOf } from "../base/full-key.ts";
import type { Instant } from "../base/time.ts";
import type { TreeId, TreeSource } from "../repair/merkle-tree.ts";
import { type Asked, questionCodecs, type Reply, replyCodecs } from "../repair/questions.ts";
import { Responder, type ResponderEffects } from "../repair/responder.ts";
import type { RecordPage } from "../storage/store.ts";
import type { Encoder, MessageCodec } from "../wire/codec.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameType } from "../wire/frame-types.ts";
import { keysPerLeafPageMax } from "../wire/limits.ts";
import { leafPageBytes } from "./exchange-seat.ts";
import type { LocalRecords, RecordAsker } from "./local-records.ts";
import type { Session } from "./session.ts";
import type { NodeState } from "./state.ts";
import type { StoreAsker, StoreQuestions } from "./store-questions.ts";
import { Ticket } from "./ticket.ts";

/** The questions about trees. */
export const treeQuestionTypes: readonly Asked["type"][] = [
  FrameType.TREE_ROOTS,
  FrameType.TREE_BRANCH,
  FrameType.TREE_LEAVES,
  FrameType.LEAF_KEYS,
  FrameType.RECORD_FETCH,
];

/** What the service stands on. */
export interface TreeServiceOptions {
  readonly shared: NodeState;
  readonly leaves: TreeSource;
  readonly questions: StoreQuestions;
  readonly records: LocalRecords;
  readonly mayCompare: (tree: TreeId) => boolean;
}

export class TreeService implements ResponderEffects<Ticket>, StoreAsker, RecordAsker {
  readonly #shared: NodeState;
  readonly #questions: StoreQuestions;
  readonly #records: LocalRecords;
  readonly #responder: Responder<Ticket>;

  constructor(options: TreeServiceOptions) {
    const { shared, leaves, mayCompare } = options;
    this.#shared = shared;
    this.#questions = options.questions;
    this.#records = options.records;
    const treeOf = (fullKey: Uint8Array): number => shared.ring.policyOf(bucketOf(fullKey)).n;
    this.#responder = new Responder({ effects: this, leaves, treeOf, partitions: shared.ring.partitions, mayCompare });
  }

  /** A question of a peer. Throws `WireError`. */
  onRequest(now: Instant, session: Session, frame: Frame): void {
    const type = frame.type as Asked["type"];
    const codec: MessageCodec<Asked["body"]> = questionCodecs[type] as MessageCodec<Asked["body"]>;
    const body = frame.decode(codec);
    if (session.number !== 0) this.#shared.onNewerEpoch(now, session.number, body.epoch);
    this.#responder.onQuestion(now, new Ticket(session, frame), { type, body } as Asked);
  }

  answer(_now: Instant, ticket: Ticket, { type, body }: Reply): void {
    const codec: Encoder<Reply["body"]> = replyCodecs[type] as Encoder<Reply["body"]>;
    ticket.answer(codec, { ...body, epoch: this.#shared.epoch });
  }

  refuse(_now: Instant, ticket: Ticket, _type: number, status: Status, message: string): void {
    ticket.fail(status, message);
  }

  scanLeaf(now: Instant, id: number, partition: number, leaf: number, cursor: Uint8Array | null): void {
    const request = { partition, leaf, cursor, keysMax: keysPerLeafPageMax, bytesMax: leafPageBytes, token: id };
    this.#questions.scanRecords(now, this, request);
  }

  readRecord(now: Instant, id: number, fullKey: Uint8Array): void {
    this.#records.read(now, this, id, fullKey);
  }

  onScanned(now: Instant, token: number, page: RecordPage | null, error: string | null): void {
    this.#responder.onScanned(now, token, page, error);
  }

  onRecord(now: Instant, id: number, sealed: Uint8Array | null, error: string | null): void {
    this.#responder.onRecord(now, id, sealed, error);
  }

  onMoved(): void {}
}
