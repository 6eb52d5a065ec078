/** What one node asks another when they compare trees: the messages by frame type, for whoever puts them on a link. */
import type { Fields, MessageCodec } from "../wire/codec.ts";
import { FrameType } from "../wire/frame-types.ts";
import {
  LeafKeysReply,
  LeafKeysRequest,
  RecordFetchReply,
  RecordFetchRequest,
  TreeBranchReply,
  TreeBranchRequest,
  TreeLeavesReply,
  TreeLeavesRequest,
  TreeRootsReply,
  TreeRootsRequest,
} from "../wire/gen/codecs.ts";

/** By the type of the frame. */
interface Messages {
  readonly [FrameType.TREE_ROOTS]: { readonly asked: TreeRootsRequest; readonly answer: TreeRootsReply };
  readonly [FrameType.TREE_BRANCH]: { readonly asked: TreeBranchRequest; readonly answer: TreeBranchReply };
  readonly [FrameType.TREE_LEAVES]: { readonly asked: TreeLeavesRequest; readonly answer: TreeLeavesReply };
  readonly [FrameType.LEAF_KEYS]: { readonly asked: LeafKeysRequest; readonly answer: LeafKeysReply };
  readonly [FrameType.RECORD_FETCH]: { readonly asked: RecordFetchRequest; readonly answer: RecordFetchReply };
}
type QuestionType = keyof Messages;
/** One of a kind of bodies, with the type of its frame. */
type Framed<Bodies extends Record<QuestionType, unknown>> = {
  [T in QuestionType]: { readonly type: T; readonly body: Bodies[T] };
}[QuestionType];

/** A question, by the type of its frame. The asker's node fills in the epoch. */
export type Question = Framed<{ [T in QuestionType]: Fields<Messages[T]["asked"]> }>;
/** A decoded question, as the responder gets it; views are borrowed until the call returns. */
export type Asked = Framed<{ [T in QuestionType]: Messages[T]["asked"] }>;
/** What the responder says; the node fills in the epoch. */
export type Reply = Framed<{ [T in QuestionType]: Fields<Messages[T]["answer"]> }>;
/** A decoded reply, as the exchange gets it; views are borrowed until the call returns. */
export type Answer = Framed<{ [T in QuestionType]: Messages[T]["answer"] }>;

/** The codecs of a question and of its reply. */
export const questionCodecs: { readonly [T in QuestionType]: MessageCodec<Messages[T]["asked"]> } = {
  [FrameType.TREE_ROOTS]: TreeRootsRequest,
  [FrameType.TREE_BRANCH]: TreeBranchRequest,
  [FrameType.TREE_LEAVES]: TreeLeavesRequest,
  [FrameType.LEAF_KEYS]: LeafKeysRequest,
  [FrameType.RECORD_FETCH]: RecordFetchRequest,
};
/** The codecs of the replies. */
export const replyCodecs: { readonly [T in QuestionType]: MessageCodec<Messages[T]["answer"]> } = {
  [FrameType.TREE_ROOTS]: TreeRootsReply,
  [FrameType.TREE_BRANCH]: TreeBranchReply,
  [FrameType.TREE_LEAVES]: TreeLeavesReply,
  [FrameType.LEAF_KEYS]: LeafKeysReply,
  [FrameType.RECORD_FETCH]: RecordFetchReply,
};
