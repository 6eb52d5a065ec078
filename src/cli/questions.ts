/** What several commands, and the tools, ask of nodes. */

import { FrameType } from "../wire/frame-types.ts";
import {
  HintStatusReply,
  HintStatusRequest,
  RepairStatusReply,
  RepairStatusRequest,
  StatusReply,
  StatusRequest,
  TransferStatusReply,
  TransferStatusRequest,
} from "../wire/gen/codecs.ts";
import type { NodeQuestion } from "./every-node.ts";

/** What is kept for others. */
export const hintQuestion: NodeQuestion<HintStatusRequest, HintStatusReply> = {
  type: FrameType.HINT_STATUS,
  codec: HintStatusRequest,
  message: {},
  reply: HintStatusReply,
};

/** What is being transferred, whatever the ring. */
export const transferQuestion: NodeQuestion<TransferStatusRequest, TransferStatusReply> = {
  type: FrameType.TRANSFER_STATUS,
  codec: TransferStatusRequest,
  message: { epoch: 0 },
  reply: TransferStatusReply,
};

/** How it is; `withConfig`: and how it is set up. */
export function statusQuestion(withConfig: boolean = false): NodeQuestion<StatusRequest, StatusReply> {
  return { type: FrameType.STATUS, codec: StatusRequest, message: { withConfig }, reply: StatusReply };
}

/** How far it has compared replicas; `hurry` has it compare without pause until all is verified as of now. */
export function repairQuestion(hurry: boolean = false): NodeQuestion<RepairStatusRequest, RepairStatusReply> {
  return { type: FrameType.REPAIR_STATUS, codec: RepairStatusRequest, message: { hurry }, reply: RepairStatusReply };
}
