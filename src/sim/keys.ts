/**
 * The cluster's secrets, as the simulated world hands them out: one deterministic key per cluster and purpose, the same
 * on every node, so that a context of one node opens at another, and at the checkers. Worth nothing as cryptography.
 */
import { Rng } from "../base/rng.ts";
import { payloadHash } from "./trace.ts";

/** 16 bytes that depend on the cluster and the purpose alone: `Environment.deriveKey` of every simulated node. */
export function deriveKey(clusterId: Uint8Array, purpose: string): Uint8Array {
  return new Rng(payloadHash(clusterId)).fork(purpose).fill(new Uint8Array(16));
}
