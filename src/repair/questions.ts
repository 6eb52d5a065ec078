/** What one node asks another when they compare trees: the messages by frame type, for whoever puts them on a link. */
import type { MessageCodec } from "../wire/codec.ts";
import {
  type Fields,
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
} from "../wire/codec.ts";
import { FrameType } from "../wire/frame-types.ts";

/** A question, by the type of its frame. The asker's node fills in the epoch. */
export type Question =
  | { readonly type: typeof FrameType.TREE_ROOTS; readonly body: Fields<TreeRootsRequest> }
  | { readonly type: typeof FrameType.TREE_BRANCH; readonly body: Fields<TreeBranchRequest> }
  | { readonly type: typeof FrameType.TREE_LEAVES; readonly body: Fields<TreeLeavesRequest> }
  | { readonly type: typeof FrameType.LEAF_KEYS; readonly body: Fields<LeafKeysRequest> }
  | { readonly type: typeof FrameType.RECORD_FETCH; readonly body: Fields<RecordFetchRequest> };

/** A decoded question, as the responder gets it; views are borrowed until the call returns. */
export type Asked =
  | { readonly type: typeof FrameType.TREE_ROOTS; readonly body: TreeRootsRequest }
  | { readonly type: typeof FrameType.TREE_BRANCH; readonly body: TreeBranchRequest }
  | { readonly type: typeof FrameType.TREE_LEAVES; readonly body: TreeLeavesRequest }
  | { readonly type: typeof FrameType.LEAF_KEYS; readonly body: LeafKeysRequest }
  | { readonly type: typeof FrameType.RECORD_FETCH; readonly body: RecordFetchRequest };

/** What the responder says; the node fills in the epoch. */
export type Reply =
  | { readonly type: typeof FrameType.TREE_ROOTS; readonly body: Fields<TreeRootsReply> }
  | { readonly type: typeof FrameType.TREE_BRANCH; readonly body: Fields<TreeBranchReply> }
  | { readonly type: typeof FrameType.TREE_LEAVES; readonly body: Fields<TreeLeavesReply> }
  | { readonly type: typeof FrameType.LEAF_KEYS; readonly body: Fields<LeafKeysReply> }
  | { readonly type: typeof FrameType.RECORD_FETCH; readonly body: Fields<RecordFetchReply> };

/** A decoded reply, as the exchange gets it; views are borrowed until the call returns. */
export type Answer =
  | { readonly type: typeof FrameType.TREE_ROOTS; readonly body: TreeRootsReply }
  | { readonly type: typeof FrameType.TREE_BRANCH; readonly body: TreeBranchReply }
  | { readonly type: typeof FrameType.TREE_LEAVES; readonly body: TreeLeavesReply }
  | { readonly type: typeof FrameType.LEAF_KEYS; readonly body: LeafKeysReply }
  | { readonly type: typeof FrameType.RECORD_FETCH; readonly body: RecordFetchReply };

type QuestionType = Question["type"];

/** The codecs of a question and of its reply. */
export const questionCodecs: { readonly [T in QuestionType]: MessageCodec<Extract<Asked, { type: T }>["body"]> } = {
  [FrameType.TREE_ROOTS]: TreeRootsRequest,
  [FrameType.TREE_BRANCH]: TreeBranchRequest,
  [FrameType.TREE_LEAVES]: TreeLeavesRequest,
  [FrameType.LEAF_KEYS]: LeafKeysRequest,
  [FrameType.RECORD_FETCH]: RecordFetchRequest,
};
/** The codecs of the replies. */
export const replyCodecs: { readonly [T in QuestionType]: MessageCodec<Extract<Answer, { type: T }>["body"]> } = {
  [FrameType.TREE_ROOTS]: TreeRootsReply,
  [FrameType.TREE_BRANCH]: TreeBranchReply,
  [FrameType.TREE_LEAVES]: TreeLeavesReply,
  [FrameType.LEAF_KEYS]: LeafKeysReply,
  [FrameType.RECORD_FETCH]: RecordFetchReply,
};
