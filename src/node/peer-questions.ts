/**
 * PeerQuestions: what a part of the node has asked of peers and not heard of yet, by frame id. A question that cannot be
 * sent, or whose link breaks, has failed: the part is told when it settles, never inside the asking.
 */
import { emptyList } from "../base/one-shape.ts";
import { Slab } from "../base/slab.ts";
import type { Encoder } from "../wire/codec.ts";
import type { Peers } from "./peers.ts";

const questionsMax = 65_536;

interface Sent<Q> {
  readonly to: number;
  readonly question: Q;
}

/** `Q` is what the part wants to remember of a question. */
export class PeerQuestions<Q> {
  readonly #peers: Peers;
  readonly #sent: Slab<Sent<Q>> = new Slab(questionsMax);
  #failed: Q[] = emptyList();

  constructor(peers: Peers) {
    this.#peers = peers;
  }

  /** Sends a request; the message is encoded at once. */
  ask<T>(to: number, type: number, codec: Encoder<T>, message: T, question: Q): void {
    const peer = this.#sent.full ? undefined : this.#peers.of(to);
    if (peer === undefined) {
      this.#failed.push(question);
      return;
    }
    const id = this.#sent.add({ to, question });
    if (peer.send(type, id, codec, message)) return;
    this.#sent.remove(id);
    this.#failed.push(question);
  }

  /** The question that this frame answers; undefined: nobody waits for it. */
  take(frameId: number): Q | undefined {
    const sent = this.#sent.get(frameId);
    if (sent === undefined) return undefined;
    this.#sent.remove(frameId);
    return sent.question;
  }

  /** The link to that peer broke. */
  onPeerLost(number: number): void {
    const lost: number[] = [];
    this.#sent.forEach(({ to }, id) => {
      if (to === number) lost.push(id);
    });
    for (const id of lost) this.#failed.push(this.take(id) as Q);
  }

  /** The questions that have failed since the last call. */
  takeFailed(): readonly Q[] {
    if (this.#failed.length === 0) return this.#failed;
    const failed = this.#failed;
    this.#failed = [];
    return failed;
  }
}
